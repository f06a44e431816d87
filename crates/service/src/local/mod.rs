//! This node's clients and rooms, in memory: the data that changes of memberships keep equal to the store.

mod activity;
mod arrivals;
mod client;
mod client_id_claims;
mod clients;
mod namespace;
mod namespaces;
mod own_deletions;
mod room;

pub(crate) use arrivals::Arrival;
pub use client::Client;
pub(crate) use client::{ClientInit, Membership, News};
pub(crate) use client_id_claims::{ClientIdClaim, HANDLER_GRACE};
pub(crate) use namespace::{NamespaceState, take_out};
pub(crate) use namespaces::Namespaces;
pub(crate) use own_deletions::WaitingDeletion;
pub(crate) use room::LocalRoom;
