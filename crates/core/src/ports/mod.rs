//! The ports: the contracts of a backend and a server.

mod authenticator;
mod backplane;
mod lease;
mod message_limit;
mod node;
mod outbound;
mod page;
mod refusal;
mod reload;
mod room;
mod room_policy;
mod state;
mod state_error;
mod transport;

pub use authenticator::{Authenticator, ConnectRequest};
pub use backplane::{Backplane, BackplaneEvent, BackplaneEvents, Channel};
pub use lease::{Departure, LeaseStatus, ReapOutcome, RemovedByOthers, RestoredDifferently, StoredClient};
pub use message_limit::MessageLimit;
pub use node::NodeSummary;
pub use outbound::{Conflation, OutboundEvent};
pub use page::{Page, PageRequest};
pub use refusal::Refusal;
pub use reload::ApplyReload;
pub use room::{DeletedRoom, DeletionId, JoinOutcome, Member, MemberRecord, NewRoom, RoomChange, RoomSummary, RoomUid};
pub use room_policy::{Actor, DefaultPolicy, RoomPolicy};
pub use state::{LiveClient, NewClient, StateStore};
pub use state_error::StateError;
pub use transport::{Answer, ClientTransport, Undeliverable};
