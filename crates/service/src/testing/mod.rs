//! A gateway under test, without any socket.
//!
//! [`TestServer`] takes the place of a server: clients connect to it, emit events and receive messages in memory, in
//! the same order and under the same limits as over a network. It opens no port, so tests are fast and run
//! concurrently.
//!
//! ```
//! use roomwire_service::{Client, Data, Error, Gateway, WebSocketConfig, WebSocketService, testing::TestServer};
//! use roomwire_state_memory::MemoryState;
//!
//! async fn join(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
//!     service.join_room(&client, &room).await?;
//!     service.broadcast_to_room(&room, "user-joined", client.id()).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = WebSocketService::builder(WebSocketConfig::default()).state(MemoryState::new()).build().await?;
//! let server = TestServer::new(service, Gateway::new().on("join", join))?;
//! let mut ada = server.connect().await?;
//! ada.emit_with_ack::<()>("join", &"lobby").await?;
//! let joined: String = ada.expect("user-joined").await;
//! assert_eq!(joined, ada.id().as_str());
//! # Ok(())
//! # }
//! ```

mod client;
mod connection;
mod server;

pub use client::{Received, TestClient};
pub use server::{TestServer, TestServerError};
