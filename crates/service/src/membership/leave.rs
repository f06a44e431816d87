//! A client is a member of a room no longer.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, LeaveReason, RoomId, StateError};

use super::NamespaceState;
use crate::{
    ServiceEvent,
    client::{Client, Membership},
    node::{Debt, Node},
};

impl Node {
    /// Stops delivering first, then tells the store. Succeeds also while the store is away: it is told
    /// when it is back.
    pub(crate) async fn leave(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        room: RoomId,
    ) -> Result<(), Error> {
        let membership = client.change_membership().await;
        let before = self.life.current();
        let Some(Membership { told, .. }) = client.known().leave(&room) else {
            return Err(ErrorCode::NotInRoom.into());
        };
        self.take_no_part(&namespace, &client, &room).await;
        let key = client.room_key(&room);
        let life = self.life.hold().await;
        // Who cleaned up after the life in which the client was a member has reported that it left.
        let mut reported = !told || *life != before;
        let left = self.store.leave(&life, client.key(), &key).await;
        drop(life);
        match left {
            Ok(true) => {}
            // Deleted at the same time, and whoever deleted the room reports it: before this client can join again.
            Ok(false) if !self.is_incomplete() => {
                drop(membership);
                namespace.deletions_reported().await;
                return Ok(());
            }
            Ok(false) => {}
            Err(StateError::Fenced) => reported |= self.was_reaped(&before).await,
            Err(error) => {
                tracing::debug!(target: "roomwire", room = ?key, %error, "the store is told later of a leave");
                self.owe(Debt::Leave(client.key().clone(), key.clone()));
            }
        }
        if !reported {
            let client = client.id().clone();
            self.events.send(|| ServiceEvent::Left { room: key, client, reason: LeaveReason::Left });
        }
        Ok(())
    }

    /// Takes a client out of this node's room.
    pub(super) async fn take_no_part(&self, namespace: &NamespaceState, client: &Client, room: &RoomId) {
        if let Some(local) = namespace.room(room)
            && local.remove(client.id())
        {
            namespace.exit_room(self, &local).await;
        }
    }
}
