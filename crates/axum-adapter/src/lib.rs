//! Serves Roomwire from axum.
//!
//! [`serve`] runs an app and its gateway until the process is asked to stop:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketConfig, WebSocketService};
//! use roomwire_state_memory::MemoryState;
//!
//! async fn join_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
//!     service.join_room(&client, &room).await?;
//!     service.broadcast_to_room(&room, "user-joined", client.id()).await
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let service = WebSocketService::builder(WebSocketConfig::load()?).state(MemoryState::new()).build().await?;
//!     let gateway = Gateway::new().on("join-room", join_room);
//!     roomwire_axum_adapter::serve(Router::new().route("/", get(|| async { "hello" })), service, gateway).await?;
//!     Ok(())
//! }
//! ```
//!
//! The feature `prometheus` adds an endpoint for metrics, the module `prometheus`.
//!
//! [`mount`] creates only the [`RoomwireLayer`], for an app with its own server.
//!
//! This is the only crate that depends on axum and hyper. It passes requests and upgraded connections to the sessions of
//! `roomwire-socketio`.

mod addresses;
mod body_timeout;
mod connection;
mod drain;
mod drain_state;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod health;
mod layer;
mod listener;
mod logging;
mod metrics;
mod mount;
mod open_files;
mod oversized_head;
mod permits;
mod polling;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod refusals;
mod rejection;
mod reload;
mod request;
mod serve;
mod session_limit;
mod side_server;
mod signal;
mod startup_log;
mod stream;
mod upgrade;
mod write_deadline;

pub use handshake::ClientAddress;
pub use health::health_routes;
pub use layer::{RoomwireLayer, RoomwireTower};
pub use listener::TlsError;
pub use logging::init as init_logging;
pub use metrics::METRICS;
pub use mount::{MountError, mount};
pub use serve::{ServeError, Server, serve};
pub use side_server::SideServer;
pub use signal::{reload_on_hangup, stop_requested};
