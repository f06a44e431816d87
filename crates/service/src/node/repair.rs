//! Repair of differences between this node and the store, in both directions, one client at a time.
//!
//! Repairs emit no service events: local clients never left, and the end of all others was reported when it happened.

use std::sync::Arc;

use roomwire_core::{ClientKey, Incarnation, RoomKey, StateError};
use tokio::{sync::RwLockReadGuard, time::Instant};

use super::{
    Node,
    reconcile::{ClientSnapshot, Differences, StoredEntries, View},
};
use crate::{
    local::{Client, Membership, take_out},
    metrics::Metrics,
};

/// The number of clients that are re-registered at once. Their memberships are locked meanwhile.
const BATCH: usize = 100;

/// Counts of repairs.
#[derive(Debug, Default)]
struct Repaired {
    /// Clients restored to the store.
    clients_restored: usize,
    /// Memberships restored to the store.
    memberships_restored: usize,
    /// Clients removed from the store.
    clients_removed: usize,
    /// Memberships removed from the store.
    memberships_removed: usize,
    /// Memberships removed from this node because their room was deleted during a gap of the backplane.
    memberships_forgotten: usize,
    /// Clients with an incomplete or unreadable record in the store, written again.
    clients_rewritten: usize,
    /// Clients that were not repaired because they were busy.
    busy: usize,
}

impl Node {
    /// Repairs the differences. Returns false if some are left, because a client was busy or changed meanwhile.
    ///
    /// # Errors
    /// If the store does not answer, or the lease is lost.
    pub(super) async fn repair(self: &Arc<Self>, view: &View, found: Differences) -> Result<bool, StateError> {
        let mut repaired = Repaired::default();
        let outcome = self.repair_all(view, found, &mut repaired).await;
        repaired.tell(&self.metrics);
        self.warn_of_damage(repaired.clients_rewritten);
        Ok(outcome? && repaired.busy == 0)
    }

    fn warn_of_damage(&self, clients: usize) {
        if clients > 0 && self.damage_log.lock().count(Instant::now().into_std()).is_some() {
            tracing::warn!(
                target: "roomwire", clients,
                "the store had lost or changed a part of the records of this node's clients, and has them again; keep other \
                 programs away from the keys of this service (state.prefix)"
            );
        }
    }

    async fn repair_all(
        self: &Arc<Self>,
        view: &View,
        found: Differences,
        repaired: &mut Repaired,
    ) -> Result<bool, StateError> {
        for (snapshot, rooms) in &found.extra {
            let Some(incarnation) = self.lock_current(view).await else { return Ok(false) };
            let Some(_turn) = snapshot.lock_unchanged() else {
                repaired.busy += 1;
                continue;
            };
            repaired.memberships_removed += self.leave_all(&incarnation, snapshot.client.key(), rooms).await?;
        }
        for (client, stored) in &found.strangers {
            let Some(incarnation) = self.lock_current(view).await else { return Ok(false) };
            self.remove_stranger(&incarnation, client, stored, repaired).await?;
        }
        for damaged in found.damaged.chunks(BATCH) {
            let damaged = Vec::from_iter(damaged);
            let Some(incarnation) = self.lock_current(view).await else { return Ok(false) };
            repaired.clients_rewritten += self.restore_clients(&incarnation, &damaged, repaired).await?.len();
        }
        if found.lost.is_empty() && found.missing.is_empty() {
            return Ok(true);
        }
        // A store that lost everything reports that when the lease is renewed. Then no client was removed, and the
        // heartbeat re-registers all of them.
        if self.renew_once(&view.incarnation).await?.behind {
            self.backend.beat_now.notify_one();
            return Ok(false);
        }
        for lost in found.lost.chunks(BATCH) {
            let lost = self.still_here(lost).await?;
            let Some(incarnation) = self.lock_current(view).await else { return Ok(false) };
            let restored = self.restore_clients(&incarnation, &lost, repaired).await?;
            repaired.clients_restored += restored.len();
            repaired.memberships_restored += restored.iter().map(|client| client.known().rooms.len()).sum::<usize>();
        }
        for (snapshot, missing) in &found.missing {
            // Memberships of deleted rooms are distinguished from those that the store lost.
            snapshot.namespace.deletions_reported().await;
            let Some(incarnation) = self.lock_current(view).await else { return Ok(false) };
            self.repair_missing(view, &incarnation, snapshot, missing, repaired).await?;
        }
        Ok(true)
    }

    /// The incarnation, unless the view is outdated.
    ///
    /// Lock order here is incarnation, then membership (reversed elsewhere). The membership is only `try_lock`ed, so
    /// this cannot deadlock.
    async fn lock_current(&self, view: &View) -> Option<RwLockReadGuard<'_, Incarnation>> {
        let incarnation = self.incarnation.lock().await;
        self.is_current(view, &incarnation).then_some(incarnation)
    }

    async fn leave_all(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[RoomKey],
    ) -> Result<usize, StateError> {
        let mut left = 0;
        for room in rooms {
            left += usize::from(self.backend.bounded(self.backend.store.leave(incarnation, client, room)).await?);
        }
        Ok(left)
    }

    /// Removes a client from the store that is neither connected here nor connecting or disconnecting.
    async fn remove_stranger(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        stored: &StoredEntries,
        repaired: &mut Repaired,
    ) -> Result<(), StateError> {
        let namespace = self.namespace(&client.namespace);
        let Some(_claim) = namespace.client_ids.claim_absent(&client.client) else { return Ok(()) };
        if stored.registered {
            // It may have been deregistered since the store was read.
            let registered_by = self.backend.bounded(self.backend.store.locate(client)).await?;
            if !registered_by.is_some_and(|incarnation| incarnation.is_of(&self.process)) {
                return Ok(());
            }
            let rooms = self.backend.bounded(self.backend.store.disconnect(incarnation, client)).await?;
            repaired.clients_removed += 1;
            repaired.memberships_removed += rooms.len();
        } else {
            // Only its entry in the list of clients may be left.
            self.backend.bounded(self.backend.store.disconnect(incarnation, client)).await?;
            let rooms = Vec::from_iter(stored.rooms.iter().cloned());
            repaired.memberships_removed += self.leave_all(incarnation, client, &rooms).await?;
        }
        Ok(())
    }

    /// The clients that are not connected to another process in the meantime.
    async fn still_here<'a>(&self, lost: &'a [ClientSnapshot]) -> Result<Vec<&'a ClientSnapshot>, StateError> {
        let mut here = Vec::new();
        for snapshot in lost {
            let registered_by = self.backend.bounded(self.backend.store.locate(snapshot.client.key())).await?;
            if registered_by.is_none_or(|incarnation| incarnation.is_of(&self.process)) {
                here.push(snapshot);
            }
        }
        Ok(here)
    }

    async fn restore_clients(
        &self,
        incarnation: &Incarnation,
        lost: &[&ClientSnapshot],
        repaired: &mut Repaired,
    ) -> Result<Vec<Client>, StateError> {
        let kept = Vec::from_iter(
            lost.iter().filter_map(|snapshot| Some((snapshot.lock_unchanged()?, snapshot.client.clone()))),
        );
        let clients = Vec::from_iter(kept.iter().map(|(_, client)| client.clone()));
        repaired.busy += lost.len() - clients.len();
        self.put_back(incarnation, &clients, self.backend.deadline()).await?;
        Ok(clients)
    }

    async fn repair_missing(
        self: &Arc<Self>,
        view: &View,
        incarnation: &Incarnation,
        snapshot: &ClientSnapshot,
        missing: &[Membership],
        repaired: &mut Repaired,
    ) -> Result<(), StateError> {
        let ClientSnapshot { namespace, client, .. } = snapshot;
        // Only a node with a working backplane can know why they are missing.
        let Some(gaps) = view.gaps.filter(|_| self.backend.health().backplane.available) else { return Ok(()) };
        let Some(mut turn) = snapshot.lock_unchanged() else {
            repaired.busy += 1;
            return Ok(());
        };
        *turn += 1;
        let is_deleted = |membership: &&Membership| membership.gaps < gaps || namespace.was_deleted(membership.uid);
        let (deleted, lost): (Vec<_>, Vec<_>) = missing.iter().partition(is_deleted);
        for membership in &deleted {
            self.forget(snapshot, membership).await;
        }
        repaired.memberships_forgotten += deleted.len();
        if !lost.is_empty() {
            self.put_back(incarnation, std::slice::from_ref(client), self.backend.deadline()).await?;
            repaired.memberships_restored += lost.len();
        }
        Ok(())
    }

    /// Removes a client from a deleted room, in memory. The node that deleted the room reported that it left.
    async fn forget(&self, ClientSnapshot { namespace, client, .. }: &ClientSnapshot, membership: &Membership) {
        client.known().leave(&membership.room);
        if let Some(local) = take_out(namespace, client, &membership.room) {
            namespace.exit_room(&self.backend, &local, self.backend.deadline()).await;
        }
    }
}

impl Repaired {
    fn tell(&self, metrics: &Metrics) {
        let Self {
            clients_restored,
            memberships_restored,
            clients_removed,
            memberships_removed,
            memberships_forgotten,
            clients_rewritten,
            busy: _,
        } = *self;
        let all = [
            ("client restored", clients_restored),
            ("membership restored", memberships_restored),
            ("client removed", clients_removed),
            ("membership removed", memberships_removed),
            ("membership forgotten", memberships_forgotten),
            ("client rewritten", clients_rewritten),
        ];
        for (what, count) in all.into_iter().filter(|(_, count)| *count > 0) {
            metrics.reconciled(what, count);
        }
        if all.iter().any(|(_, count)| *count > 0) {
            tracing::debug!(
                target: "roomwire",
                clients_restored,
                memberships_restored,
                clients_removed,
                memberships_removed,
                memberships_forgotten,
                clients_rewritten,
                "this node and the store differed"
            );
        }
    }
}
