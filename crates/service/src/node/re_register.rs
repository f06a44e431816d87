//! Re-registration of a node's clients after its lease was lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use roomwire_core::{Escaped, Incarnation, LeaveReason, RestoredDifferently, StateError};
use tokio::time::Instant;

use super::Node;
use crate::{
    ServiceEvent,
    backend::Deadline,
    local::{Client, News, take_out},
    task,
};

/// The number of clients in one call of the store, at most.
const BATCH: usize = 500;

/// The number of memberships in one call of the store: the last client of a call may exceed it. More would not fit in the
/// time limit of a call.
const MEMBERSHIPS: usize = 2000;

/// The progress of re-registrations.
#[derive(Debug, Default)]
pub(super) struct ReRegistration {
    /// The number of re-registrations of all clients, including one in progress.
    count: AtomicU64,
    /// Set while clients of the current incarnation may be missing in the store.
    is_incomplete: AtomicBool,
    /// Whether the last attempt failed, which was logged.
    has_failed: AtomicBool,
    /// Incarnations with a lost lease, until everything that ended with them is reported.
    lost_incarnations: Mutex<Vec<Incarnation>>,
    /// Locked during their cleanup.
    cleaning_up: tokio::sync::Mutex<()>,
}

impl Node {
    /// Begins a lease again and re-registers every client of this node with its memberships, as far as the store
    /// answers. The heartbeat does the rest.
    ///
    /// Several callers may find the same incarnation lost; only the first re-registers.
    ///
    /// # Errors
    /// If the store does not answer whether the lease was lost or reaped.
    pub(crate) async fn re_register(&self, lost: &Incarnation) -> Result<(), StateError> {
        let mut incarnation = self.incarnation.replace().await;
        if *incarnation != *lost {
            return Ok(());
        }
        if self.backend.has_stopped() {
            // The lease was ended for good; a further one would have no owner.
            return Err(StateError::Fenced);
        }
        if self.begin_again(lost).await? {
            self.restore(&incarnation).await;
        } else if let Err(error) = self.take_new_incarnation(&mut incarnation).await {
            tracing::debug!(target: "roomwire", error = %Escaped(&error), "no new lease could be taken, trying again");
        }
        Ok(())
    }

    /// Like [`Self::re_register`], for a caller with a deadline. It continues in the background after the deadline.
    pub(crate) async fn re_register_within(
        self: &Arc<Self>,
        until: Deadline,
        lost: Incarnation,
    ) -> Result<(), StateError> {
        let node = self.clone();
        self.backend.call(until, task::to_the_end(async move { node.re_register(&lost).await })).await
    }

    async fn take_new_incarnation(&self, incarnation: &mut Incarnation) -> Result<(), StateError> {
        let next = incarnation.next();
        self.backend.bounded(self.backend.store.begin_lease(&next, self.started().lease.duration)).await?;
        tracing::warn!(target: "roomwire", lost = %Escaped(&incarnation), next = %Escaped(&next), "this node's lease expired, re-registering its clients");
        self.metrics.leases_lost.increment(1);
        self.mark_unannounced();
        self.incarnation.publish(&next);
        // Also a client that was activated in between.
        self.mark_unannounced();
        let lost = std::mem::replace(incarnation, next);
        self.re_registration.lost_incarnations.lock().push(lost);
        self.restore(incarnation).await;
        Ok(())
    }

    /// Whether the incarnation continues: the store lost it and lets it begin again. A reaped incarnation never does.
    async fn begin_again(&self, lost: &Incarnation) -> Result<bool, StateError> {
        match self.backend.bounded(self.backend.store.begin_lease(lost, self.started().lease.duration)).await {
            Ok(()) => {
                tracing::warn!(target: "roomwire", incarnation = %Escaped(&lost), "the store lost this node's data, re-registering its clients");
                self.backend.state_lost_data();
                Ok(true)
            }
            Err(StateError::Fenced) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends the lease for good: after [`Self::stop`] no further incarnation begins.
    pub(crate) async fn end_incarnation(&self) {
        let incarnation = self.incarnation.replace().await;
        if let Err(error) = self.backend.bounded(self.backend.store.end_lease(&incarnation)).await {
            tracing::warn!(target: "roomwire", error = %Escaped(&error), "lease could not be given back; it runs out by itself");
        }
    }

    /// Re-registers the clients that an interrupted [`Self::re_register`] left out, or that the store has lost since.
    pub(super) async fn finish_re_registration(&self) {
        if self.is_incomplete() {
            let incarnation = self.incarnation.replace().await;
            if !self.backend.has_stopped() {
                self.restore(&incarnation).await;
            }
        }
    }

    /// The number of re-registrations of all clients, including one in progress. Constant while the incarnation is
    /// locked.
    pub(crate) fn restorations(&self) -> u64 {
        self.re_registration.count.load(Ordering::SeqCst)
    }

    /// Whether clients of the current incarnation may be missing in the store.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.re_registration.is_incomplete.load(Ordering::Acquire)
    }

    /// Makes the next heartbeat re-register the clients.
    pub(crate) fn note_incomplete(&self) {
        self.re_registration.is_incomplete.store(true, Ordering::Release);
    }

    /// Re-registers all clients, or leaves that to the next heartbeat.
    async fn restore(&self, incarnation: &Incarnation) {
        // Invalidates earlier reads of the store.
        self.re_registration.count.fetch_add(1, Ordering::SeqCst);
        self.backend.compare_revocations_soon();
        // First, so that a client that connects meanwhile is not left out.
        self.re_registration.is_incomplete.store(false, Ordering::Release);
        match self.restore_all(incarnation).await {
            Ok(()) => {
                if self.re_registration.has_failed.swap(false, Ordering::AcqRel) {
                    tracing::info!(target: "roomwire", "clients are re-registered");
                }
            }
            Err(error) => {
                self.note_incomplete();
                // Logged once, whatever the number of attempts.
                if !self.re_registration.has_failed.swap(true, Ordering::AcqRel) {
                    tracing::warn!(target: "roomwire", error = %Escaped(&error), "clients could not be re-registered, trying again");
                }
            }
        }
    }

    async fn restore_all(&self, incarnation: &Incarnation) -> Result<(), StateError> {
        self.reap_lost_incarnations(incarnation).await?;
        let mut renewed = Instant::now();
        for namespace in self.namespaces() {
            let clients = namespace.clients();
            let mut left = &*clients;
            while !left.is_empty() {
                let (batch, later) = left.split_at(batch_len(left));
                left = later;
                self.put_back(incarnation, batch, self.backend.patience()).await?;
                // The heartbeat may be waiting for this, which may take longer than the lease.
                if renewed.elapsed() >= self.started().lease.heartbeat {
                    renewed = Instant::now();
                    self.renew_once(incarnation).await?;
                }
            }
        }
        Ok(())
    }

    /// Cleans up after the incarnations that this node lost. Call it before one of their clients is registered under
    /// `incarnation`, which ends its memberships without a report.
    async fn reap_lost_incarnations(&self, incarnation: &Incarnation) -> Result<(), StateError> {
        // Another task may have removed something from the store; it is reported when this returns.
        let _cleaning_up = self.re_registration.cleaning_up.lock().await;
        let lost_incarnations = self.re_registration.lost_incarnations.lock().clone();
        for dead in lost_incarnations {
            self.reap(incarnation, &dead).await?;
            self.re_registration.lost_incarnations.lock().retain(|lost| *lost != dead);
        }
        Ok(())
    }

    /// Like [`Self::reap_lost_incarnations`], for a caller with a deadline. It continues in the background after the
    /// deadline.
    pub(crate) async fn reap_lost_incarnations_within(
        self: &Arc<Self>,
        until: Deadline,
        incarnation: &Incarnation,
    ) -> Result<(), StateError> {
        if self.re_registration.lost_incarnations.lock().is_empty() {
            return Ok(());
        }
        let (node, incarnation) = (self.clone(), incarnation.clone());
        self.backend.call(until, task::to_the_end(async move { node.reap_lost_incarnations(&incarnation).await })).await
    }

    /// Re-registers clients, and reports those that were reported to have left.
    ///
    /// Not cancel safe: announcements already marked as sent would be lost.
    pub(crate) async fn put_back(
        &self,
        incarnation: &Incarnation,
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
        let restored = self.backend.call(until, self.backend.store.restore(incarnation, &alive)).await;
        for difference in restored.iter().flatten() {
            if let Some((client, news)) = back.iter_mut().find(|(client, _)| *client.key() == difference.client) {
                self.restored_differently(incarnation, client, news, difference, until).await;
            }
        }
        for (client, news) in back {
            let News { connected, joined } = match &restored {
                Ok(_) => news,
                // An end that is reported needs a begin that was reported.
                Err(_) => {
                    let mut news = client.not_revived(news);
                    // A membership that ended with a deleted room did not begin again.
                    news.joined.retain(|room| self.is_ending(client.key(), &client.room_key(room)));
                    // A membership is reported only if its client is reported as connected.
                    news.connected |= !news.joined.is_empty() && client.mark_announced();
                    news
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
        restored.map(drop)
    }

    /// Applies the store's answer about a membership that it did not restore as given.
    async fn restored_differently(
        &self,
        incarnation: &Incarnation,
        client: &Client,
        news: &mut News,
        RestoredDifferently { room, uid, .. }: &RestoredDifferently,
        until: Deadline,
    ) {
        let began_again = news.joined.iter().position(|joined| *joined == room.room);
        if uid.is_none()
            && let Some(at) = began_again
            && !self.is_ending(client.key(), room)
        {
            // The end was reported with the lost incarnation, and the membership did not begin again. If another end is
            // still to be reported, because the client left meanwhile, the begin is reported too.
            news.joined.swap_remove(at);
        }
        let deleted = {
            let mut known = client.known();
            let Some(membership) = known.rooms.iter_mut().find(|known| known.room == room.room) else { return };
            match uid {
                Some(uid) => {
                    membership.uid = *uid;
                    return;
                }
                None => membership.uid,
            }
        };
        // The message of the deletion is still in flight.
        let namespace = self.namespace(&room.namespace);
        namespace.note_deleted(deleted);
        client.known().leave(&room.room);
        if let Some(local) = take_out(&namespace, client, &room.room) {
            namespace.exit_room(&self.backend, &local, self.backend.deadline()).await;
        }
        if began_again.is_some() {
            return;
        }
        let removed = self
            .backend
            .call(until, self.backend.store.removed_by_others(incarnation, client.key(), &[(room.clone(), deleted)]))
            .await;
        // A deletion reports the members that were in the store.
        if removed.is_ok_and(|removed| removed.rooms.is_empty()) {
            let (room, client, reason) = (room.clone(), client.id().clone(), LeaveReason::RoomDeleted);
            self.events.send(|| ServiceEvent::Left { room, client, reason });
        }
    }

    /// Marks all local clients and memberships as reported to have left.
    fn mark_unannounced(&self) {
        for client in self.namespaces().iter().flat_map(|namespace| namespace.clients()) {
            let mut known = client.known();
            known.told = false;
            known.rooms.iter_mut().for_each(|membership| membership.told = false);
        }
    }
}

/// The number of these clients that one call of the store re-registers: at least one.
fn batch_len(clients: &[Client]) -> usize {
    let mut memberships = 0;
    let fits = clients.iter().take(BATCH).take_while(|client| {
        let is_full = memberships >= MEMBERSHIPS;
        memberships += client.known().rooms.len();
        !is_full
    });
    fits.count()
}
