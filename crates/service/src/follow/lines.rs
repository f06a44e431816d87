//! The lines of events in the log. They have a target of their own, so that a logger can pass them whatever its level:
//! they are written only for what [`set_debug`](crate::WebSocketService::set_debug) names. No line contains a payload.

use std::time::Duration;

use roomwire_core::{Escaped, EventName, OutboundEvent};

use super::{Origin, Recipient, Sending};

/// The target of the lines, which have the level debug.
pub const EVENTS_TARGET: &str = "roomwire::events";

pub(super) fn received(origin: &Origin<'_>, event: Option<&EventName>, outcome: &str, took: Option<Duration>) {
    let user = origin.user.map(|user| tracing::field::display(Escaped(user)));
    tracing::debug!(
        target: EVENTS_TARGET,
        namespace = %Escaped(origin.namespace), client = %Escaped(origin.client), user,
        event = event.map(tracing::field::debug), outcome,
        took = took.map(tracing::field::debug), "event"
    );
}

pub(super) fn sent(message: &Sending<'_>, event: &OutboundEvent, (queued, failed): (usize, usize)) {
    let words = match message.to {
        Recipient::Client => "sent to a client",
        Recipient::Room => "sent to a room",
        Recipient::User => "sent to a user",
        Recipient::All => "sent to all",
    };
    tracing::debug!(
        target: EVENTS_TARGET,
        namespace = %Escaped(message.namespace),
        client = message.client.map(|client| tracing::field::display(Escaped(client))),
        user = message.user.map(|user| tracing::field::display(Escaped(user))),
        room_name = message.room.map(|room| tracing::field::display(Escaped(room))),
        except = message.except.map(|client| tracing::field::display(Escaped(client))),
        event = ?event.name, queued, failed, "{words}"
    );
}

pub(super) fn ack_requested(message: &Sending<'_>, event: &OutboundEvent, outcome: &str, took: Duration) {
    tracing::debug!(
        target: EVENTS_TARGET,
        namespace = %Escaped(message.namespace),
        client = message.client.map(|client| tracing::field::display(Escaped(client))),
        event = ?event.name, outcome, ?took, "sent to a client, with an acknowledgement"
    );
}
