//! One event of a client, on its way to its handler.

use std::sync::Arc;

use roomwire_core::{DisconnectReason, EventName, Payload, RoomId};

use super::route::Routes;
use crate::{Client, WebSocketService};

/// An event that a client sent: what layers see and handlers extract from.
///
/// For `on_connect` the name is `connect` and the payload what the client sent with its handshake; for
/// `on_disconnect` the name is `disconnect` and there is no payload.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) service: WebSocketService,
    pub(super) client: Client,
    pub(super) name: EventName,
    pub(super) payload: Payload,
    pub(super) wants_ack: bool,
    pub(super) departure: Option<(DisconnectReason, Arc<[RoomId]>)>,
    pub(super) routes: Arc<Routes>,
}

impl Event {
    /// The handle of the client's namespace.
    #[must_use]
    pub fn service(&self) -> &WebSocketService {
        &self.service
    }

    /// Who sent it.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &EventName {
        &self.name
    }

    /// Its arguments.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Whether the client waits for an acknowledgement.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.wants_ack
    }
}
