//! What a client is told of its events.

use std::time::Instant;

use roomwire_core::{AckId, Error, ErrorCode, EventName, OutboundEvent, Payload, Printable};
use serde::Serialize;

use super::{Event, session::Inner};
use crate::{Client, instruments};

impl Inner {
    /// An event that waited was replaced by a newer one.
    pub(super) fn superseded(&self, event: &Event) {
        let error = Error::new(ErrorCode::Superseded);
        instruments::event_handled(error.code().as_str());
        if event.ack.is_some() {
            self.answer(event.ack, Err(error));
        }
    }

    /// An event was handled.
    pub(super) fn handled(&self, began: Instant, name: &EventName, ack: Option<AckId>, reply: Result<Payload, Error>) {
        let outcome = reply.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK");
        instruments::event_handled(outcome);
        tracing::debug!(
            target: "roomwire", client = %Printable(self.client.id()), event = ?name, outcome, took = ?began.elapsed(), "event"
        );
        self.answer(ack, reply);
    }

    /// Tells the client what became of its event.
    pub(super) fn answer(&self, ack: Option<AckId>, reply: Result<Payload, Error>) {
        let service = &self.service;
        let payload = match (reply, ack) {
            (Ok(payload), Some(_)) => payload,
            (Ok(_), None) => return,
            (Err(error), ack) => {
                log_internal(&self.client, &error);
                match self.told(&error, ack.is_some()) {
                    Ok(payload) => payload,
                    // Codes and messages are plain text: they can always be written.
                    Err(_) => return,
                }
            }
        };
        match ack {
            Some(ack) => service.node.acknowledge(&service.namespace, self.client.key(), ack, &payload),
            None => {
                let event = OutboundEvent::new(EventName::ERROR, payload);
                // A client that is gone need not be told.
                let _ = service.node.deliver_to_client(&service.namespace, self.client.id(), &event);
            }
        }
    }

    fn told(&self, error: &Error, in_ack: bool) -> Result<Payload, Error> {
        #[derive(Serialize)]
        struct Answer<'a> {
            error: &'a Error,
        }
        if in_ack { Payload::encode(&Answer { error }) } else { Payload::encode(error) }
    }
}

/// Failures of the server itself are logged; what a client did wrong is its own affair.
pub(super) fn log_internal(client: &Client, error: &Error) {
    if error.code() == ErrorCode::Internal {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "roomwire", client = %Printable(client.id()), error = %Printable(error), source = %Printable(source), "a handler failed");
    }
}
