//! Whether what a service depends on can be reached.

use std::fmt;

use parking_lot::Mutex;
use roomwire_core::{Clock, Timestamp};
use serde::Serialize;

/// What a node can reach at this moment. Given by [`WebSocketService::health`](crate::WebSocketService::health).
///
/// As JSON, for an endpoint that a load balancer asks:
///
/// ```json
/// {"state": {"available": true, "since": "2026-11-23T15:09:00.123Z"}, "backplane": {"available": true, "since": "…"}}
/// ```
///
/// While something is refused, `refused` is there too: `{"what": "script join", "code": "NOPERM", "reason": "…",
/// "since": "…"}`. For a minute after lost data, so is `dataLost`, the time when it was noticed.
///
/// A node that is not healthy still serves its clients: those of one room on one node hear each other, and leave and
/// go. What it cannot do is admit them to rooms, and reach other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The shared state: whether the node's lease could be renewed the last time it tried.
    pub state: Availability,
    /// The way to the other nodes: whether their messages come in.
    pub backplane: Availability,
    /// What the shared state or the way to the other nodes refused within the last minute, though it can be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// When the shared state was found to have lost data, if within the last minute. The nodes put back what they
    /// have; for the first seconds clients that want to join a room may be refused with `STATE_UNAVAILABLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_lost: Option<Timestamp>,
}

impl Health {
    /// Whether everything can be reached and nothing is refused. Lost data does not count: it is put back in seconds,
    /// and a load balancer that took all nodes out for them would make it worse.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.state.available && self.backplane.available && self.refused.is_none()
    }
}

/// An operation that a backend refuses: a right is missing, or a key is not as this service wrote it.
///
/// It has no name of a key, a room or a client, so an endpoint may show it. The log has the backend's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The operation, for example `script join` or `SPUBLISH`. Of several, the one that was refused last.
    pub what: String,
    /// The backend's code, for example `NOPERM` or `WRONGTYPE`.
    pub code: String,
    /// What the code means, in words.
    pub reason: String,
    /// Since when, by the service's clock.
    pub since: Timestamp,
}

/// Whether one thing can be reached, and how long that has been so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// Whether it can.
    pub available: bool,
    /// Since when, by the service's clock.
    pub since: Timestamp,
}

/// What is known of one thing that the service depends on.
pub(crate) struct HealthState(Mutex<Availability>);

impl HealthState {
    /// Something that can be reached from now on.
    pub(crate) fn available(clock: &dyn Clock) -> Self {
        Self(Mutex::new(Availability { available: true, since: clock.now() }))
    }

    pub(crate) fn now(&self) -> Availability {
        *self.0.lock()
    }

    /// Notes what was seen. When that is a change: what was before.
    pub(crate) fn note(&self, available: bool, clock: &dyn Clock) -> Option<Availability> {
        let mut known = self.0.lock();
        let next = Availability { available, since: clock.now() };
        (known.available != available).then(|| std::mem::replace(&mut *known, next))
    }
}

impl fmt::Debug for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.now(), f)
    }
}
