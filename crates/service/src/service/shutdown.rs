//! Graceful shutdown of a node.

use std::time::Duration;

use futures_util::future::join_all;
use roomwire_core::{Channel, DisconnectReason, Error, ErrorCode, NodeId, NodeMessage};
use tokio::sync::oneshot;

use super::WebSocketService;

/// How often the remaining clients are counted.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl WebSocketService {
    /// Shuts this node down gracefully: rejects new clients and joins, disconnects its clients (their handlers run,
    /// every `Joined` gets its `Left`), ends its lease and the background work. If the store is unavailable, another
    /// node reports that they left, when the lease has expired.
    ///
    /// Waits at most `drain.timeout` for the clients' handlers. Returns the number of clients that had not finished by
    /// then; they are removed nevertheless. The second call returns 0 at once.
    ///
    /// # Cancellation
    /// Dropping the future leaves the rest undone; the lease then expires.
    pub async fn shutdown(&self) -> usize {
        let patience = self.node.config().drain.timeout;
        self.shutdown_within(patience).await
    }

    /// Like [`shutdown`](Self::shutdown), with another limit for the clients' handlers. For authors of servers that have
    /// drained the node before.
    pub async fn shutdown_within(&self, patience: Duration) -> usize {
        let node = &self.node;
        if !node.lifecycle.begin_shutdown() {
            return 0;
        }
        for namespace in node.namespaces() {
            for client in namespace.clients() {
                node.disconnect_local(&namespace, client.id(), DisconnectReason::ServerShutdown);
            }
        }
        let deadline = tokio::time::Instant::now() + patience;
        let mut unfinished = self.remaining();
        while unfinished > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
            unfinished = self.remaining();
        }
        let remain = node.namespaces().into_iter().flat_map(|namespace| {
            let clients = namespace.clients();
            clients.into_iter().map(move |client| (namespace.clone(), client))
        });
        // All at once: a store that hangs costs the wait for one answer, not one for each client.
        let farewells = remain.map(|(namespace, client)| {
            // The progress reports are not read: only the end counts.
            let (says, _) = oneshot::channel();
            node.clone().deregister(namespace, client, DisconnectReason::ServerShutdown, says)
        });
        join_all(farewells).await;
        node.finish_pending_writes().await;
        node.stop();
        node.end_incarnation().await;
        node.backend.backplane.close().await;
        unfinished
    }

    /// Marks this node as not ready for new clients ([`readiness`](Self::readiness)); nothing else changes. For authors
    /// of servers: ask the clients to go, and then call [`shutdown`](Self::shutdown).
    pub fn begin_drain(&self) {
        self.node.lifecycle.begin_drain();
    }

    /// Asks a node of the cluster, which may be this one, to drain: its clients move to other nodes, and it shuts down.
    /// Its process stays. Returns when the request was sent, and before the node has drained.
    ///
    /// The node's server does it, as `RoomwireLayer::drain` of `roomwire-axum-adapter` says. All processes with this
    /// node id drain. A request to a node that drains already changes nothing.
    ///
    /// # Errors
    /// `NODE_NOT_FOUND` if the node is not among [`nodes`](Self::nodes), `STATE_UNAVAILABLE`. This node does not drain then.
    pub async fn drain_node(&self, node: &NodeId) -> Result<(), Error> {
        let here = *node == self.node.id;
        if !here && !self.nodes().await?.iter().any(|summary| summary.node == *node) {
            return Err(ErrorCode::NodeNotFound.into());
        }
        // First the other processes with this node id: after an error, nothing drains.
        self.to_others(Channel::Cluster, || NodeMessage::Drain { node: node.clone() }).await?;
        if here {
            self.node.lifecycle.request_drain();
        }
        Ok(())
    }

    /// Runs `drain` when this node is asked to drain by [`drain_node`](Self::drain_node), from any node. For authors of
    /// servers. It is dropped when the service stops without such a request, and must not hold a handle of the service,
    /// which would keep it running.
    pub fn on_drain_request(&self, drain: impl Future<Output = ()> + Send + 'static) {
        let (requested, stop) = (self.node.lifecycle.drain_requests(), self.node.backend.stop.clone());
        self.node.runtime.spawn(async move {
            if stop.run_until_cancelled(requested.cancelled()).await.is_some() {
                drain.await;
            }
        });
    }

    /// Whether this node drains: its clients move to other nodes before it shuts down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.node.lifecycle.is_draining()
    }

    /// Whether this node rejects new clients because it shuts down.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.node.lifecycle.is_shutting_down()
    }

    /// Sessions that are being admitted, are connected, or still run a handler.
    fn remaining(&self) -> usize {
        let clients: usize = self.node.namespaces().iter().map(|namespace| namespace.client_count()).sum();
        clients.max(self.node.lifecycle.sessions())
    }
}
