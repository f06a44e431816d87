//! Changes of the memberships of this node's clients.

mod client_metadata;
mod delete;
mod disconnect;
mod join;
mod leave;
