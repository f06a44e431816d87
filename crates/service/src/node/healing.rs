//! Putting a node's clients back after its lease was lost.

use std::sync::{Arc, atomic::Ordering};

use roomwire_core::{Incarnation, Printable, StateError};

use super::{Deadline, Node};
use crate::{
    ServiceEvent,
    client::{Client, News},
    task,
};

/// How many clients one call of the store puts back.
const BATCH: usize = 500;

/// How a node came to hold no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Others took it for lost. Whoever cleans up after it reports that its clients left and are gone.
    Reaped,
    /// The store forgot it. Nobody reports anything.
    Forgotten,
}

impl Node {
    /// Takes a lease again and puts every client of this node and its memberships back into the store, as far as
    /// the store lets it: the heartbeat does the rest.
    ///
    /// Several callers may find the same life lost; only the first of them heals.
    ///
    /// # Errors
    /// When it cannot be told how the life was lost.
    pub(crate) async fn heal(&self, lost: &Incarnation) -> Result<Loss, StateError> {
        let mut life = self.life.replace().await;
        if *life != *lost {
            return Ok(Loss::Reaped);
        }
        if self.stop.is_cancelled() {
            // It was given back; another one would be nobody's.
            return Err(StateError::Fenced);
        }
        let loss = self.begin_again(lost).await?;
        match loss {
            Loss::Forgotten => self.restore(&life).await,
            Loss::Reaped => {
                if let Err(error) = self.take_new_life(&mut life).await {
                    tracing::debug!(target: "roomwire", error = %Printable(&error), "no new lease could be taken, trying again");
                }
            }
        }
        Ok(loss)
    }

    /// As [`Self::heal`], for who waits no longer than this; it goes on all the same.
    pub(crate) async fn heal_within(self: &Arc<Self>, until: Deadline, lost: Incarnation) -> Result<Loss, StateError> {
        let node = self.clone();
        self.call(until, task::to_the_end(async move { node.heal(&lost).await })).await
    }

    async fn take_new_life(&self, life: &mut Incarnation) -> Result<(), StateError> {
        let next = Incarnation::begin(self.id.clone());
        self.bounded(self.store.begin_lease(&next, self.config.lease.duration)).await?;
        tracing::warn!(target: "roomwire", lost = %Printable(&life), next = %Printable(&next), "this node was taken for lost, putting clients back");
        self.untell();
        self.life.publish(&next);
        let lost = std::mem::replace(life, next);
        self.lost_lives.lock().push(lost);
        self.restore(life).await;
        Ok(())
    }

    /// Whether the end of what was written under this life, which was found lost, is reported by who cleans up after
    /// it. Heals the node.
    pub(crate) async fn was_reaped(&self, lost: &Incarnation) -> bool {
        matches!(self.heal(lost).await, Ok(Loss::Reaped))
    }

    /// A store that forgot a life lets it begin once more; one that was reaped is over.
    async fn begin_again(&self, lost: &Incarnation) -> Result<Loss, StateError> {
        match self.bounded(self.store.begin_lease(lost, self.config.lease.duration)).await {
            Ok(()) => {
                tracing::warn!(target: "roomwire", life = %Printable(&lost), "the store forgot this node, putting clients back");
                self.events.send(|| ServiceEvent::StateLost);
                Ok(Loss::Forgotten)
            }
            Err(StateError::Fenced) => Ok(Loss::Reaped),
            Err(error) => Err(error),
        }
    }

    /// Gives the lease back, for good: after [`Self::stop`] no other life begins.
    pub(crate) async fn end_life(&self) {
        let life = self.life.replace().await;
        if let Err(error) = self.bounded(self.store.end_lease(&life)).await {
            tracing::warn!(target: "roomwire", error = %Printable(&error), "lease could not be given back; it runs out by itself");
        }
    }

    /// Puts back what an interrupted [`Self::heal`] left out, or what the store has lost since.
    pub(super) async fn finish_healing(&self) {
        if self.is_incomplete() {
            let life = self.life.replace().await;
            self.restore(&life).await;
        }
    }

    /// How often clients were put back all together, or began to be. Does not change for who holds the life.
    pub(crate) fn restorations(&self) -> u64 {
        self.restorations.load(Ordering::SeqCst)
    }

    /// Whether the store may not hold all clients of this node's present life.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete.load(Ordering::Acquire)
    }

    /// Notes that the next heartbeat has clients to put back.
    pub(crate) fn note_incomplete(&self) {
        self.incomplete.store(true, Ordering::Release);
    }

    /// Puts everybody back, or leaves that to the next heartbeat.
    async fn restore(&self, life: &Incarnation) {
        // What was seen of the store before counts no more.
        self.restorations.fetch_add(1, Ordering::SeqCst);
        self.revocations.note_stale();
        // First, so that a client that comes meanwhile is not forgotten.
        self.incomplete.store(false, Ordering::Release);
        match self.restore_all(life).await {
            Ok(()) => {
                if self.restore_failed.swap(false, Ordering::AcqRel) {
                    tracing::info!(target: "roomwire", "clients are put back");
                }
            }
            Err(error) => {
                self.note_incomplete();
                // Once, however often it is tried.
                if !self.restore_failed.swap(true, Ordering::AcqRel) {
                    tracing::warn!(target: "roomwire", error = %Printable(&error), "clients could not be put back, trying again");
                }
            }
        }
    }

    async fn restore_all(&self, life: &Incarnation) -> Result<(), StateError> {
        // What a lost life left is cleaned up first: that every client left is reported before it is back.
        let lost_lives = self.lost_lives.lock().clone();
        for dead in lost_lives {
            self.reap(life, &dead).await?;
            self.lost_lives.lock().retain(|lost| *lost != dead);
        }
        for namespace in self.namespaces() {
            for batch in namespace.clients().chunks(BATCH) {
                self.put_back(life, batch, self.patience()).await?;
            }
        }
        Ok(())
    }

    /// Puts clients back, and reports that they are there again if it was reported that they left.
    ///
    /// Not to be dropped half way: what was noted as told would not have been.
    pub(crate) async fn put_back(
        &self,
        life: &Incarnation,
        clients: &[Client],
        until: Deadline,
    ) -> Result<(), StateError> {
        let (mut alive, mut back) = (Vec::new(), Vec::new());
        for client in clients {
            if let Some((live, news)) = client.revive() {
                alive.push(live);
                back.push((client, news));
            }
        }
        let restored = self.call(until, self.store.restore(life, &alive)).await;
        for (client, news) in back {
            let News { connected, joined } = match &restored {
                Ok(()) => news,
                Err(error) => {
                    let ended = client.not_revived(news);
                    // Under a lost life, the end of what was never restored is not reported either.
                    if matches!(error, StateError::Fenced) { News::default() } else { ended }
                }
            };
            if connected {
                self.events.send(|| ServiceEvent::ClientConnected { client: client.key().clone() });
            }
            for room in joined {
                let room = client.room_key(&room);
                self.events.send(|| ServiceEvent::Joined { room, client: client.id().clone() });
            }
        }
        restored
    }

    /// Notes that the last that listeners hear of every client here is that it left.
    fn untell(&self) {
        for client in self.namespaces().iter().flat_map(|namespace| namespace.clients()) {
            let mut known = client.known();
            known.told = false;
            known.rooms.iter_mut().for_each(|membership| membership.told = false);
        }
    }
}
