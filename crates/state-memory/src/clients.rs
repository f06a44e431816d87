//! Clients: connecting, disconnecting, restoring and reading.

use std::collections::BTreeSet;

use roomwire_core::{
    ClientId, ClientKey, Incarnation, LiveClient, Metadata, Namespace, NewClient, Page, PageRequest,
    RestoredDifferently, RoomKey, RoomUid, StateError, Timestamp, WebSocketClient,
};

use crate::state::{ClientEntry, RoomEntry, State};

impl State {
    pub(crate) fn connect(
        &mut self,
        incarnation: &Incarnation,
        new: &NewClient,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.incarnations.check(incarnation)?;
        self.register(incarnation, new, now);
        Ok(())
    }

    pub(crate) fn disconnect(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        now: Timestamp,
    ) -> Result<Vec<RoomKey>, StateError> {
        let is_own = self.client_of(incarnation, client)?.is_some();
        Ok(if is_own { self.remove_client(client, now) } else { Vec::new() })
    }

    pub(crate) fn restore(
        &mut self,
        incarnation: &Incarnation,
        alive: &[LiveClient],
        now: Timestamp,
    ) -> Result<Vec<RestoredDifferently>, StateError> {
        self.incarnations.check(incarnation)?;
        let mut differences = Vec::new();
        for LiveClient { client, rooms } in alive {
            self.register(incarnation, client, now);
            for (room, given) in rooms.iter().filter(|(room, _)| room.namespace == client.key.namespace) {
                let is_member =
                    self.own_client(incarnation, &client.key).is_some_and(|entry| entry.rooms.contains(&room.room));
                let is_put_back = is_member || !self.removals.is_deleted(*given);
                let uid = is_put_back.then(|| self.restore_member(incarnation, &client.key, room, *given, now));
                if uid != Some(*given) {
                    differences.push(RestoredDifferently { client: client.key.clone(), room: room.clone(), uid });
                }
            }
        }
        Ok(differences)
    }

    /// Returns the uid of the room.
    fn restore_member(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        given: RoomUid,
        now: Timestamp,
    ) -> RoomUid {
        let known = self.rooms.get(&room.namespace, &room.room).map(|entry| entry.uid);
        if known.is_none() {
            self.rooms.insert(&room.namespace, &room.room, RoomEntry::new(given, now));
        }
        self.add_member(incarnation, client, room, now);
        known.unwrap_or(given)
    }

    pub(crate) fn set_client_metadata(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        let entry = self.client_of(incarnation, client)?.ok_or(StateError::ClientNotFound)?;
        entry.metadata.clone_from(metadata);
        Ok(())
    }

    pub(crate) fn touch(
        &mut self,
        incarnation: &Incarnation,
        seen: &[(ClientKey, Timestamp)],
    ) -> Result<(), StateError> {
        self.incarnations.check(incarnation)?;
        for (client, at) in seen {
            if let Some(entry) = self.own_client(incarnation, client) {
                entry.last_active_at = entry.last_active_at.max(*at);
            }
        }
        Ok(())
    }

    pub(crate) fn client(&self, client: &ClientKey) -> Option<WebSocketClient> {
        self.clients.get(&client.namespace, &client.client).map(|entry| entry.record(&client.client))
    }

    pub(crate) fn locate(&self, client: &ClientKey) -> Option<Incarnation> {
        self.clients.get(&client.namespace, &client.client).map(|entry| entry.incarnation.clone())
    }

    pub(crate) fn client_page(&self, namespace: &Namespace, wanted: &PageRequest) -> Page<WebSocketClient> {
        self.clients.page(namespace, wanted, |id, entry| entry.record(id))
    }

    /// Moves a client to this incarnation. Ends its memberships under another incarnation.
    fn register(&mut self, incarnation: &Incarnation, new: &NewClient, now: Timestamp) {
        let key = &new.key;
        let known =
            self.own_client(incarnation, key).map(|known| (std::mem::take(&mut known.rooms), known.user.take()));
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
            incarnation: incarnation.clone(),
            user: new.user.clone(),
            metadata: new.metadata.clone(),
            connected_at: new.connected_at,
            last_active_at: new.connected_at,
            rooms,
        };
        self.clients.insert(&key.namespace, &key.client, entry);
        self.incarnations.own(incarnation, key);
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
            node: self.incarnation.node().clone(),
        }
    }
}
