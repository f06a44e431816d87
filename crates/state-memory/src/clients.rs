//! Clients: connecting, disconnecting, putting back and reading.

use std::collections::BTreeSet;

use roomwire_core::{
    ClientId, ClientKey, Incarnation, LiveClient, Metadata, Namespace, NewClient, NodeId, Page, PageRequest, RoomKey,
    StateError, Timestamp, WebSocketClient,
};

use crate::world::{ClientEntry, RoomEntry, World};

impl World {
    pub(crate) fn connect(&mut self, life: &Incarnation, new: &NewClient, now: Timestamp) -> Result<(), StateError> {
        self.lives.check(life)?;
        self.register(life, new, now);
        Ok(())
    }

    pub(crate) fn disconnect(
        &mut self,
        life: &Incarnation,
        client: &ClientKey,
        now: Timestamp,
    ) -> Result<Vec<RoomKey>, StateError> {
        let is_own = self.client_of(life, client)?.is_some();
        Ok(if is_own { self.remove_client(client, now) } else { Vec::new() })
    }

    pub(crate) fn restore(
        &mut self,
        life: &Incarnation,
        alive: &[LiveClient],
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.lives.check(life)?;
        for LiveClient { client, rooms } in alive {
            self.register(life, client, now);
            for (room, uid) in rooms.iter().filter(|(room, _)| room.namespace == client.key.namespace) {
                if self.rooms.get(&room.namespace, &room.room).is_none() {
                    self.rooms.insert(&room.namespace, &room.room, RoomEntry::new(*uid, now));
                }
                self.add_member(life, &client.key, room, now);
            }
        }
        Ok(())
    }

    pub(crate) fn set_client_metadata(
        &mut self,
        life: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        let entry = self.client_of(life, client)?.ok_or(StateError::ClientNotFound)?;
        entry.metadata.clone_from(metadata);
        Ok(())
    }

    pub(crate) fn touch(&mut self, life: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError> {
        self.lives.check(life)?;
        for (client, at) in seen {
            if let Some(entry) = self.own_client(life, client) {
                entry.last_active_at = entry.last_active_at.max(*at);
            }
        }
        Ok(())
    }

    pub(crate) fn client(&self, client: &ClientKey) -> Option<WebSocketClient> {
        self.clients.get(&client.namespace, &client.client).map(|entry| entry.record(&client.client))
    }

    pub(crate) fn locate(&self, client: &ClientKey) -> Option<NodeId> {
        self.clients.get(&client.namespace, &client.client).map(|entry| entry.life.node().clone())
    }

    pub(crate) fn client_page(&self, namespace: &Namespace, wanted: &PageRequest) -> Page<WebSocketClient> {
        self.clients.page(namespace, wanted, |id, entry| entry.record(id))
    }

    /// Makes a client this life's. What it was a member of under another life, it is no more.
    fn register(&mut self, life: &Incarnation, new: &NewClient, now: Timestamp) {
        let key = &new.key;
        let known = self.own_client(life, key).map(|known| (std::mem::take(&mut known.rooms), known.user.take()));
        let rooms = match known {
            Some((rooms, user)) => {
                self.users.disown(user.as_ref(), key);
                rooms
            }
            None => {
                self.remove_client(key, now);
                BTreeSet::new()
            }
        };
        self.users.own(new.user.as_ref(), key);
        let entry = ClientEntry {
            life: life.clone(),
            user: new.user.clone(),
            metadata: new.metadata.clone(),
            connected_at: new.connected_at,
            last_active_at: new.connected_at,
            rooms,
        };
        self.clients.insert(&key.namespace, &key.client, entry);
        self.lives.own(life, key);
    }
}

impl ClientEntry {
    fn record(&self, id: &ClientId) -> WebSocketClient {
        WebSocketClient {
            id: id.clone(),
            rooms: self.rooms.iter().cloned().collect(),
            metadata: self.metadata.clone(),
            connected_at: self.connected_at,
            last_active_at: self.last_active_at,
            user: self.user.clone(),
            node: self.life.node().clone(),
        }
    }
}
