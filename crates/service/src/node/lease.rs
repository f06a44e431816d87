//! The heartbeat: keeping this node's lease and cleaning up after nodes that lost theirs.

use std::{sync::Arc, time::Duration};

use roomwire_core::{
    ClientKey, Departure, DisconnectReason, Escaped, Incarnation, LeaseStatus, LeaveReason, StateError,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::Node;
use crate::{ServiceEvent, backend::Deadline};

/// The number of memberships that one call of the store cleans up.
const REAP_BATCH: usize = 256;

/// The longest pause before a failed heartbeat is retried, so that a node recovers soon after its store.
const AGAIN: Duration = Duration::from_millis(400);

/// The shortest time between two heartbeats, whatever the number of failed calls that request one.
const AT_LEAST: Duration = Duration::from_millis(250);

/// Runs until the token is cancelled or the node is dropped.
pub(super) fn spawn(node: &Arc<Node>, stop: CancellationToken) {
    let (beat_now, every) = (node.backend.beat_now.clone(), node.started().lease.heartbeat);
    let node = Arc::downgrade(node);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        // A long cleanup after other nodes must not cost this node its own lease.
        let mut upkeep: Option<AbortOnDropHandle<()>> = None;
        loop {
            let began = Instant::now();
            let Some(node) = node.upgrade() else { return };
            node.refusals.flush();
            node.disconnect_idle_clients();
            let status = node.renew().await;
            node.backend.report_lost_messages();
            let next = if status.is_some() { every } else { every.min(AGAIN.mul_f64(rand::random_range(0.6..=1.0))) };
            if let Some(status) = status
                && upkeep.as_ref().is_none_or(AbortOnDropHandle::is_finished)
            {
                upkeep = Some(AbortOnDropHandle::new(tokio::spawn(node.clone().keep_up(status))));
            }
            drop(node);
            let pause = async {
                sleep_until(began + AT_LEAST.min(every)).await;
                beat_now.notified().await;
            };
            // Whichever comes first.
            let _ = timeout_at(began + next, pause).await;
        }
    }));
}

impl Node {
    /// Renews the lease once. Begins a new one if it was lost.
    async fn renew(&self) -> Option<LeaseStatus> {
        let mut healed = false;
        loop {
            let incarnation = self.incarnation.current();
            match self.renew_once(&incarnation).await {
                Ok(status) => {
                    self.metrics.lease_renewed(self.clock.now());
                    self.backend.state_answers();
                    return Some(status);
                }
                Err(StateError::Fenced) if !healed => match self.re_register(&incarnation).await {
                    Ok(()) => {
                        healed = true;
                        self.backend.compare_soon();
                    }
                    Err(error) => {
                        self.backend.state_is_away(&error);
                        return None;
                    }
                },
                Err(error) => {
                    // A lease lost twice in a moment, or not begun again yet, does not mean that the store is down.
                    if !matches!(error, StateError::Fenced) {
                        self.backend.state_is_away(&error);
                    }
                    return None;
                }
            }
        }
    }

    /// Asks the store to extend the lease. If the store reports lost data, all clients are re-registered.
    pub(super) async fn renew_once(&self, incarnation: &Incarnation) -> Result<LeaseStatus, StateError> {
        // A third of the lease: a call that gets no answer leaves time for another one.
        let until = self.backend.deadline().min(Deadline::within(self.started().lease.duration / 3));
        let status = self
            .backend
            .call(until, self.backend.store.renew_lease(incarnation, self.started().lease.duration))
            .await?;
        if status.behind {
            tracing::warn!(target: "roomwire", incarnation = %Escaped(&incarnation), "the store lost writes of this node, re-registering its clients");
            self.backend.state_lost_data();
            self.note_incomplete();
            self.backend.compare_soon();
        }
        Ok(status)
    }

    /// The upkeep after a successful renewal: flushes pending writes and does what the answer asks for.
    async fn keep_up(self: Arc<Self>, status: LeaseStatus) {
        self.keep_revocations().await;
        self.finish_re_registration().await;
        self.retry_pending_writes().await;
        self.metrics.pending_writes.set(self.pending_writes() as f64);
        let incarnation = self.incarnation.current();
        self.note_activity(&incarnation).await;
        for dead in status.expired {
            if let Err(error) = self.reap(&incarnation, &dead).await {
                tracing::debug!(target: "roomwire", dead = %Escaped(&dead), error = %Escaped(&error), "clean-up was interrupted, trying again");
            }
        }
        if !self.is_incomplete() && self.backend.take_comparison_due() {
            self.compare_now.notify_one();
        }
    }

    /// Sends the store the clients that were active since the last heartbeat.
    async fn note_activity(&self, incarnation: &Incarnation) {
        for namespace in self.namespaces() {
            let seen = namespace.take_activity();
            if seen.is_empty() {
                continue;
            }
            if let Err(error) =
                self.backend.call(self.backend.patience(), self.backend.store.touch(incarnation, &seen)).await
            {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "activity could not be noted");
            }
        }
    }

    /// Cleans up after a lost incarnation, as far as no other node does so concurrently, and reports what ended with
    /// it.
    pub(super) async fn reap(&self, incarnation: &Incarnation, dead: &Incarnation) -> Result<(), StateError> {
        loop {
            let outcome = self
                .backend
                .call(self.backend.patience(), self.backend.store.reap(incarnation, dead, REAP_BATCH))
                .await?;
            self.metrics.reaped("membership", outcome.departures.len());
            self.metrics.reaped("client", outcome.clients.len());
            outcome.departures.into_iter().for_each(|departure| self.report_departure(departure));
            for client in outcome.clients {
                self.confirm_left_under(dead, &client).await;
                self.report_lost(client);
            }
            if outcome.finished {
                self.metrics.reaped("node", 1);
                return Ok(());
            }
        }
    }

    pub(super) fn report_departure(&self, Departure { client, room }: Departure) {
        self.events.send(|| ServiceEvent::Left {
            room,
            client: client.client,
            reason: LeaveReason::Disconnected(DisconnectReason::NodeLost),
        });
    }

    pub(super) fn report_lost(&self, client: ClientKey) {
        self.events.send(|| ServiceEvent::ClientDisconnected { client, reason: DisconnectReason::NodeLost });
    }
}
