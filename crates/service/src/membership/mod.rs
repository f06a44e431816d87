//! Changes of the memberships of this node's clients: in the store and in this node's memory.

mod disconnect;
mod join;
mod leave;
