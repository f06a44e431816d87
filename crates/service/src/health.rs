//! Health of the backends that a service depends on.

use std::{fmt, time::Duration};

use parking_lot::Mutex;
use roomwire_core::{Clock, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

/// What a node can reach at this moment. Returned by [`WebSocketService::health`](crate::WebSocketService::health).
///
/// As JSON, for the health check of a load balancer:
///
/// ```json
/// {"state": {"available": true, "since": "2026-11-23T15:09:00.123Z"}, "backplane": {"available": true, "since": "…"}}
/// ```
///
/// While something is refused, there is also `refused`: `{"what": "script join", "code": "NOPERM", "reason": "…",
/// "since": "…"}`. For a minute after lost data there is `dataLost`, the time of its detection.
///
/// An unhealthy node still serves its clients: members of a room on this node exchange messages, and can leave and
/// disconnect. It cannot join clients to rooms or reach other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The shared state: whether the last renewal of the node's lease succeeded.
    pub state: Availability,
    /// The backplane: whether messages of other nodes arrive.
    pub backplane: Availability,
    /// What the shared state or the backplane refused within the last minute although it is reachable.
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
/// Contains no name of a key, a room or a client, so an endpoint may expose it. The log has the backend's own words.
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

/// Whether one backend can be reached, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// Whether it can be reached.
    pub available: bool,
    /// Since when, by the service's clock.
    pub since: Timestamp,
}

/// The state of one backend.
pub(crate) struct HealthState(Mutex<(Availability, Instant)>);

impl HealthState {
    /// A backend that can be reached from now on.
    pub(crate) fn available(clock: &dyn Clock) -> Self {
        Self(Mutex::new((Availability { available: true, since: clock.now() }, Instant::now())))
    }

    pub(crate) fn now(&self) -> Availability {
        self.0.lock().0
    }

    /// How long it has been out of reach, if it is. Unlike `since`, this does not depend on the time of day.
    pub(crate) fn outage(&self) -> Option<Duration> {
        let (known, since) = *self.0.lock();
        (!known.available).then(|| since.elapsed())
    }

    /// Records an observation. Returns the previous state if it changed.
    pub(crate) fn note(&self, available: bool, clock: &dyn Clock) -> Option<Availability> {
        let mut known = self.0.lock();
        let next = Availability { available, since: clock.now() };
        (known.0.available != available).then(|| std::mem::replace(&mut *known, (next, Instant::now())).0)
    }
}

impl fmt::Debug for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.now(), f)
    }
}
