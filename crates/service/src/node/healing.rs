//! Putting a node's clients back after its lease was lost.

use std::sync::atomic::Ordering;

use roomwire_core::{Incarnation, LiveClient, StateError};

use super::Node;
use crate::Client;

/// How many clients one call of the store puts back.
const BATCH: usize = 500;

impl Node {
    /// Takes a new life and puts every client of this node and its memberships back into the store.
    ///
    /// Several callers may find the same life lost; only the first of them heals. When the store goes away
    /// half-way, the next heartbeat puts the rest back.
    pub(crate) async fn heal(&self, lost: &Incarnation) -> Result<(), StateError> {
        let mut life = self.life.replace().await;
        if *life != *lost {
            return Ok(());
        }
        if self.stop.is_cancelled() {
            // It was given back; another one would be nobody's.
            return Err(StateError::Fenced);
        }
        let next = Incarnation::begin(self.id.clone());
        tracing::warn!(target: "roomwire", %lost, %next, "lease was lost, putting clients back");
        self.store.begin_lease(&next, self.config.lease.duration).await?;
        self.life.publish(&next);
        *life = next;
        self.restore(&life).await
    }

    /// Gives the lease back, for good: after [`Self::stop`] no other life begins.
    pub(crate) async fn end_life(&self) {
        let life = self.life.replace().await;
        if let Err(error) = self.store.end_lease(&life).await {
            tracing::warn!(target: "roomwire", %error, "lease could not be given back; it runs out by itself");
        }
    }

    /// Puts back what an interrupted [`Self::heal`] left out.
    pub(super) async fn finish_healing(&self) -> Result<(), StateError> {
        if !self.incomplete.load(Ordering::Acquire) {
            return Ok(());
        }
        let life = self.life.replace().await;
        self.restore(&life).await
    }

    async fn restore(&self, life: &Incarnation) -> Result<(), StateError> {
        self.incomplete.store(true, Ordering::Release);
        for namespace in self.namespaces() {
            let alive: Vec<LiveClient> = namespace.clients().iter().filter_map(Client::alive).collect();
            for batch in alive.chunks(BATCH) {
                self.store.restore(life, batch).await?;
            }
        }
        self.incomplete.store(false, Ordering::Release);
        Ok(())
    }
}
