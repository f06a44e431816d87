//! A client is a member of a room no longer.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, LeaveReason, RoomId, StateError};
use tokio::sync::oneshot;

use super::{LocalRoom, NamespaceState};
use crate::{
    ServiceEvent,
    client::{Client, Membership},
    node::{Debt, Node},
};

impl Node {
    /// Stops delivering first, then tells the store. Succeeds also while the store is away: it is told
    /// when it is back. Says so as soon as nothing can change that.
    pub(crate) async fn leave(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        room: RoomId,
        left: oneshot::Sender<Result<(), Error>>,
    ) -> Result<(), Error> {
        let membership = client.change_membership().await;
        let before = self.life.current();
        let Some(Membership { told, .. }) = client.known().leave(&room) else {
            return Err(ErrorCode::NotInRoom.into());
        };
        let local = take_out(&namespace, &client, &room);
        // Whoever waits no longer has left.
        let _ = left.send(Ok(()));
        if let Some(local) = local {
            namespace.exit_room(&self, &local, self.deadline()).await;
        }
        let key = client.room_key(&room);
        let life = self.life.hold().await;
        // Who cleaned up after the life in which the client was a member has reported that it left.
        let mut reported = !told || *life != before;
        let left = self.bounded(self.store.leave(&life, client.key(), &key)).await;
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
}

/// Takes a client out of this node's room. The room is to be exited when it was in.
pub(crate) fn take_out(namespace: &NamespaceState, client: &Client, room: &RoomId) -> Option<Arc<LocalRoom>> {
    namespace.room(room).filter(|local| local.remove(client.id()))
}
