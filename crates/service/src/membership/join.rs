//! A client becomes a member of a room.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, RoomId, StateError};

use super::{LocalRoom, NamespaceState};
use crate::{
    ServiceEvent, bounds,
    client::{Client, Membership},
    node::{Deadline, Debt, Node},
};

impl Node {
    /// Subscribes, asks the store, then lets the client take part: in this order, so that nothing that is
    /// published after the join returned is missed, and nobody takes part whom the store refused.
    pub(crate) async fn join(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        room: RoomId,
    ) -> Result<(), Error> {
        self.check_running()?;
        let until = self.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        {
            let known = client.known();
            if known.gone {
                return Err(ErrorCode::ClientNotFound.into());
            }
            if known.is_in(&room) {
                return Ok(());
            }
            bounds::one_room_more(&self.config.limits, known.rooms.len())?;
        }
        let local = namespace.enter_room(&self, &room, until).await?;
        let joined = self.join_in_store(&namespace, &client, &room, &local, until).await;
        match &joined {
            Ok(()) => {}
            Err(StateError::Unavailable(_)) => {
                // It may have happened all the same.
                self.owe(Debt::Leave(client.key().clone(), client.room_key(&room)));
                let (node, namespace) = (self.clone(), namespace.clone());
                // Whoever joins has waited enough.
                tokio::spawn(async move { namespace.exit_room(&node, &local, node.deadline()).await });
            }
            Err(_) => namespace.exit_room(&self, &local, until).await,
        }
        joined.map_err(Error::from)
    }

    async fn join_in_store(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        client: &Client,
        room: &RoomId,
        local: &LocalRoom,
        until: Deadline,
    ) -> Result<(), StateError> {
        let key = client.room_key(room);
        let (mut healed, mut mended) = (false, false);
        loop {
            // Held until the member takes part here too: see `Life`.
            let life = until.turn(self.life.hold()).await?;
            let gaps = self.gaps();
            match self.retrying(until, || self.store.join(&life, client.key(), &key)).await {
                Ok(outcome) => {
                    let membership = Membership { room: room.clone(), uid: outcome.uid, told: true, gaps };
                    return self.take_part(namespace, client, membership, local);
                }
                Err(StateError::Fenced) if !healed => {
                    let lost = life.clone();
                    drop(life);
                    self.heal_within(until, lost).await?;
                    healed = true;
                }
                // It is here: then it waits to be put back.
                Err(StateError::ClientNotFound)
                    if !mended && namespace.client(client.id()).as_ref() == Some(client) =>
                {
                    self.put_back(&life, std::slice::from_ref(client), until).await?;
                    mended = true;
                }
                Err(error) => return Err(error),
            }
        }
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
            // Deleted between the store's answer and now. Whoever deleted it reports that this client left.
            known.leave(&room);
            known.left_by_deletion = true;
            local.remove(client.id());
            return Err(StateError::RoomNotFound);
        }
        Ok(())
    }
}
