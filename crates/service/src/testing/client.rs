//! A client in memory.

use std::{sync::Arc, time::Duration};

use roomwire_core::{ClientId, DisconnectReason, Error, ErrorCode, EventName, IntoPayload, OutboundEvent, Payload};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};

use super::connection::Connection;
use crate::{Client, Incoming};

/// How long a test waits for an expected event.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client of a [`TestServer`](super::TestServer). Dropping it closes its connection.
#[derive(Debug)]
pub struct TestClient {
    connection: Arc<Connection>,
    incoming: mpsc::Receiver<Received>,
}

/// An event that a test client received.
#[derive(Debug)]
pub struct Received {
    /// The event's name.
    pub name: EventName,
    /// Its arguments.
    pub payload: Payload,
    acknowledge: Option<oneshot::Sender<Payload>>,
}

impl Received {
    pub(super) fn new(event: &OutboundEvent, acknowledge: Option<oneshot::Sender<Payload>>) -> Self {
        Self { name: event.name.clone(), payload: event.payload.clone(), acknowledge }
    }

    /// Whether the server waits for an acknowledgement.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.acknowledge.is_some()
    }

    /// Acknowledges the event.
    ///
    /// # Errors
    /// When the data cannot be encoded.
    pub fn acknowledge(self, data: impl IntoPayload) -> Result<(), Error> {
        let payload = data.into_payload()?;
        if let Some(acknowledge) = self.acknowledge {
            // The server may have stopped waiting.
            let _ = acknowledge.send(payload);
        }
        Ok(())
    }
}

/// An error as a client receives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    code: String,
    message: String,
    field: Option<String>,
    retry_after_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ErrorAck {
    error: Told,
}

impl TestClient {
    pub(super) fn new(connection: Arc<Connection>, incoming: mpsc::Receiver<Received>) -> Self {
        Self { connection, incoming }
    }

    /// The client's id.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        self.connection.session.client().id()
    }

    /// The server's handle for this client.
    #[must_use]
    pub fn handle(&self) -> &Client {
        self.connection.session.client()
    }

    /// Emits an event without waiting for anything.
    ///
    /// # Panics
    /// When the data cannot be encoded.
    pub fn emit(&self, event: &str, data: impl IntoPayload) {
        self.send(event, data, None);
    }

    /// Emits an event and waits for its acknowledgement.
    ///
    /// # Errors
    /// The error with which the server answered, by code, message and time to wait.
    ///
    /// # Panics
    /// When the data cannot be encoded, no acknowledgement comes within five seconds, or it is no `T`.
    pub async fn emit_with_ack<T: DeserializeOwned>(&self, event: &str, data: impl IntoPayload) -> Result<T, Error> {
        let (ack, answer) = self.connection.expect_ack();
        self.send(event, data, Some(ack));
        let payload = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(payload)) => payload,
            Ok(Err(_)) => return Err(ErrorCode::ClientNotFound.into()),
            Err(_) => panic!("`{event}` was not acknowledged within {PATIENCE:?}"),
        };
        if let Ok(ErrorAck { error }) = payload.decode() {
            return Err(error.into());
        }
        match payload.decode() {
            Ok(value) => Ok(value),
            Err(error) => panic!("acknowledgement of `{event}` is {}: {error}", payload.arguments()),
        }
    }

    /// The next event. `None` once the connection is closed and everything was read.
    ///
    /// # Panics
    /// When no event arrives within five seconds.
    pub async fn next(&mut self) -> Option<Received> {
        match tokio::time::timeout(PATIENCE, self.incoming.recv()).await {
            Ok(received) => {
                self.connection.was_read();
                received
            }
            Err(_) => panic!("no event within {PATIENCE:?}"),
        }
    }

    /// The data of the next event, which must have this name.
    ///
    /// # Panics
    /// When another event arrives, none within five seconds, or its data is no `T`.
    pub async fn expect<T: DeserializeOwned>(&mut self, event: &str) -> T {
        let Some(received) = self.next().await else { panic!("connection closed before `{event}`") };
        assert_eq!(&*received.name, event, "with {}", received.payload.arguments());
        match received.payload.decode() {
            Ok(value) => value,
            Err(error) => panic!("data of `{event}` is {}: {error}", received.payload.arguments()),
        }
    }

    /// The events that have arrived and were not read yet.
    pub fn drain(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| {
            let received = self.incoming.try_recv().ok();
            self.connection.was_read();
            received
        })
        .collect()
    }

    /// Closes the connection like a client that disconnects.
    pub fn disconnect(&self) {
        self.connection.close(DisconnectReason::ClientDisconnected);
    }

    fn send(&self, event: &str, data: impl IntoPayload, ack: Option<roomwire_core::AckId>) {
        match data.into_payload() {
            Ok(payload) => self.connection.session.receive(Incoming { name: event.into(), payload, ack }),
            Err(error) => panic!("data of `{event}` cannot be encoded: {error}"),
        }
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl From<Told> for Error {
    fn from(told: Told) -> Self {
        let code = ErrorCode::ALL.into_iter().find(|code| code.as_str() == told.code);
        // A test may use any number of custom codes; each name is leaked once.
        let code = code.unwrap_or_else(|| ErrorCode::Application(Box::leak(told.code.into_boxed_str())));
        let error = match told.field {
            Some(field) => {
                let problem = told.message.strip_prefix(&format!("{field}: ")).unwrap_or(&told.message).to_owned();
                Self::invalid_field(field, &problem)
            }
            None => Self::with_message(code, told.message),
        };
        match told.retry_after_ms {
            Some(millis) => error.with_retry_after(Duration::from_millis(millis)),
            None => error,
        }
    }
}
