//! Who is in which room of this node, and the changes of it.

mod delete;
mod disconnect;
mod exits;
mod join;
mod leave;
mod local_clients;
mod namespace;
mod pace;
mod presence;
mod returners;
mod room;
mod stay;
mod unexplained;

pub(crate) use leave::take_out;
pub(crate) use namespace::NamespaceState;
pub(crate) use pace::{Allowance, Pace, Weight};
pub(crate) use presence::Present;
pub(crate) use returners::Account;
pub(crate) use room::LocalRoom;
pub(crate) use stay::Stay;
