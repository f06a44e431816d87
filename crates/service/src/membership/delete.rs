//! A room is deleted with all its memberships.

use std::sync::Arc;

use roomwire_core::{Channel, Error, ErrorCode, LeaveReason, NodeMessage, RoomKey, RoomUid};

use crate::{ServiceEvent, node::Node};

impl Node {
    /// Deletes a room: the store first, then this node, then the others.
    pub(crate) async fn delete_room(self: Arc<Self>, room: RoomKey) -> Result<(), Error> {
        let Some(deleted) = self.store.delete_room(&room).await? else {
            return Err(ErrorCode::RoomNotFound.into());
        };
        let namespace = self.namespace(&room.namespace);
        self.forget_deleted_room(&room, deleted.uid).await;
        for member in deleted.members {
            if let Some(client) = namespace.client(&member.client) {
                // A join that is on its way here is reported first.
                drop(client.change_membership().await);
            }
            self.events.send(|| ServiceEvent::Left {
                room: room.clone(),
                client: member.client,
                reason: LeaveReason::RoomDeleted,
            });
        }
        self.events.send(|| ServiceEvent::RoomDeleted { room: room.clone() });
        let channel = Channel::Room(room.clone());
        if self.backplane.may_reach_others(&channel) {
            let message = self.envelope(NodeMessage::RoomDeleted { room, uid: deleted.uid })?;
            self.backplane.publish(&channel, message).await?;
        }
        Ok(())
    }

    /// Takes this node's members out of a room that was deleted, in this or another node. A later room of
    /// the same name is left alone.
    pub(crate) async fn forget_deleted_room(&self, room: &RoomKey, uid: RoomUid) {
        let namespace = self.namespace(&room.namespace);
        namespace.note_deleted(uid);
        let Some(local) = namespace.room(&room.room) else { return };
        for member in local.members() {
            let Some(client) = namespace.client(&member) else { continue };
            let _membership = client.change_membership().await;
            let was_in = {
                let mut known = client.known();
                let is_meant = known.rooms.iter().any(|known| known.room == room.room && known.uid == uid);
                is_meant && known.leave(&room.room).is_some()
            };
            if was_in {
                self.take_no_part(&namespace, &client, &room.room).await;
            }
        }
    }
}
