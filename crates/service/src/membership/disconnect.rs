//! A client comes and goes.

use std::{collections::HashMap, sync::Arc};

use roomwire_core::{
    Channel, DisconnectReason, Error, Incarnation, LeaveReason, NewClient, Printable, RoomId, StateError,
};
use tokio::sync::oneshot;

use super::{LocalRoom, NamespaceState, leave::take_out, unexplained::Unexplained};
use crate::{
    ServiceEvent,
    client::{Client, Membership},
    instruments,
    node::{Deadline, Debt, Node},
    service::Introduction,
};

/// What becomes of the memberships of a client that goes.
struct End {
    /// They end with the client.
    left: Vec<Membership>,
    /// They had ended in the store already, and why is not known.
    unexplained: Vec<Membership>,
    /// Whether somebody else, who cleaned up after a life of this node, has reported all of it.
    reported: bool,
}

impl Node {
    /// Registers a client with the store. It takes part in nothing until [`Self::welcome`].
    pub(crate) async fn register(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        new: NewClient,
        introduction: Introduction,
    ) -> Result<Client, Error> {
        self.check_running()?;
        let until = self.deadline();
        self.hear_namespace(namespace, until).await?;
        let present = until.turn(namespace.presences.enter(&new.key.client)).await?;
        let mut healed = false;
        loop {
            let life = until.turn(self.life.hold()).await?;
            match self.retrying(until, || self.store.connect(&life, &new)).await {
                Ok(()) => return Ok(Client::new(&new, introduction, (life.clone(), self.restorations()), present)),
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
        let (life, restorations) = client.registered();
        if *life != self.life.current() {
            // The node was taken for lost since, and put back those who took part by then.
            self.note_incomplete();
        } else if *restorations != self.restorations() {
            // So it was when the store had forgotten them.
            self.compare_at_once();
        }
        instruments::client_connected();
        known.told = true;
        self.events.send(|| ServiceEvent::ClientConnected { client: client.key().clone() });
        drop(known);
        self.expiries.watch(client);
        self.disconnect_revoked(std::slice::from_ref(client));
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
        client.hang_up();
        self.expiries.forget(&client);
        let reason = client.reason_or(reason);
        let welcomed = namespace.client(client.id()).as_ref() == Some(&client);
        namespace.remove_client(&client);
        let mut locals: HashMap<RoomId, Arc<LocalRoom>> = rooms
            .iter()
            .filter_map(|known| Some((known.room.clone(), take_out(&namespace, &client, &known.room)?)))
            .collect();
        // Whoever waits no longer knows it gone.
        let _ = gone.send(client.left_rooms());
        let End { left, unexplained, reported } = self.disconnect_in_store(&client, rooms, &before).await;
        let why = LeaveReason::Disconnected(reason);
        for Membership { room, .. } in left.iter().filter(|membership| membership.told && !reported) {
            let room = client.room_key(room);
            self.events.send(|| ServiceEvent::Left { room, client: client.id().clone(), reason: why });
        }
        // The store was told, or will be.
        let present = client.known().present.take();
        drop(present);
        let rooms: Vec<RoomId> = left.into_iter().map(|membership| membership.room).collect();
        let left_by_deletion = {
            let mut known = client.known();
            known.left.clone_from(&rooms);
            known.left_by_deletion
        };
        let unexplained = Vec::from_iter(unexplained.into_iter().map(|membership| Unexplained {
            room: client.room_key(&membership.room),
            client: client.id().clone(),
            local: locals.remove(&membership.room),
            membership,
            reason: why,
        }));
        self.exit_rooms(&namespace, client.account(), locals.into_values().collect()).await;
        client.has_left_rooms();
        drop(membership);
        if welcomed {
            instruments::client_disconnected(reason.as_str());
            if reason == DisconnectReason::SlowConsumer {
                instruments::slow_consumer();
            }
        }
        let then = (welcomed && told && !reported)
            .then(|| ServiceEvent::ClientDisconnected { client: client.key().clone(), reason });
        if left_by_deletion || !unexplained.is_empty() {
            // Deleted at the same time: whoever deleted them reports it, and before the client is reported gone.
            self.explain(&namespace, unexplained, then).await;
        } else {
            then.into_iter().for_each(|event| self.events.send(|| event));
        }
        rooms
    }

    /// Tells the store; returns what becomes of the memberships.
    async fn disconnect_in_store(&self, client: &Client, rooms: Vec<Membership>, before: &Incarnation) -> End {
        let life = self.life.hold().await;
        let mut end = End { left: rooms, unexplained: Vec::new(), reported: *life != *before };
        let removed = self.bounded(self.store.disconnect(&life, client.key())).await;
        drop(life);
        match removed {
            // The store may know more: a leave it was not told of yet, a join whose answer was lost. It may know less:
            // whoever deletes a room reports its members.
            Ok(removed) if !end.reported && !self.is_incomplete() => {
                let is_removed = |membership: &Membership| removed.contains(&client.room_key(&membership.room));
                let (left, missing): (Vec<_>, Vec<_>) = end.left.into_iter().partition(is_removed);
                // What waited to be put back was reported when it was lost.
                end.unexplained = missing.into_iter().filter(|membership| membership.told).collect();
                end.left = left;
            }
            Ok(_) => {}
            Err(StateError::Fenced) => end.reported |= self.was_reaped(before).await,
            Err(error) => {
                tracing::debug!(target: "roomwire", client = %Printable(client.id()), error = %Printable(&error), "the store is told later of a disconnect");
                self.owe(Debt::Disconnect(client.key().clone()));
            }
        }
        end
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
