//! A room is deleted with all its memberships.

use std::sync::Arc;

use roomwire_core::{Channel, Error, ErrorCode, LeaveReason, NodeMessage, Printable, RoomKey, RoomUid, StateError};
use tokio::sync::MutexGuard;

use super::{NamespaceState, leave::take_out};
use crate::{
    ServiceEvent,
    client::Client,
    node::{Debt, Node},
};

impl Node {
    /// Deletes a room: the store first, then this node, then the others.
    pub(crate) async fn delete_room(self: Arc<Self>, room: RoomKey) -> Result<(), Error> {
        let namespace = self.namespace(&room.namespace);
        let reporting = namespace.deletes().await;
        let Some(deleted) = self.bounded(self.store.delete_room(&room)).await? else {
            return Err(ErrorCode::RoomNotFound.into());
        };
        namespace.note_deleted(deleted.uid);
        for member in deleted.members {
            let client = namespace.client(&member.client);
            // Waits for a join that is on its way here: its `Joined` is reported first.
            let _membership = match &client {
                Some(client) => Some(self.forget_membership(&namespace, client, &room, deleted.uid).await),
                None => None,
            };
            self.events.send(|| ServiceEvent::Left {
                room: room.clone(),
                client: member.client,
                reason: LeaveReason::RoomDeleted,
            });
        }
        self.events.send(|| ServiceEvent::RoomDeleted { room: room.clone() });
        drop(reporting);
        let announced = self.announce_deletion(&room, deleted.uid).await;
        if announced.is_err() {
            // Until they hear of it, their members take part in what is no room any more.
            self.owe(Debt::Deletion(room, deleted.uid));
        }
        Ok(announced?)
    }

    /// Tells the other nodes that this life of a room is over.
    pub(crate) async fn announce_deletion(&self, room: &RoomKey, uid: RoomUid) -> Result<(), StateError> {
        let channel = Channel::Room(room.clone());
        if !self.backplane.may_reach_others(&channel) {
            return Ok(());
        }
        match self.envelope(NodeMessage::RoomDeleted { room: room.clone(), uid }) {
            Ok(message) => self.bounded(self.backplane.publish(&channel, message)).await,
            // Two names and a number are never too large; trying again would not help either.
            Err(error) => {
                tracing::error!(target: "roomwire", ?room, error = %Printable(&error), "a deletion could not be passed on");
                Ok(())
            }
        }
    }

    /// Takes this node's members out of a room that was deleted in another node. A later room of the same name is
    /// left alone.
    pub(crate) async fn forget_deleted_room(&self, room: &RoomKey, uid: RoomUid) {
        let namespace = self.namespace(&room.namespace);
        namespace.note_deleted(uid);
        let Some(local) = namespace.room(&room.room) else { return };
        for member in local.members() {
            if let Some(client) = namespace.client(&member) {
                drop(self.forget_membership(&namespace, &client, room, uid).await);
            }
        }
    }

    /// Takes one client out of a life of a room; its memberships do not change as long as the guard lives.
    async fn forget_membership<'a>(
        &self,
        namespace: &NamespaceState,
        client: &'a Client,
        room: &RoomKey,
        uid: RoomUid,
    ) -> MutexGuard<'a, u64> {
        let membership = client.change_membership().await;
        let was_in = {
            let mut known = client.known();
            let is_meant = known.rooms.iter().any(|known| known.room == room.room && known.uid == uid);
            is_meant && known.leave(&room.room).is_some()
        };
        if was_in && let Some(local) = take_out(namespace, client, &room.room) {
            namespace.exit_room(self, &local, self.deadline()).await;
        }
        membership
    }
}
