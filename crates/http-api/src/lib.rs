//! The HTTP API of Roomwire, for other programs and for operators.
//!
//! It sends messages to a room, a client, a user or everyone, reads and changes rooms, clients and nodes, and follows a
//! room or a user live. It is off until `api.token` is configured; then every request must send this token.
//!
//! [`start`] serves it on an address of its own, `api.host` and `api.port`:
//!
//! ```no_run
//! use axum::Router;
//! use roomwire_axum_adapter::{Server, stop_requested};
//! use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
//! use roomwire_state_memory::MemoryState;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let service = WebSocketService::builder(WebSocketConfig::load()?).state(MemoryState::new()).build().await?;
//!     let server = Server::bind(Router::new(), service, Gateway::new()).await?;
//!     roomwire_http_api::start(server.layer()).await?;
//!     Ok(server.run_until(stop_requested()).await?)
//! }
//! ```
//!
//! [`routes`] are the same routes for an app that serves them itself. `docs/http-api.md` describes them, and
//! `GET /v1/openapi.json` is their OpenAPI document.

mod api;
mod authorization;
mod body;
mod clients;
mod document;
mod extract;
mod follow;
mod idempotency;
mod live_item;
mod messages;
mod names;
mod nodes;
mod page;
mod problem;
mod records;
mod rooms;
mod router;
mod sent_requests;
mod settings;
mod start;
mod status;
mod users;

pub use router::routes;
pub use start::{StartError, start};
