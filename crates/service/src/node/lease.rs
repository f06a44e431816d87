//! The heartbeat: keeping this node's lease and cleaning up after nodes that lost theirs.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use roomwire_core::{ClientKey, Departure, DisconnectReason, Incarnation, LeaseStatus, LeaveReason, StateError};
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::Node;
use crate::{Client, ServiceEvent};

/// How many memberships one call of the store cleans up.
const REAP_BATCH: usize = 256;

/// Runs until the token is cancelled or the node is gone.
pub(super) fn spawn(node: Weak<Node>, every: Duration, stop: CancellationToken) {
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut beat = tokio::time::interval(every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let Some(node) = node.upgrade() else { return };
            let Some(status) = node.renew().await else { continue };
            let mut upkeep = AbortOnDropHandle::new(tokio::spawn(node.clone().keep_up(status)));
            // However long it takes to clean up after others, it does not cost this node its own lease.
            loop {
                tokio::select! {
                    biased;
                    _ = &mut upkeep => break,
                    _ = beat.tick() => drop(node.renew().await),
                }
            }
        }
    }));
}

impl Node {
    /// Renews the lease once; takes it again when it was lost.
    async fn renew(&self) -> Option<LeaseStatus> {
        let life = self.life.current();
        match self.bounded(self.store.renew_lease(&life, self.config.lease.duration)).await {
            Ok(status) => return Some(status),
            Err(StateError::Fenced) => {
                if let Err(error) = self.heal(&life).await {
                    tracing::warn!(target: "roomwire", %error, "lease was lost and could not be taken again, trying again");
                }
            }
            Err(error) => {
                tracing::warn!(target: "roomwire", %error, "lease could not be renewed, trying again");
            }
        }
        None
    }

    /// Does what there is to do while the store answers: what it was not told, and what the lease's answer asks for.
    async fn keep_up(self: Arc<Self>, status: LeaseStatus) {
        if let Err(error) = self.finish_healing().await {
            tracing::warn!(target: "roomwire", %error, "clients could not be put back, trying again");
        }
        self.settle().await;
        let life = self.life.current();
        self.note_activity(&life).await;
        for dead in status.expired {
            if let Err(error) = self.reap(&life, &dead).await {
                tracing::warn!(target: "roomwire", %dead, %error, "clean-up was interrupted, trying again");
            }
        }
    }

    /// Tells the store which clients did something since the last heartbeat.
    async fn note_activity(&self, life: &Incarnation) {
        for namespace in self.namespaces() {
            let seen: Vec<_> = namespace.clients().iter().filter_map(Client::take_activity).collect();
            if seen.is_empty() {
                continue;
            }
            if let Err(error) = self.call(self.patience(), self.store.touch(life, &seen)).await {
                tracing::debug!(target: "roomwire", %error, "activity could not be noted");
            }
        }
    }

    /// Cleans up after a lost life, as far as others do not do it at the same time, and reports what ended with it.
    pub(super) async fn reap(&self, life: &Incarnation, dead: &Incarnation) -> Result<(), StateError> {
        loop {
            let outcome = self.call(self.patience(), self.store.reap(life, dead, REAP_BATCH)).await?;
            outcome.departures.into_iter().for_each(|departure| self.report_departure(departure));
            outcome.clients.into_iter().for_each(|client| self.report_lost(client));
            if outcome.finished {
                return Ok(());
            }
        }
    }

    fn report_departure(&self, Departure { client, room }: Departure) {
        self.events.send(|| ServiceEvent::Left {
            room,
            client: client.client,
            reason: LeaveReason::Disconnected(DisconnectReason::NodeLost),
        });
    }

    fn report_lost(&self, client: ClientKey) {
        self.events.send(|| ServiceEvent::ClientDisconnected { client, reason: DisconnectReason::NodeLost });
    }
}
