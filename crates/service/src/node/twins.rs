//! Other processes with the same node id as this process.

use std::time::Duration;

use parking_lot::Mutex;
use roomwire_core::{Channel, Escaped, Incarnation, NodeMessage};
use tokio::time::Instant;

use super::Node;

/// The shortest time between two warnings.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// When the last warning about another process with this node id was logged.
#[derive(Debug, Default)]
pub(super) struct Twins(Mutex<Option<Instant>>);

impl Twins {
    /// Handles a message of another process with this node's id: logs a warning, at most once a minute.
    pub(super) fn note(&self, own: &Incarnation, other: &Incarnation) {
        let mut warned = self.0.lock();
        if warned.is_some_and(|last| last.elapsed() < WARN_AGAIN) {
            return;
        }
        *warned = Some(Instant::now());
        tracing::warn!(
            target: "roomwire",
            own = %Escaped(own),
            other = %Escaped(other),
            "two processes run with the same nodeId: both work and no message is lost, but lists of nodes and clients \
             cannot tell them apart; give each process a nodeId of its own, or none (nodeId, ROOMWIRE_NODE_ID)"
        );
    }
}

impl Node {
    /// Announces the start of this process, so that another one with the same node id logs a warning.
    pub(super) async fn announce(&self) {
        if !self.backend.backplane.may_reach_others(&Channel::Cluster) {
            return;
        }
        let Ok(message) = self.envelope(NodeMessage::Began) else { return };
        if let Err(error) = self.backend.bounded(self.backend.backplane.publish(&Channel::Cluster, message)).await {
            // The first message makes the other process log its warning.
            tracing::debug!(target: "roomwire", error = %Escaped(&error), "the start could not be announced");
        }
    }
}
