//! Who is in which room of this node, and the changes of it.

mod delete;
mod disconnect;
mod join;
mod leave;
mod namespace;
mod room;

pub(crate) use namespace::NamespaceState;
pub(crate) use room::LocalRoom;
