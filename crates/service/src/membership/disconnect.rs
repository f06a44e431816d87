//! A client comes and goes.

use std::sync::Arc;

use roomwire_core::{Channel, DisconnectReason, Error, LeaveReason, NewClient, Payload, RoomId, RoomKey, StateError};

use super::NamespaceState;
use crate::{
    ServiceEvent,
    client::Client,
    instruments,
    node::{Debt, Node},
};

impl Node {
    /// Registers a client with the store. It takes part in nothing until [`Self::welcome`].
    pub(crate) async fn register(
        &self,
        namespace: &NamespaceState,
        new: NewClient,
        handshake: Payload,
    ) -> Result<Client, Error> {
        self.check_running()?;
        self.hear_namespace(namespace).await?;
        let mut healed = false;
        loop {
            let life = self.life.hold().await;
            match self.retrying(|| self.store.connect(&life, &new)).await {
                Ok(()) => return Ok(Client::new(&new, handshake)),
                Err(StateError::Fenced) if !healed => {
                    let lost = life.clone();
                    drop(life);
                    self.heal(&lost).await?;
                    healed = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets a registered client take part; false when it is gone already.
    pub(crate) fn welcome(&self, namespace: &NamespaceState, client: &Client) -> bool {
        let known = client.known();
        if known.gone {
            return false;
        }
        namespace.add_client(client.clone());
        instruments::client_connected();
        self.events.send(|| ServiceEvent::ClientConnected { client: client.key().clone() });
        true
    }

    /// Takes a client out of everything, once, whatever it is doing; returns the rooms it was in.
    ///
    /// Waits for a join of this client that is on its way, so that none can slip in behind.
    pub(crate) async fn farewell(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        reason: DisconnectReason,
    ) -> Vec<RoomId> {
        let _membership = client.change_membership().await;
        let rooms = {
            let mut known = client.known();
            if std::mem::replace(&mut known.gone, true) {
                return Vec::new();
            }
            std::mem::take(&mut known.rooms)
        };
        let reason = client.reason_or(reason);
        let welcomed = namespace.client(client.id()).as_ref() == Some(&client);
        namespace.remove_client(&client);
        for (room, _) in &rooms {
            self.take_no_part(&namespace, &client, room).await;
        }
        let life = self.life.hold().await;
        let removed = self.store.disconnect(&life, client.key()).await;
        drop(life);
        let here = rooms.into_iter().map(|(room, _)| client.room_key(&room));
        let left: Vec<RoomKey> = match removed {
            // The store may know more: a leave it was not told of yet, a join whose answer was lost. It may know less:
            // whoever deletes a room reports its members.
            Ok(left) => here.filter(|room| left.contains(room)).collect(),
            // The life was lost and this client was not put back under the new one: what this node knows counts.
            Err(StateError::Fenced) => here.collect(),
            Err(error) => {
                tracing::debug!(target: "roomwire", client = %client.id(), %error, "the store is told later of a disconnect");
                self.owe(Debt::Disconnect(client.key().clone()));
                here.collect()
            }
        };
        for room in &left {
            self.events.send(|| ServiceEvent::Left {
                room: room.clone(),
                client: client.id().clone(),
                reason: LeaveReason::Disconnected(reason),
            });
        }
        if welcomed {
            instruments::client_disconnected(reason.as_str());
            self.events.send(|| ServiceEvent::ClientDisconnected { client: client.key().clone(), reason });
        }
        let left: Vec<RoomId> = left.into_iter().map(|key| key.room).collect();
        client.known().left.clone_from(&left);
        left
    }

    /// Subscribes to the namespace's channel before its first client takes part.
    async fn hear_namespace(&self, namespace: &NamespaceState) -> Result<(), StateError> {
        // Whoever waits for its next try keeps nobody else from trying.
        self.retrying(|| async {
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
