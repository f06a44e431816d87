//! The ports: what a backend and a server must do, and in what order.

mod authenticator;
mod backplane;
mod delivery;
mod lease;
mod node;
mod page;
mod room;
mod room_policy;
mod state;
mod state_error;

pub use authenticator::{Authenticator, ConnectRequest};
pub use backplane::{Backplane, BackplaneEvent, BackplaneEvents, Channel};
pub use delivery::{AckId, Answer, Conflation, Delivery, LocalDelivery, OutboundEvent, Undeliverable};
pub use lease::{Departure, HeldClient, LeaseStatus, ReapOutcome};
pub use node::NodeSummary;
pub use page::{Page, PageRequest};
pub use room::{DeletedRoom, JoinOutcome, MemberRecord, NewRoom, RoomChange, RoomSummary, RoomUid};
pub use room_policy::{Actor, DefaultPolicy, RoomPolicy};
pub use state::{LiveClient, NewClient, StateStore};
pub use state_error::StateError;
