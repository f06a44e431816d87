//! A client becomes a member of a room.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, Incarnation, RoomId, StateError};
use tokio::sync::RwLockReadGuard;

use super::{LocalRoom, NamespaceState};
use crate::{
    ServiceEvent,
    client::{Client, Membership},
    limits,
    node::{Deadline, Node},
};

impl Node {
    /// Subscribes, asks the store, then lets the client take part: in this order, so that nothing that is
    /// published after the join returned is missed, and a client that the store refused is never a member.
    pub(crate) async fn join(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        room: RoomId,
    ) -> Result<(), Error> {
        self.check_running()?;
        let until = self.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        if client.is_in(&room) {
            return Ok(self.join_again(&namespace, &client, &room, until).await?);
        }
        {
            let known = client.known();
            if known.gone {
                return Err(ErrorCode::ClientNotFound.into());
            }
            limits::one_room_more(&self.config.limits, known.rooms.len())?;
        }
        let key = client.room_key(&room);
        if self.is_ending(client.key(), &key) {
            let confirmed = self.confirm_ends(client.key(), until).await;
            // The rest may be of other rooms.
            if self.is_ending(client.key(), &key) {
                confirmed?;
            }
        }
        let local = namespace.enter_room(&self, &room, until).await?;
        let joined = self.join_in_store(&namespace, &client, &room, &local, until).await;
        self.undo_failed_join(&namespace, &client, local, joined, until).await.map_err(Error::from)
    }

    /// Leaves the local room after a join that failed, and the store's room if it may have succeeded there.
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
                self.end_failed_join(client.key(), local.key());
                let (node, namespace) = (self.clone(), namespace.clone());
                // The caller has waited long enough.
                tokio::spawn(async move { namespace.exit_room(&node, &local, node.deadline()).await });
            }
            Err(_) => namespace.exit_room(self, &local, until).await,
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
    /// a moment ago, with its message in flight: the store knows. While the store cannot be reached, the membership
    /// holds.
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
            // The node lost its lease, and put the client back without the room, which was deleted. This is the next
            // room.
            return self.take_part_in_next(namespace, client, joined, until).await;
        };
        if joined.uid == known.uid {
            return Ok(());
        }
        // Until this node knows which of the two is the member's.
        client.doubt_membership(room);
        let former = [(client.room_key(room), known.uid)];
        let removed = self.call(until, self.store.removed_by_others(&incarnation, client.key(), &former)).await?;
        if removed.rooms.is_empty() {
            // The store lost the room, and it was made anew.
            client.set_room_uid(room, joined.uid);
            return Ok(());
        }
        self.report_deletions_first(namespace, client, &joined, until).await?;
        let Some(local) = namespace.room(room) else { return Err(StateError::RoomNotFound) };
        client.known().leave(room);
        let joined = self.take_part(namespace, client, joined, &local);
        self.undo_failed_join(namespace, client, local, joined, until).await
    }

    /// Takes part in a room that the client joined in the store, and that this node may not subscribe to any more.
    async fn take_part_in_next(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceState>,
        client: &Client,
        membership: Membership,
        until: Deadline,
    ) -> Result<(), StateError> {
        let key = client.room_key(&membership.room);
        let local = namespace.enter_room(self, &membership.room, until).await;
        let local = local.inspect_err(|_| self.end_failed_join(client.key(), &key))?;
        let joined = self.report_and_take_part(namespace, client, membership, &local, until).await;
        self.undo_failed_join(namespace, client, local, joined, until).await
    }

    /// Reports the memberships of a client that ended with deletions of a room by this node: before this membership, in
    /// the next room of that name, is reported.
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

    /// Asks the store to make a client a member. The incarnation is held until the member takes part here too: see
    /// `CurrentIncarnation`.
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
            let incarnation = until.turn(self.incarnation.hold()).await?;
            let (gaps, deletions) = (self.gaps(), namespace.deletions_noted());
            let is_here = || namespace.client(client.id()).as_ref() == Some(client);
            if client.is_untold() && is_here() {
                // That it connected again is reported first.
                self.put_back_alone(&incarnation, client, until).await?;
            }
            match self.retrying(until, || self.store.join(&incarnation, client.key(), &key)).await {
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
                // It is here: then it waits to be put back.
                Err(StateError::ClientNotFound) if !mended && is_here() => {
                    self.put_back_alone(&incarnation, client, until).await?;
                    mended = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts one client back. One that is ending may be connected to another node by now, and stays there.
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
        local.add(client.id().clone());
        known.rooms.push(membership);
        self.events.send(|| ServiceEvent::Joined { room: client.room_key(&room), client: client.id().clone() });
        if namespace.was_deleted(uid) {
            // Deleted since the store's answer. The deletion reports that this client left.
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
