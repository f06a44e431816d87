//! Deletes a room with all its memberships.

use std::sync::Arc;

use roomwire_core::{
    Channel, ClientId, DeletedRoom, DeletionId, Error, ErrorCode, Escaped, LeaveReason, NodeMessage, RoomKey, RoomUid,
    StateError,
};
use tokio::sync::{MutexGuard, RwLockReadGuard};

use super::Node;
use crate::{
    ServiceEvent,
    local::{Client, NamespaceState, WaitingDeletion, take_out},
};

impl Node {
    /// Deletes a room: the store first, then this node, then the others.
    pub(crate) async fn delete_room(self: Arc<Self>, room: RoomKey) -> Result<(), Error> {
        let namespace = self.namespace(&room.namespace);
        let reporting = namespace.deletes().await;
        let (waiting, deletion) = (namespace.own_deletions.begin(&room.room), DeletionId::random());
        match self.backend.retrying(self.backend.deadline(), || self.backend.store.delete_room(&room, deletion)).await {
            Ok(Some(deleted)) => Ok(self.finish_deletion(room, deleted, &waiting, reporting).await?),
            Ok(None) => Err(ErrorCode::RoomNotFound.into()),
            Err(error) => {
                if error.is_uncertain() {
                    self.resolve_deletion_later(room, deletion, waiting);
                }
                Err(error.into())
            }
        }
    }

    /// Queries the store for the outcome of a deletion that got no answer, and completes it.
    pub(crate) async fn resolve_deletion(
        self: &Arc<Self>,
        room: &RoomKey,
        deletion: DeletionId,
        waiting: &WaitingDeletion,
    ) -> Result<(), StateError> {
        let namespace = self.namespace(&room.namespace);
        let reporting = namespace.deletes().await;
        let resolved = self.backend.bounded(self.backend.store.resolve_deletion(room, deletion)).await?;
        if let Some(deleted) = resolved {
            // The heartbeat retries the rest.
            let _ = self.finish_deletion(room.clone(), deleted, waiting, reporting).await;
        }
        Ok(())
    }

    /// Applies a deletion on this node, and publishes it to the others.
    async fn finish_deletion(
        self: &Arc<Self>,
        room: RoomKey,
        deleted: DeletedRoom,
        waiting: &WaitingDeletion,
        reporting: RwLockReadGuard<'_, ()>,
    ) -> Result<(), StateError> {
        let namespace = self.namespace(&room.namespace);
        waiting.answered(deleted.uid, deleted.members.iter().cloned());
        namespace.note_deleted(deleted.uid);
        for member in deleted.members {
            let client = namespace.client(&member);
            // Waits for a join in flight: its `Joined` is reported first.
            let _membership = match &client {
                Some(client) => Some(self.forget_membership(&namespace, client, &room, deleted.uid).await),
                None => None,
            };
            namespace.own_deletions.report_once(deleted.uid, &member, || {
                self.report_deletion(room.clone(), member.clone());
            });
        }
        self.events.send(|| ServiceEvent::RoomDeleted { room: room.clone() });
        drop(reporting);
        let announced = self.announce_deletion(&room, deleted.uid).await;
        if announced.is_err() {
            // Until they receive the message, they still deliver to their members of the deleted room.
            self.announce_deletion_later(room, deleted.uid);
        }
        announced
    }

    /// Reports that a deletion has ended a membership.
    pub(crate) fn report_deletion(&self, room: RoomKey, client: ClientId) {
        self.events.send(|| ServiceEvent::Left { room, client, reason: LeaveReason::RoomDeleted });
    }

    /// Publishes to the other nodes that this incarnation of a room was deleted.
    pub(crate) async fn announce_deletion(&self, room: &RoomKey, uid: RoomUid) -> Result<(), StateError> {
        let channel = Channel::Room(room.clone());
        if !self.backend.backplane.may_reach_others(&channel) {
            return Ok(());
        }
        match self.envelope(NodeMessage::RoomDeleted { room: room.clone(), uid }) {
            Ok(message) => self.backend.bounded(self.backend.backplane.publish(&channel, message)).await,
            // Two names and a number never exceed the limit, and a retry would not help.
            Err(error) => {
                tracing::error!(target: "roomwire", ?room, error = %Escaped(&error), "a deletion could not be passed on");
                Ok(())
            }
        }
    }

    /// Removes this node's members of a room that another node deleted. Does not affect a later room of the same name.
    pub(crate) async fn forget_deleted_room(&self, room: &RoomKey, uid: RoomUid) {
        let namespace = self.namespace(&room.namespace);
        namespace.note_deleted(uid);
        let Some(local) = namespace.room(&room.room) else { return };
        for member in local.members() {
            drop(self.forget_membership(&namespace, &member, room, uid).await);
        }
    }

    /// Removes one client from an incarnation of a room; its memberships do not change until the guard is dropped.
    async fn forget_membership<'a>(
        &self,
        namespace: &NamespaceState,
        client: &'a Client,
        room: &RoomKey,
        uid: RoomUid,
    ) -> MutexGuard<'a, u64> {
        let membership = client.change_membership().await;
        if let Some(left) = client.leave_incarnation(&room.room, uid) {
            if left.is_in_doubt {
                self.end_failed_join(client.key(), room);
            }
            if let Some(local) = take_out(namespace, client, &room.room) {
                namespace.exit_room(&self.backend, &local, self.backend.deadline()).await;
            }
        }
        membership
    }
}
