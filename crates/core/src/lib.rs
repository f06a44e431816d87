//! What every part of Roomwire agrees on.
//!
//! This crate holds the names a client may use, the records the service keeps, its configuration, its
//! error codes, the messages that travel between nodes, and the *ports* that the other crates
//! plug into:
//!
//! | port | who implements it | who calls it |
//! |---|---|---|
//! | [`StateStore`] | a state backend (`roomwire-state-memory`, …) | `roomwire-service` |
//! | [`Backplane`] | the same backend | `roomwire-service` |
//! | [`LocalDelivery`] | a server (`roomwire-axum-adapter`) or a test | `roomwire-service` |
//! | [`Authenticator`] | `roomwire-auth-jwt`, or the application | `roomwire-service` |
//! | [`RoomPolicy`] | the application | `roomwire-service` |
//!
//! It knows no runtime, no web framework and no database. Applications meet its types through
//! `roomwire-service`, which re-exports what a handler needs.

mod address_key;
pub mod clock;
pub mod config;
#[cfg(feature = "contract-tests")]
pub mod contract_tests;
mod envelope;
mod error;
mod error_code;
mod grants;
mod identity;
mod names;
mod payload;
mod ports;
mod printable;
mod reason;
mod record;
mod revocation;

pub use crate::config::WebSocketConfig;
pub use address_key::AddressKey;
pub use clock::{Clock, SystemClock, Timestamp};
pub use envelope::{EncodedPayload, Envelope, EnvelopeError, NodeMessage};
pub use error::Error;
pub use error_code::ErrorCode;
pub use grants::Grants;
pub use identity::Identity;
pub use names::{
    ClientId, ClientKey, ConflationKey, EventName, Incarnation, NameError, Namespace, NodeId, RoomId, RoomKey,
    ToClientId, ToRoom, TokenId, UserId,
};
pub use payload::{Binary, IntoPayload, Payload};
pub use ports::{
    AckId, Actor, Answer, Authenticator, Backplane, BackplaneEvent, BackplaneEvents, Channel, Conflation,
    ConnectRequest, DefaultPolicy, DeletedRoom, Delivery, Departure, HeldClient, JoinOutcome, LeaseStatus, LiveClient,
    LocalDelivery, MemberRecord, NewClient, NewRoom, NodeSummary, OutboundEvent, Page, PageRequest, ReapOutcome,
    RoomChange, RoomPolicy, RoomSummary, RoomUid, StateError, StateStore, Undeliverable,
};
pub use printable::Printable;
pub use reason::{DisconnectReason, LeaveReason};
pub use record::{Metadata, WebSocketClient, WebSocketRoom};
pub use revocation::{Revocation, Revoked};
