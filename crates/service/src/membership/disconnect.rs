//! A client comes and goes.

use std::sync::Arc;

use roomwire_core::{
    Channel, DisconnectReason, Error, Incarnation, LeaveReason, NewClient, Payload, RoomId, StateError,
};
use tokio::sync::oneshot;

use super::{NamespaceState, leave::take_out};
use crate::{
    ServiceEvent,
    client::{Client, Membership},
    instruments,
    node::{Deadline, Debt, Node},
};

impl Node {
    /// Registers a client with the store. It takes part in nothing until [`Self::welcome`].
    pub(crate) async fn register(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        new: NewClient,
        handshake: Payload,
    ) -> Result<Client, Error> {
        self.check_running()?;
        let until = self.deadline();
        self.hear_namespace(namespace, until).await?;
        let present = until.turn(namespace.presences.enter(&new.key.client)).await?;
        let mut healed = false;
        loop {
            let life = until.turn(self.life.hold()).await?;
            match self.retrying(until, || self.store.connect(&life, &new)).await {
                Ok(()) => return Ok(Client::new(&new, handshake, life.clone(), present)),
                Err(StateError::Fenced) if !healed => {
                    let lost = life.clone();
                    drop(life);
                    self.heal_within(until, lost).await?;
                    healed = true;
                }
                Err(error) => {
                    if matches!(error, StateError::Unavailable(_)) {
                        // It may have happened all the same.
                        self.owe(Debt::Disconnect(new.key));
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Lets a registered client take part; false when it is gone already.
    pub(crate) fn welcome(&self, namespace: &NamespaceState, client: &Client) -> bool {
        let mut known = client.known();
        if known.gone {
            return false;
        }
        namespace.add_client(client.clone());
        if *client.registered() != self.life.current() {
            // The node was taken for lost since, and put back those who took part by then.
            self.note_incomplete();
        }
        instruments::client_connected();
        known.told = true;
        self.events.send(|| ServiceEvent::ClientConnected { client: client.key().clone() });
        true
    }

    /// Takes a client out of everything, once, whatever it is doing; returns the rooms it was in.
    ///
    /// Waits for a join of this client that is on its way, so that none can slip in behind. Says which rooms it was in
    /// as soon as it is in none of them; one that is deleted at that moment may be among them.
    pub(crate) async fn farewell(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        reason: DisconnectReason,
        gone: oneshot::Sender<Vec<RoomId>>,
    ) -> Vec<RoomId> {
        let membership = client.change_membership().await;
        let before = self.life.current();
        let (rooms, told) = {
            let mut known = client.known();
            if std::mem::replace(&mut known.gone, true) {
                return Vec::new();
            }
            known.left = known.rooms.iter().map(|membership| membership.room.clone()).collect();
            (std::mem::take(&mut known.rooms), known.told)
        };
        let reason = client.reason_or(reason);
        let welcomed = namespace.client(client.id()).as_ref() == Some(&client);
        namespace.remove_client(&client);
        let exits = Vec::from_iter(rooms.iter().filter_map(|known| take_out(&namespace, &client, &known.room)));
        // Whoever waits no longer knows it gone.
        let _ = gone.send(client.left_rooms());
        let until = self.deadline();
        for local in &exits {
            namespace.exit_room(&self, local, until).await;
        }
        let were_in = rooms.len();
        let (left, reported) = self.disconnect_in_store(&client, rooms, &before).await;
        for Membership { room, .. } in left.iter().filter(|membership| membership.told && !reported) {
            self.events.send(|| ServiceEvent::Left {
                room: client.room_key(room),
                client: client.id().clone(),
                reason: LeaveReason::Disconnected(reason),
            });
        }
        // The store was told, or will be.
        let present = client.known().present.take();
        drop(present);
        let rooms: Vec<RoomId> = left.into_iter().map(|membership| membership.room).collect();
        let left_by_deletion = {
            let mut known = client.known();
            known.left.clone_from(&rooms);
            known.left_by_deletion || rooms.len() < were_in
        };
        drop(membership);
        if left_by_deletion {
            // Deleted at the same time: whoever deleted them reports it, and before the client is reported gone.
            namespace.deletions_reported().await;
        }
        if welcomed {
            instruments::client_disconnected(reason.as_str());
        }
        if welcomed && told && !reported {
            self.events.send(|| ServiceEvent::ClientDisconnected { client: client.key().clone(), reason });
        }
        rooms
    }

    /// Tells the store; returns which of the memberships end with the client, and whether somebody else, who cleaned
    /// up after a life of this node, has reported it.
    async fn disconnect_in_store(
        &self,
        client: &Client,
        mut rooms: Vec<Membership>,
        before: &Incarnation,
    ) -> (Vec<Membership>, bool) {
        let life = self.life.hold().await;
        let mut reported = *life != *before;
        let removed = self.bounded(self.store.disconnect(&life, client.key())).await;
        drop(life);
        match removed {
            // The store may know more: a leave it was not told of yet, a join whose answer was lost. It may know less:
            // whoever deletes a room reports its members.
            Ok(removed) if !reported && !self.is_incomplete() => {
                rooms.retain(|membership| removed.contains(&client.room_key(&membership.room)));
            }
            Ok(_) => {}
            Err(StateError::Fenced) => reported |= self.was_reaped(before).await,
            Err(error) => {
                tracing::debug!(target: "roomwire", client = %client.id(), %error, "the store is told later of a disconnect");
                self.owe(Debt::Disconnect(client.key().clone()));
            }
        }
        (rooms, reported)
    }

    /// Subscribes to the namespace's channel before its first client takes part.
    async fn hear_namespace(&self, namespace: &NamespaceState, until: Deadline) -> Result<(), StateError> {
        // Whoever waits for its next try keeps nobody else from trying.
        self.retrying(until, || async {
            let mut subscribed = namespace.subscribed.lock().await;
            if !*subscribed {
                self.backplane.subscribe(&Channel::Namespace(namespace.name().clone())).await?;
                *subscribed = true;
            }
            Ok(())
        })
        .await
    }
}
