//! The state of Roomwire in the memory of one process.
//!
//! [`MemoryState`] implements both ports of a backend, [`StateStore`](roomwire_core::StateStore) and
//! [`Backplane`](roomwire_core::Backplane). One process with one service needs
//! [`MemoryState::new`] and nothing else. A [`MemoryHub`] joins several services of one process into a
//! cluster, and a [`ManualClock`] lets a test control the expiry of leases.
//!
//! It passes the contract tests of every backend; its guarantees equal those of a distributed backend, except that all
//! data is lost when the process ends.

mod backplane;
mod bus;
mod clients;
mod clock;
mod hub;
mod lease;
mod members;
mod memory_state;
mod nodes;
mod reaping;
mod removals;
mod revocations;
mod rooms;
mod state;
mod store;
mod stored_clients;
mod table;
mod users;

pub use clock::ManualClock;
pub use hub::MemoryHub;
pub use memory_state::MemoryState;
