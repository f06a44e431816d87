//! The domain types and ports of Roomwire.
//!
//! This crate contains the validated names, the records of clients and rooms, the configuration, the error codes, the
//! codec of Socket.IO packets ([`packet`]), the messages between nodes, and the *ports* that the other crates implement
//! or call:
//!
//! | port | implemented by | called by |
//! |---|---|---|
//! | [`StateStore`] | a state backend (`roomwire-state-memory`, …) | `roomwire-service` |
//! | [`Backplane`] | the same backend | `roomwire-service` |
//! | [`ClientTransport`] | a server (`roomwire-axum-adapter`) or a test | `roomwire-service` |
//! | [`Authenticator`] | `roomwire-auth-jwt`, or the application | `roomwire-service` |
//! | [`RoomPolicy`] | the application | `roomwire-service` |
//!
//! It depends on no runtime, no web framework and no database. Applications use its types through `roomwire-service`,
//! which re-exports what a handler needs.

mod ack_id;
mod address_key;
pub mod clock;
pub mod config;
#[cfg(feature = "contract-tests")]
pub mod contract_tests;
mod envelope;
mod error;
mod error_code;
mod escaped;
mod grants;
mod identity;
mod log_throttle;
mod metric;
mod names;
pub mod packet;
mod payload;
mod ports;
mod reason;
mod record;
mod revocation;
mod trace_parent;

pub use crate::config::WebSocketConfig;
pub use ack_id::AckId;
pub use address_key::AddressKey;
pub use clock::{Clock, SystemClock, Timestamp};
pub use envelope::{EncodedPayload, Envelope, EnvelopeError, NodeMessage};
pub use error::Error;
pub use error_code::ErrorCode;
pub use escaped::Escaped;
pub use grants::Grants;
pub use identity::Identity;
pub use log_throttle::LogThrottle;
pub use metric::{ByLabel, Metric, MetricKind};
pub use names::{
    ClientId, ClientKey, ConflationKey, EventName, Incarnation, NameError, Namespace, NodeId, NodeProcess, RoomId,
    RoomKey, ToClientId, ToRoom, TokenId, UserId,
};
pub use payload::{Binary, IntoPayload, Payload};
pub use ports::{
    Actor, Answer, ApplyReload, Authenticator, Backplane, BackplaneEvent, BackplaneEvents, Channel, ClientTransport,
    Conflation, ConnectRequest, DefaultPolicy, DeletedRoom, DeletionId, Departure, JoinOutcome, LeaseStatus,
    LiveClient, Member, MemberRecord, MessageLimit, NewClient, NewRoom, NodeSummary, OutboundEvent, Page, PageRequest,
    ReapOutcome, Refusal, RemovedByOthers, RestoredDifferently, RoomChange, RoomPolicy, RoomSummary, RoomUid,
    StateError, StateStore, StoredClient, Undeliverable,
};
pub use reason::{DisconnectReason, LeaveReason};
pub use record::{Metadata, WebSocketClient, WebSocketRoom};
pub use revocation::{Revocation, Revoked};
pub use trace_parent::TraceParent;
