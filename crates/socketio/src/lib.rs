//! This crate is the Socket.IO server of Roomwire below HTTP: sessions of the Engine.IO protocol over HTTP long-polling
//! and websockets, and the namespaces in them.
//!
//! A web framework opens a session for a handshake request ([`Sessions::open`]), and finds it again for each further
//! request ([`Sessions::get`]). It passes on what the request brings:
//!
//! | request | call |
//! |---|---|
//! | GET | [`Session::poll`] |
//! | POST | [`Session::next_body`] |
//! | websocket | [`Session::serve_websocket`], [`Session::upgrade_to_websocket`] |
//!
//! The service gets a [`ClientTransport`](roomwire_core::ClientTransport) for each client, and the events of the client
//! in the order sent.
//!
//! Protocols: [Engine.IO 4](https://socket.io/docs/v4/engine-io-protocol/),
//! [Socket.IO 5](https://socket.io/docs/v4/socket-io-protocol/).

mod context;
mod drain;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod metrics;
mod outbox;
mod reconnect_rate;
mod refusals;
mod session;
mod sessions;
mod settings;
mod websocket;

pub use metrics::METRICS;
pub use reconnect_rate::{FullAt, ReconnectRate};
pub use session::{Delivery, NextBody, PollResponse, Rejected, Session, SessionRequest};
pub use sessions::Sessions;
