//! Whether what a service depends on can be reached.

use std::fmt;

use parking_lot::Mutex;
use roomwire_core::{Clock, Timestamp};
use serde::Serialize;

/// What a node can reach at this moment. Given by [`WebSocketService::health`](crate::WebSocketService::health).
///
/// Written as JSON for an endpoint that is asked by whoever balances the load:
///
/// ```json
/// {"state": {"available": true, "since": "2026-11-23T15:09:00.123Z"}, "backplane": {"available": true, "since": "…"}}
/// ```
///
/// A node that is not healthy still serves its clients: those of one room on one node hear each other, and leave and
/// go. What it cannot do is admit them to rooms, and reach other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The shared state: whether the node's lease could be renewed the last time it tried.
    pub state: Availability,
    /// The way to the other nodes: whether their messages come in.
    pub backplane: Availability,
}

impl Health {
    /// Whether everything can be reached.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.state.available && self.backplane.available
    }
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
pub(crate) struct Watched(Mutex<Availability>);

impl Watched {
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

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.now(), f)
    }
}
