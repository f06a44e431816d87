//! A client is a member of a room no longer.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, LeaveReason, Printable, RoomId, StateError};
use tokio::sync::oneshot;

use super::{LocalRoom, NamespaceState, unexplained::Unexplained};
use crate::{
    ServiceEvent,
    client::Client,
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
        let turn = client.change_membership().await;
        let before = self.life.current();
        let Some(membership) = client.known().leave(&room) else {
            return Err(ErrorCode::NotInRoom.into());
        };
        let local = take_out(&namespace, &client, &room);
        // Whoever waits no longer has left.
        let _ = left.send(Ok(()));
        let key = client.room_key(&room);
        let life = self.life.hold().await;
        // Who cleaned up after the life in which the client was a member has reported that it left.
        let mut reported = !membership.told || *life != before;
        let left = self.bounded(self.store.leave(&life, client.key(), &key)).await;
        drop(life);
        match left {
            Ok(false) if !reported && !self.is_incomplete() => {
                // Whoever deleted the room reports it: before this client can join again.
                drop(turn);
                let (client, reason) = (client.id().clone(), LeaveReason::Left);
                let ended = vec![Unexplained { room: key, client, membership, reason, local }];
                self.explain(&namespace, ended, None).await;
                return Ok(());
            }
            Ok(_) => {}
            Err(StateError::Fenced) => reported |= self.was_reaped(&before).await,
            Err(error) => {
                tracing::debug!(target: "roomwire", room = ?key, error = %Printable(&error), "the store is told later of a leave");
                self.owe(Debt::Leave(client.key().clone(), key.clone()));
            }
        }
        if !reported {
            let client = client.id().clone();
            self.events.send(|| ServiceEvent::Left { room: key, client, reason: LeaveReason::Left });
        }
        if let Some(local) = local {
            namespace.exit_room(&self, &local, self.deadline()).await;
        }
        Ok(())
    }
}

/// Takes a client out of this node's room. The room is to be exited when it was in.
pub(crate) fn take_out(namespace: &NamespaceState, client: &Client, room: &RoomId) -> Option<Arc<LocalRoom>> {
    namespace.room(room).filter(|local| local.remove(client.id()))
}
