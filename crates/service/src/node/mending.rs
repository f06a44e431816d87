//! Mending what this node and the store differ in, both ways, a client at a time and in nobody's way.
//!
//! Nothing here is reported: whoever is here never went, and whoever is not here was reported when it went.

use std::sync::Arc;

use roomwire_core::{ClientKey, Incarnation, RoomKey, StateError};
use tokio::sync::RwLockReadGuard;

use super::{
    Node,
    reconcile::{Differences, Held, Settled, View},
};
use crate::{client::Membership, instruments, membership::take_out};

/// How many clients are put back at once. They can do nothing else meanwhile.
const BATCH: usize = 100;

/// What was mended.
#[derive(Debug, Default)]
struct Mended {
    /// Put back into the store.
    clients_restored: usize,
    /// Put back into the store.
    memberships_restored: usize,
    /// Taken out of the store.
    clients_removed: usize,
    /// Taken out of the store.
    memberships_removed: usize,
    /// Forgotten here, because their room was deleted while this node could not hear of it.
    memberships_forgotten: usize,
    /// Clients with something to mend that were busy.
    busy: usize,
}

impl Node {
    /// Mends what was found; false when something of it is left, because it was busy or changed meanwhile.
    ///
    /// # Errors
    /// When the store does not answer, or the lease is lost.
    pub(super) async fn mend(self: &Arc<Self>, view: &View, found: Differences) -> Result<bool, StateError> {
        let mut mended = Mended::default();
        let outcome = self.mend_all(view, found, &mut mended).await;
        mended.tell();
        Ok(outcome? && mended.busy == 0)
    }

    async fn mend_all(
        self: &Arc<Self>,
        view: &View,
        found: Differences,
        mended: &mut Mended,
    ) -> Result<bool, StateError> {
        for (settled, rooms) in &found.extra {
            let Some(life) = self.hold_current(view).await else { return Ok(false) };
            let Some(_turn) = settled.keep() else {
                mended.busy += 1;
                continue;
            };
            mended.memberships_removed += self.leave_all(&life, settled.client.key(), rooms).await?;
        }
        for (client, held) in &found.strangers {
            let Some(life) = self.hold_current(view).await else { return Ok(false) };
            self.remove_stranger(&life, client, held, mended).await?;
        }
        if found.lost.is_empty() && found.missing.is_empty() {
            return Ok(true);
        }
        // A store that has lost everything holds nothing either, and says so when the lease is renewed. Then nobody was
        // forgotten, and the heartbeat puts everybody back.
        if self.renew_once(&view.life).await?.behind {
            self.beat_now.notify_one();
            return Ok(false);
        }
        for lost in found.lost.chunks(BATCH) {
            let lost = self.still_here(lost).await?;
            let Some(life) = self.hold_current(view).await else { return Ok(false) };
            self.restore_clients(&life, &lost, mended).await?;
        }
        for (settled, missing) in &found.missing {
            // Their members are told apart from those that the store lost.
            settled.namespace.deletions_reported().await;
            let Some(life) = self.hold_current(view).await else { return Ok(false) };
            self.mend_missing(view, &life, settled, missing, mended).await?;
        }
        Ok(true)
    }

    /// The life, if what was seen still counts. Taken before a client's memberships are kept, and not the other way
    /// round as everywhere else: nobody may wait for a client because this waits for who puts clients back. There it is
    /// only tried, so that nobody waits in a circle.
    async fn hold_current(&self, view: &View) -> Option<RwLockReadGuard<'_, Incarnation>> {
        let life = self.life.hold().await;
        self.is_current(view, &life).then_some(life)
    }

    async fn leave_all(&self, life: &Incarnation, client: &ClientKey, rooms: &[RoomKey]) -> Result<usize, StateError> {
        let mut left = 0;
        for room in rooms {
            left += usize::from(self.bounded(self.store.leave(life, client, room)).await?);
        }
        Ok(left)
    }

    /// Takes a client out of the store that is neither here nor on its way in or out.
    async fn remove_stranger(
        &self,
        life: &Incarnation,
        client: &ClientKey,
        held: &Held,
        mended: &mut Mended,
    ) -> Result<(), StateError> {
        let namespace = self.namespace(&client.namespace);
        let Some(_claim) = namespace.presences.claim(&client.client) else { return Ok(()) };
        if held.registered {
            // It may have said farewell since the store was read.
            if self.bounded(self.store.locate(client)).await?.as_ref() != Some(&self.id) {
                return Ok(());
            }
            let rooms = self.bounded(self.store.disconnect(life, client)).await?;
            mended.clients_removed += 1;
            mended.memberships_removed += rooms.len();
        } else {
            let rooms = Vec::from_iter(held.rooms.iter().cloned());
            mended.memberships_removed += self.leave_all(life, client, &rooms).await?;
        }
        Ok(())
    }

    /// Those that are not connected to another node by now, which then has the say.
    async fn still_here<'a>(&self, lost: &'a [Settled]) -> Result<Vec<&'a Settled>, StateError> {
        let mut here = Vec::new();
        for settled in lost {
            let node = self.bounded(self.store.locate(settled.client.key())).await?;
            if node.is_none_or(|node| node == self.id) {
                here.push(settled);
            }
        }
        Ok(here)
    }

    async fn restore_clients(
        &self,
        life: &Incarnation,
        lost: &[&Settled],
        mended: &mut Mended,
    ) -> Result<(), StateError> {
        let kept = Vec::from_iter(lost.iter().filter_map(|settled| Some((settled.keep()?, settled.client.clone()))));
        let clients = Vec::from_iter(kept.iter().map(|(_, client)| client.clone()));
        mended.busy += lost.len() - clients.len();
        self.put_back(life, &clients, self.deadline()).await?;
        mended.clients_restored += clients.len();
        mended.memberships_restored += clients.iter().map(|client| client.known().rooms.len()).sum::<usize>();
        Ok(())
    }

    async fn mend_missing(
        self: &Arc<Self>,
        view: &View,
        life: &Incarnation,
        settled: &Settled,
        missing: &[Membership],
        mended: &mut Mended,
    ) -> Result<(), StateError> {
        let Settled { namespace, client, .. } = settled;
        // Why they are missing can be told only by who hears the other nodes.
        let Some(gaps) = view.gaps.filter(|_| self.health().backplane.available) else { return Ok(()) };
        let Some(mut turn) = settled.keep() else {
            mended.busy += 1;
            return Ok(());
        };
        *turn += 1;
        let is_deleted = |membership: &&Membership| membership.gaps < gaps || namespace.was_deleted(membership.uid);
        let (deleted, lost): (Vec<_>, Vec<_>) = missing.iter().partition(is_deleted);
        for membership in &deleted {
            self.forget(settled, membership).await;
        }
        mended.memberships_forgotten += deleted.len();
        if !lost.is_empty() {
            self.put_back(life, std::slice::from_ref(client), self.deadline()).await?;
            mended.memberships_restored += lost.len();
        }
        Ok(())
    }

    /// Takes a client out of a room here. Whoever deleted the room has reported that it left.
    async fn forget(&self, Settled { namespace, client, .. }: &Settled, membership: &Membership) {
        client.known().leave(&membership.room);
        if let Some(local) = take_out(namespace, client, &membership.room) {
            namespace.exit_room(self, &local, self.deadline()).await;
        }
    }
}

impl Mended {
    fn tell(&self) {
        let Self {
            clients_restored,
            memberships_restored,
            clients_removed,
            memberships_removed,
            memberships_forgotten,
            busy: _,
        } = *self;
        let all = [
            ("client restored", clients_restored),
            ("membership restored", memberships_restored),
            ("client removed", clients_removed),
            ("membership removed", memberships_removed),
            ("membership forgotten", memberships_forgotten),
        ];
        for (what, count) in all.into_iter().filter(|(_, count)| *count > 0) {
            instruments::reconciled(what, count);
        }
        if all.iter().any(|(_, count)| *count > 0) {
            tracing::debug!(
                target: "roomwire",
                clients_restored,
                memberships_restored,
                clients_removed,
                memberships_removed,
                memberships_forgotten,
                "this node and the store differed"
            );
        }
    }
}
