//! One event of a client, on its way to its handler.

use std::{fmt, sync::Arc};

use roomwire_core::{AckId, DisconnectReason, EventName, Payload, RoomId};

use super::session::Inner;
use crate::{Client, WebSocketService};

/// An event that a client sent: the input of layers and extractors.
///
/// For `on_connect` the name is `connect` and the payload is the handshake's `auth`; for
/// `on_disconnect` the name is `disconnect` and there is no payload.
#[derive(Clone)]
pub struct Event {
    pub(super) session: Arc<Inner>,
    pub(super) name: EventName,
    pub(super) payload: Payload,
    pub(super) ack: Option<AckId>,
    /// Its sequence number in the client's mailbox; 0 if it did not come through a mailbox.
    pub(super) turn: u64,
    pub(super) departure: Option<(DisconnectReason, Arc<[RoomId]>)>,
}

impl Event {
    /// The handle of the client's namespace.
    #[must_use]
    pub fn service(&self) -> &WebSocketService {
        &self.session.service
    }

    /// The sender.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.session.client
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
        self.ack.is_some()
    }

    /// Whether a handler is registered for its name. Clients choose names, so state per name needs a bound unless this is
    /// true.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.session.routes.handles(&self.name)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("client", self.client())
            .field("name", &self.name)
            .field("payload", &self.payload)
            .field("wants_ack", &self.wants_ack())
            .finish_non_exhaustive()
    }
}
