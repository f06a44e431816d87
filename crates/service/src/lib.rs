//! The façade of Roomwire, the Socket.IO service for Rust.
//!
//! [`WebSocketService`] has rooms, client tracking, direct messages and broadcasts; [`Gateway`] routes the events
//! of clients to plain async functions. The state backend and the server for the connections are chosen where the
//! program is put together, and never appear in a type:
//!
//! ```
//! use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketConfig, WebSocketService};
//! use roomwire_state_memory::MemoryState;
//!
//! async fn join_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
//!     service.join_room(&client, &room).await?; // ROOM_FULL and ROOM_CLOSED reach the client by `?`
//!     service.broadcast_to_room(&room, "user-joined", client.id()).await
//! }
//!
//! # async fn start() -> Result<(), Error> {
//! let service = WebSocketService::builder(WebSocketConfig::default())
//!     .state(MemoryState::new())
//!     .build()
//!     .await?;
//! let gateway = Gateway::new().on("join-room", join_room);
//! // roomwire_axum_adapter::serve(axum::Router::new(), service, gateway).await
//! # let _ = (service, gateway);
//! # Ok(())
//! # }
//! ```
//!
//! [`testing`] drives a gateway without any socket.

mod authorized;
mod backend;
mod client_refusals;
mod events;
mod follow;
mod gateway;
mod health;
mod limits;
mod local;
mod membership;
mod metrics;
mod node;
mod readiness;
mod refusal_log;
mod reload;
mod service;
mod task;
pub mod testing;
mod trace_context;

pub use authorized::AuthorizedClient;
pub use events::{ServiceEvent, ServiceEvents};
pub use follow::{Activity, EVENTS_TARGET, FollowTarget, Followed, Follower, Recipient};
pub use gateway::{
    Around, Data, Debounce, DebounceLayer, Dispatcher, Encoded, Event, EventLayer, EventService, FromEvent, Gateway,
    GatewayError, Handler, Incoming, IntoGateways, IntoReply, Layered, LeftRooms, RateLimit, RateLimitLayer,
    Requirement, Session, State,
};
pub use health::{Availability, Health, Refused};
pub use local::Client;
pub use metrics::{METRICS, count_limited};
pub use readiness::{NotReady, Readiness};
pub use refusal_log::{Refusal, RefusalLog};
pub use reload::{ReloadError, Reloadable};
pub use roomwire_core::{
    Actor, Authenticator, Binary, ClientId, ConnectRequest, DefaultPolicy, DisconnectReason, Error, ErrorCode,
    EventName, Grants, Identity, IntoPayload, LeaveReason, MemberRecord, Metadata, Namespace, NewRoom, NodeId,
    NodeSummary, Page, PageRequest, Payload, RoomId, RoomPolicy, RoomSummary, Timestamp, ToClientId, ToRoom, TokenId,
    UserId, WebSocketClient, WebSocketConfig, WebSocketRoom,
};
pub use service::{Handshake, RoomAnswers, WebSocketService, WebSocketServiceBuilder};
pub use trace_context::TraceContext;
