//! Whether a node should get new clients.

use std::{fmt, time::Duration};

use roomwire_core::NodeId;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{Health, node::Node};

/// Whether a node should get new clients, and why not. Returned by
/// [`WebSocketService::readiness`](crate::WebSocketService::readiness).
///
/// As JSON:
///
/// ```json
/// {
///   "ready": false,
///   "reasons": [{"code": "draining", "message": "This node drains: its clients move to other nodes"}],
///   "node": "node-1",
///   "state": {"available": true, "since": "2026-11-23T15:09:00.123Z"},
///   "backplane": {"available": true, "since": "2026-11-23T15:09:00.123Z"}
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether the node should get new clients: there are no reasons against it.
    pub ready: bool,
    /// Why not. Empty when it is ready.
    pub reasons: Vec<NotReady>,
    /// The name of the node.
    pub node: NodeId,
    /// What the node can reach. An outage that is shorter than `health.outageLimit` shows here only.
    #[serde(flatten)]
    pub health: Health,
}

/// Why a node should get no new clients. Serialized as `code` and `message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReady {
    /// It drains or shuts down.
    Draining,
    /// The shared state has been out of reach for longer than the limit.
    StateUnavailable {
        /// For how long.
        outage: Duration,
        /// `health.outageLimit`.
        limit: Duration,
    },
    /// The backplane, and so the other nodes, have been out of reach for longer than the limit.
    BackplaneUnavailable {
        /// For how long.
        outage: Duration,
        /// `health.outageLimit`.
        limit: Duration,
    },
}

impl NotReady {
    /// A word for programs: `draining`, `stateUnavailable` or `backplaneUnavailable`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::StateUnavailable { .. } => "stateUnavailable",
            Self::BackplaneUnavailable { .. } => "backplaneUnavailable",
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, outage, limit) = match self {
            Self::Draining => return f.write_str("This node drains: its clients move to other nodes"),
            Self::StateUnavailable { outage, limit } => ("The shared state has", outage, limit),
            Self::BackplaneUnavailable { outage, limit } => ("The other nodes have", outage, limit),
        };
        let (outage, limit) = (outage.as_secs_f64(), limit.as_secs_f64());
        write!(f, "{what} been out of reach for {outage:.1} s, longer than health.outageLimit ({limit} s)")
    }
}

impl Serialize for NotReady {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = serializer.serialize_struct("NotReady", 2)?;
        reason.serialize_field("code", self.code())?;
        reason.serialize_field("message", &self.to_string())?;
        reason.end()
    }
}

impl Readiness {
    pub(crate) fn of(node: &Node) -> Self {
        let limit = node.config().health.outage_limit;
        let too_long = |outage: Option<Duration>| outage.filter(|outage| !limit.is_zero() && *outage > limit);
        let (state, backplane) = node.backend.outages();
        let reasons = [
            node.lifecycle.is_draining().then_some(NotReady::Draining),
            too_long(state).map(|outage| NotReady::StateUnavailable { outage, limit }),
            too_long(backplane).map(|outage| NotReady::BackplaneUnavailable { outage, limit }),
        ];
        let reasons: Vec<_> = reasons.into_iter().flatten().collect();
        Self { ready: reasons.is_empty(), reasons, node: node.id.clone(), health: node.backend.health() }
    }
}
