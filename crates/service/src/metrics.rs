//! Metrics, through the `metrics` facade: without a recorder they cost next to nothing.

use metrics::{counter, gauge};

pub(crate) fn client_connected() {
    counter!("roomwire_clients_connected_total").increment(1);
    gauge!("roomwire_clients").increment(1);
}

pub(crate) fn client_disconnected(reason: &'static str) {
    counter!("roomwire_clients_disconnected_total", "reason" => reason).increment(1);
    gauge!("roomwire_clients").decrement(1);
}

pub(crate) fn event_handled(outcome: &'static str) {
    counter!("roomwire_events_total", "outcome" => outcome).increment(1);
}

/// An authentication: `OK`, or the error code.
pub(crate) fn authenticated(outcome: &'static str) {
    counter!("roomwire_authentications_total", "outcome" => outcome).increment(1);
}

pub(crate) fn delivered(messages: usize) {
    counter!("roomwire_messages_queued_total").increment(messages as u64);
}

/// A slow consumer was disconnected, whichever limit it exceeded.
pub(crate) fn slow_consumer() {
    counter!("roomwire_slow_consumers_total").increment(1);
}

/// A client was disconnected because its access was revoked.
pub(crate) fn access_revoked() {
    counter!("roomwire_access_revoked_total").increment(1);
}

/// 1 while the shared state is reachable, else 0.
pub(crate) fn state_available(available: bool) {
    gauge!("roomwire_state_available").set(f64::from(u8::from(available)));
}

/// 1 while messages of other nodes arrive, else 0.
pub(crate) fn backplane_available(available: bool) {
    gauge!("roomwire_backplane_available").set(f64::from(u8::from(available)));
}

/// The backend refused something. The label is its code.
pub(crate) fn state_refused(code: &str) {
    counter!("roomwire_state_refused_total", "code" => code.to_owned()).increment(1);
}

pub(crate) fn backplane_gap() {
    counter!("roomwire_backplane_gaps_total").increment(1);
}

/// A difference between a node and its store was repaired.
pub(crate) fn reconciled(what: &'static str, count: usize) {
    counter!("roomwire_reconciled_total", "what" => what).increment(count as u64);
}

pub(crate) fn backplane_ignored() {
    counter!("roomwire_backplane_ignored_total").increment(1);
}

/// The limit that a client exceeded. The label names it: a configuration key, or a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Events,
    Bytes,
    Rooms,
    Metadata,
    Depth,
    EventName,
    RoomName,
    Payload,
    Attachments,
    Mailbox,
    Layer,
}

impl Limit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "eventsPerSecond",
            Self::Bytes => "bytesPerSecond",
            Self::Rooms => "roomsPerClient",
            Self::Metadata => "metadata",
            Self::Depth => "depth",
            Self::EventName => "eventName",
            Self::RoomName => "roomName",
            Self::Payload => "payload",
            Self::Attachments => "attachments",
            Self::Mailbox => "mailbox",
            Self::Layer => "rateLimitLayer",
        }
    }
}

/// Something was rejected or delayed because of a limit.
pub(crate) fn limited(limit: Limit) {
    counter!("roomwire_limited_total", "limit" => limit.as_str()).increment(1);
}
