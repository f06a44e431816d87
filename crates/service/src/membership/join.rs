//! Makes a client a member of a room.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, Incarnation, RoomId, StateError};
use tokio::sync::RwLockReadGuard;

use crate::{
    ServiceEvent,
    backend::Deadline,
    limits,
    local::{Client, LocalRoom, Membership, NamespaceState},
    metrics::Timer,
    node::Node,
};

impl Node {
    /// Subscribes, calls the store, then activates the member. This order ensures that it misses nothing published
    /// after the join returned, and that a client that the store refused is never a member.
    pub(crate) async fn join(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        room: RoomId,
    ) -> Result<(), Error> {
        let _timer = Timer::start(&self.metrics.joins);
        self.lifecycle.check_running()?;
        let until = self.backend.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        if client.is_in(&room) {
            return Ok(self.join_again(&namespace, &client, &room, until).await?);
        }
        {
            let known = client.known();
            if known.gone {
                return Err(ErrorCode::ClientNotFound.into());
            }
            limits::one_room_more(&self.config().limits, known.rooms.len())?;
        }
        let key = client.room_key(&room);
        if self.is_ending(client.key(), &key) {
            let confirmed = self.confirm_ends(client.key(), until).await;
            // The error may concern other rooms.
            if self.is_ending(client.key(), &key) {
                confirmed?;
            }
        }
        let local = namespace.enter_room(&self.backend, &room, until).await?;
        let joined = self.join_in_store(&namespace, &client, &room, &local, until).await;
        self.undo_failed_join(&namespace, &client, local, joined, until).await.map_err(Error::from)
    }

    /// Leaves the local room after a failed join, and the store's room if the join may have succeeded there.
    async fn undo_failed_join(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceState>,
        client: &Client,
        local: Arc<LocalRoom>,
        joined: Result<(), StateError>,
        until: Deadline,
    ) -> Result<(), StateError> {
        match &joined {
            Ok(()) => {}
            Err(error) if error.is_uncertain() => {
                self.metrics.rolled_back("join");
                self.end_failed_join(client.key(), local.key());
                let (node, namespace) = (self.clone(), namespace.clone());
                // The caller has waited long enough.
                tokio::spawn(async move { namespace.exit_room(&node.backend, &local, node.backend.deadline()).await });
            }
            Err(_) => namespace.exit_room(&self.backend, &local, until).await,
        }
        joined
    }

    async fn join_in_store(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        client: &Client,
        room: &RoomId,
        local: &LocalRoom,
        until: Deadline,
    ) -> Result<(), StateError> {
        let (_incarnation, membership) = self.ask_to_join(namespace, client, room, until).await?;
        self.report_and_take_part(namespace, client, membership, local, until).await
    }

    async fn report_and_take_part(
        &self,
        namespace: &NamespaceState,
        client: &Client,
        membership: Membership,
        local: &LocalRoom,
        until: Deadline,
    ) -> Result<(), StateError> {
        // A call without an answer may have made the client a member of a former room of that name.
        self.report_deletions_first(namespace, client, &membership, until).await?;
        self.take_part(namespace, client, membership, local)
    }

    /// Joins a room of which the client is a member, as far as this node knows. Another node may have deleted the room
    /// a moment ago, with its message in flight, so the store is called. While the store is unavailable, the membership
    /// is assumed to exist.
    async fn join_again(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceState>,
        client: &Client,
        room: &RoomId,
        until: Deadline,
    ) -> Result<(), StateError> {
        let (incarnation, joined) = match self.ask_to_join(namespace, client, room, until).await {
            Ok(joined) => joined,
            Err(error) if error.is_uncertain() || matches!(error, StateError::OutOfMemory) => {
                client.doubt_membership(room);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Some(known) = client.membership(room) else {
            // The node lost its lease, and restored the client without the deleted room. This is the next room.
            return self.take_part_in_next(namespace, client, joined, until).await;
        };
        if joined.uid == known.uid {
            return Ok(());
        }
        // Until this node knows which of the two has the member.
        client.doubt_membership(room);
        let former = [(client.room_key(room), known.uid)];
        let removed =
            self.backend.call(until, self.backend.store.removed_by_others(&incarnation, client.key(), &former)).await?;
        if removed.rooms.is_empty() {
            // The store lost the room, and it was created again.
            client.set_room_uid(room, joined.uid);
            return Ok(());
        }
        self.report_deletions_first(namespace, client, &joined, until).await?;
        let Some(local) = namespace.room(room) else { return Err(StateError::RoomNotFound) };
        client.known().leave(room);
        let joined = self.take_part(namespace, client, joined, &local);
        self.undo_failed_join(namespace, client, local, joined, until).await
    }

    /// Adds the member of a room that the client joined in the store, and that this node may no longer be subscribed
    /// to.
    async fn take_part_in_next(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceState>,
        client: &Client,
        membership: Membership,
        until: Deadline,
    ) -> Result<(), StateError> {
        let key = client.room_key(&membership.room);
        let local = namespace.enter_room(&self.backend, &membership.room, until).await;
        let local = local.inspect_err(|_| self.end_failed_join(client.key(), &key))?;
        let joined = self.report_and_take_part(namespace, client, membership, &local, until).await;
        self.undo_failed_join(namespace, client, local, joined, until).await
    }

    /// Reports the ends of a client's memberships by this node's deletions of earlier rooms of this name, before this
    /// membership is reported.
    async fn report_deletions_first(
        &self,
        namespace: &NamespaceState,
        client: &Client,
        Membership { room, uid, .. }: &Membership,
        until: Deadline,
    ) -> Result<(), StateError> {
        let report = || self.report_deletion(client.room_key(room), client.id().clone());
        until.turn(namespace.report_deletions_once(room, *uid, client.id(), report)).await
    }

    /// Calls the store to make a client a member. The incarnation stays locked until the member is added on this node:
    /// see `CurrentIncarnation`.
    async fn ask_to_join(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        client: &Client,
        room: &RoomId,
        until: Deadline,
    ) -> Result<(RwLockReadGuard<'_, Incarnation>, Membership), StateError> {
        let key = client.room_key(room);
        let (mut healed, mut mended) = (false, false);
        loop {
            let incarnation = until.turn(self.incarnation.lock()).await?;
            let (gaps, deletions) = (self.backend.gaps(), namespace.deletions_noted());
            let is_here = || namespace.client(client.id()).as_ref() == Some(client);
            if client.is_untold() && is_here() {
                // The client's new connect is reported first.
                self.put_back_alone(&incarnation, client, until).await?;
            }
            match self.backend.retrying(until, || self.backend.store.join(&incarnation, client.key(), &key)).await {
                Ok(outcome) => {
                    namespace.note_restored(outcome.uid, deletions);
                    return Ok((
                        incarnation,
                        Membership { room: room.clone(), uid: outcome.uid, told: true, gaps, is_in_doubt: false },
                    ));
                }
                Err(StateError::Fenced) if !healed => {
                    let lost = incarnation.clone();
                    drop(incarnation);
                    self.re_register_within(until, lost).await?;
                    healed = true;
                }
                // It is connected here, so it is waiting to be restored.
                Err(StateError::ClientNotFound) if !mended && is_here() => {
                    self.put_back_alone(&incarnation, client, until).await?;
                    mended = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Restores one client. A client that is disconnecting may be connected to another node already, and is not moved.
    async fn put_back_alone(
        self: &Arc<Self>,
        incarnation: &Incarnation,
        client: &Client,
        until: Deadline,
    ) -> Result<(), StateError> {
        if client.is_ending() {
            return Err(StateError::ClientNotFound);
        }
        self.reap_lost_incarnations_within(until, incarnation).await?;
        self.put_back(incarnation, std::slice::from_ref(client), until).await
    }

    fn take_part(
        &self,
        namespace: &NamespaceState,
        client: &Client,
        membership: Membership,
        local: &LocalRoom,
    ) -> Result<(), StateError> {
        let (room, uid) = (membership.room.clone(), membership.uid);
        let mut known = client.known();
        local.add(client.clone());
        known.rooms.push(membership);
        self.events.send(|| ServiceEvent::Joined { room: client.room_key(&room), client: client.id().clone() });
        if namespace.was_deleted(uid) {
            // Deleted after the store's answer. The deletion reports that this client left.
            known.leave(&room);
            local.remove(client.id());
            namespace.own_deletions.report_once(uid, client.id(), || {
                self.report_deletion(client.room_key(&room), client.id().clone());
            });
            return Err(StateError::RoomNotFound);
        }
        Ok(())
    }
}
