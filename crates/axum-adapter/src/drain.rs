//! Draining: the clients of this node move to others before it stops.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::RoomwireLayer;

impl RoomwireLayer {
    /// Drains this node and shuts it down, within `drain.timeout`:
    ///
    /// 1. The node is not ready any more ([`health_routes`](crate::health_routes)), and serves as before for
    ///    `drain.delay`, so that the load balancer notices.
    /// 2. New sessions are refused with 503 and `Retry-After`.
    /// 3. Clients are asked to go, spread over `drain.spread`, or all at once if there is no other node. The events that a
    ///    client has sent are handled and acknowledged, it leaves its rooms, it gets what is queued for it, and its
    ///    transport is closed. Official clients reconnect by themselves. The other clients are served meanwhile.
    /// 4. What remains, such as clients that do not read, is closed; the service is shut down
    ///    ([`WebSocketService::shutdown`](roomwire_service::WebSocketService::shutdown)).
    ///
    /// Keep the listener open until this returns: clients over HTTP long-polling need it. If the store does not answer
    /// at the end, this takes up to three times `state.timeout` longer. Further calls wait for the first.
    ///
    /// A node drains too when [`WebSocketService::drain_node`](roomwire_service::WebSocketService::drain_node) asks for
    /// it, on any node. Its process stays until it is stopped.
    ///
    /// # Cancellation
    /// Dropping the future leaves the node as it is then: not ready, and perhaps refusing sessions. The next call begins
    /// again. The last step goes on by itself.
    pub async fn drain(&self) {
        let deadline = self.ask_clients_to_go().await;
        self.finish(deadline).await;
    }

    /// The steps before the last one. Returns when the whole must be over.
    pub(crate) async fn ask_clients_to_go(&self) -> Instant {
        let mounted = self.mounted();
        let drained = mounted.drain.asked.get_or_init(|| async {
            let keys = mounted.service.config().drain.clone();
            let deadline = Instant::now() + keys.timeout;
            mounted.service.begin_drain();
            let clients = mounted.service.local_client_count();
            tracing::info!(target: "roomwire", clients, delay = ?keys.delay, "draining");
            let delay = keys.delay.min(keys.timeout);
            sleep(delay).await;
            mounted.drain.refuse_sessions();
            if let Some(running) = &mounted.running {
                // Without another node, clients come back when this one has restarted: the sooner all go, the shorter they
                // are away.
                let is_alone = mounted.service.nodes().await.is_ok_and(|nodes| nodes.len() < 2);
                // The last quarter is for the last clients, and half of that for the service.
                let spread =
                    if is_alone { Duration::ZERO } else { keys.spread.min((keys.timeout - delay).mul_f64(0.75)) };
                tracing::info!(target: "roomwire", ?spread, other_nodes = !is_alone, "clients are asked to go");
                let late = running.sessions.drain(spread, deadline - keys.timeout / 8).await;
                if late > 0 {
                    tracing::warn!(
                        target: "roomwire", sessions = late, key = "drain.timeout",
                        "some clients were cut off: their handlers did not return, or they did not read"
                    );
                }
            }
            deadline
        });
        *drained.await
    }

    /// Shuts the service down and closes what remains, once: further calls wait for the first. It goes on if its caller
    /// stops waiting.
    pub(crate) async fn finish(&self, deadline: Instant) {
        let drain = &self.mounted().drain;
        if drain.begin_finish() {
            let (layer, finished) = (self.clone(), drain.finished.clone().drop_guard());
            tokio::spawn(async move {
                layer.close_all(deadline).await;
                drop(finished);
            });
        }
        drain.finished.cancelled().await;
    }

    async fn close_all(&self, deadline: Instant) {
        let mounted = self.mounted();
        let left = || deadline.saturating_duration_since(Instant::now());
        let unfinished = mounted.service.shutdown_within(left().mul_f64(0.75)).await;
        if unfinished > 0 {
            tracing::warn!(target: "roomwire", clients = unfinished, "handlers were still running at the end");
        }
        if let Some(running) = &mounted.running
            && running.sessions.close_all(left()).await > 0
        {
            tracing::warn!(target: "roomwire", "some connections could not be closed in time");
        }
    }
}
