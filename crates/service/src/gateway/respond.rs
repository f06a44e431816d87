//! Responses to a client's events.

use std::time::{Duration, Instant};

use bytestring::ByteString;
use roomwire_core::{AckId, Error, ErrorCode, Escaped, EventName, OutboundEvent, Payload};
use serde::Serialize;

use super::{Event, session::Inner};
use crate::{Client, follow::Origin, limits};

/// How to send the outcome of an event to its client.
#[derive(Clone, Debug)]
pub(super) enum ReplyTo {
    /// By the acknowledgement that the client asked for.
    Acknowledgement(AckId),
    /// Only on failure: by the event `error`, which contains the event's name if it is known.
    ErrorEvent { about: Option<ByteString> },
}

impl ReplyTo {
    /// For an event with this name, if it is known. A long name is truncated.
    pub(super) fn new(name: Option<&str>, ack: Option<AckId>) -> Self {
        ack.map_or_else(|| Self::ErrorEvent { about: name.map(short) }, Self::Acknowledgement)
    }
}

/// A name without the end of one that is too long. A copy: a slice would keep the whole message in memory.
pub(super) fn short(name: &str) -> ByteString {
    name[..name.floor_char_boundary(EventName::MAX_BYTES)].into()
}

/// An event whose handler has returned.
pub(super) struct Handled {
    pub(super) began: Instant,
    pub(super) name: EventName,
    pub(super) ack: Option<AckId>,
    /// Its arguments, if it is observed.
    pub(super) observed: Option<Payload>,
}

impl Inner {
    /// A deferred event was replaced by a newer one.
    pub(super) fn superseded(&self, event: &Event) {
        let error = Error::new(ErrorCode::Superseded);
        self.service.node.metrics.event_handled(Some(error.code()));
        if self.service.node.followers.is_active() {
            self.observed(Some(&event.name), Some(&event.payload), error.code().as_str(), None);
        }
        if let Some(ack) = event.ack {
            self.answer(&ReplyTo::Acknowledgement(ack), Err(error));
        }
    }

    /// An event was handled. Returns its outcome: `OK`, or the code of the error.
    pub(super) fn handled(&self, event: Handled, reply: Result<Payload, Error>) -> &'static str {
        let Handled { began, name, ack, observed } = event;
        let reply = reply.and_then(|payload| self.check_answer(payload));
        let (failed, took) = (reply.as_ref().err().map(Error::code), began.elapsed());
        let metrics = &self.service.node.metrics;
        metrics.event_handled(failed);
        metrics.event_took(took);
        let outcome = failed.map_or("OK", ErrorCode::as_str);
        if let Some(payload) = observed {
            self.observed(Some(&name), Some(&payload), outcome, Some(took));
        }
        if ack.is_some() || reply.is_err() {
            self.answer(&ReplyTo::new(Some(name.as_str()), ack), reply);
        }
        outcome
    }

    /// An event failed before its handler was called.
    pub(super) fn rejected(&self, to: &ReplyTo, error: Error, name: Option<ByteString>, payload: Option<&Payload>) {
        self.service.node.metrics.event_handled(Some(error.code()));
        if self.service.node.followers.is_active() {
            let name = name.and_then(|name| EventName::new(name).ok());
            self.observed(name.as_ref(), payload, error.code().as_str(), None);
        }
        self.answer(to, Err(error));
    }

    /// Shows an event of this client to followers and in the log.
    fn observed(
        &self,
        name: Option<&EventName>,
        payload: Option<&Payload>,
        outcome: &'static str,
        took: Option<Duration>,
    ) {
        // Followers do not get credentials.
        let payload = payload.filter(|_| !name.is_some_and(|name| self.renews_identity(name)));
        let client = &self.client;
        let origin = Origin {
            namespace: client.namespace(),
            client: client.id(),
            user: client.user(),
            is_in: &|room| client.is_in(room),
        };
        self.service.node.followers.received(&origin, name, payload, outcome, took);
    }

    /// Sends the outcome of an event to its client.
    pub(super) fn answer(&self, to: &ReplyTo, reply: Result<Payload, Error>) {
        let service = &self.service;
        if let Err(error) = &reply {
            log_internal(&self.client, error);
        }
        let payload = match (reply, to) {
            (Ok(payload), ReplyTo::Acknowledgement(_)) => Ok(payload),
            (Ok(_), ReplyTo::ErrorEvent { .. }) => return,
            (Err(error), ReplyTo::Acknowledgement(_)) => Payload::encode(&FailedAnswer { error: &error }),
            (Err(error), ReplyTo::ErrorEvent { about }) => {
                Payload::encode(&ErrorEvent { error: &error, event: about.as_deref() })
            }
        };
        // Codes, messages and names are plain text and can always be encoded.
        let Ok(payload) = payload else { return };
        match to {
            ReplyTo::Acknowledgement(ack) => {
                service.node.acknowledge(&self.client, *ack, &payload);
            }
            ReplyTo::ErrorEvent { .. } => {
                let event = OutboundEvent::new(EventName::ERROR, payload);
                // A client that has disconnected gets no response.
                let _ = service.node.deliver_to_client(&self.client, &event);
            }
        }
    }

    /// A response that the client can decode.
    fn check_answer(&self, payload: Payload) -> Result<Payload, Error> {
        limits::attachments(&self.service.node.config().limits, &payload)
            .inspect_err(|_| self.service.node.refusals.attachments_of_answer(&self.client))?;
        Ok(payload)
    }
}

/// The acknowledgement of an event that failed.
#[derive(Serialize)]
struct FailedAnswer<'a> {
    error: &'a Error,
}

/// The `error` event.
#[derive(Serialize)]
struct ErrorEvent<'a> {
    #[serde(flatten)]
    error: &'a Error,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
}

/// Failures of the server are logged; mistakes of a client are not.
pub(super) fn log_internal(client: &Client, error: &Error) {
    if error.code() == ErrorCode::Internal {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "roomwire", client = %Escaped(client.id()), error = %Escaped(error), source = %Escaped(source), "a handler failed");
    }
}
