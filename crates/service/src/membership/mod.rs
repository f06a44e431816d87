//! The memberships of this node's clients and their changes.

mod arrivals;
mod client_id_claims;
mod client_metadata;
mod delete;
mod disconnect;
mod join;
mod leave;
mod local_clients;
mod namespace;
mod own_deletions;
mod room;

pub(crate) use arrivals::Arrival;
pub(crate) use client_id_claims::{ClientIdClaim, WeakClaim};
pub(crate) use leave::take_out;
pub(crate) use namespace::NamespaceState;
pub(crate) use own_deletions::WaitingDeletion;
pub(crate) use room::LocalRoom;
