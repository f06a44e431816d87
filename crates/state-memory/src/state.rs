//! The state that the nodes of a hub share, and its invariants.

use std::collections::{BTreeMap, BTreeSet};

use roomwire_core::{
    ClientId, ClientKey, Incarnation, Metadata, RoomId, RoomKey, RoomUid, StateError, Timestamp, UserId,
};

use crate::{lease::Incarnations, removals::Removals, revocations::Revocations, table::Table, users::Users};

/// The shared state. It is behind one lock, and its methods maintain these invariants:
///
/// * a client is in a room's members exactly when the room is in the client's rooms,
/// * a client is in the index of exactly one incarnation, the one that registered it,
/// * a client is in the index of the user that its record names, and in no other,
/// * a room without members was created by name, or was closed.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) incarnations: Incarnations,
    pub(crate) clients: Table<ClientId, ClientEntry>,
    pub(crate) rooms: Table<RoomId, RoomEntry>,
    pub(crate) users: Users,
    pub(crate) revocations: Revocations,
    pub(crate) removals: Removals,
}

#[derive(Debug)]
pub(crate) struct ClientEntry {
    /// The incarnation that registered it. Writes of another incarnation to this client are ignored.
    pub(crate) incarnation: Incarnation,
    pub(crate) user: Option<UserId>,
    pub(crate) metadata: Metadata,
    pub(crate) connected_at: Timestamp,
    pub(crate) last_active_at: Timestamp,
    /// Of the client's namespace.
    pub(crate) rooms: BTreeSet<RoomId>,
}

#[derive(Debug)]
pub(crate) struct RoomEntry {
    pub(crate) uid: RoomUid,
    pub(crate) name: Option<String>,
    pub(crate) capacity: Option<u32>,
    pub(crate) closed: bool,
    /// Whether it is kept without members.
    pub(crate) is_kept: bool,
    pub(crate) metadata: Metadata,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) members: BTreeMap<ClientId, Incarnation>,
}

impl RoomEntry {
    /// An open room that was not created by name.
    pub(crate) fn new(uid: RoomUid, now: Timestamp) -> Self {
        Self {
            uid,
            name: None,
            capacity: None,
            closed: false,
            is_kept: false,
            metadata: Metadata::new(),
            created_at: now,
            updated_at: now,
            members: BTreeMap::new(),
        }
    }
}

impl State {
    /// A client, if it belongs to this incarnation.
    pub(crate) fn own_client(&mut self, incarnation: &Incarnation, client: &ClientKey) -> Option<&mut ClientEntry> {
        self.clients.get_mut(&client.namespace, &client.client).filter(|entry| entry.incarnation == *incarnation)
    }

    /// Like [`Self::own_client`], for an incarnation that must hold its lease.
    pub(crate) fn client_of(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
    ) -> Result<Option<&mut ClientEntry>, StateError> {
        self.incarnations.check(incarnation)?;
        Ok(self.own_client(incarnation, client))
    }

    /// Ends a membership; returns false if there was none of this incarnation.
    pub(crate) fn end_membership(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        now: Timestamp,
    ) -> bool {
        let own_rooms = self.own_client(incarnation, client).map(|entry| &mut entry.rooms);
        let ended = client.namespace == room.namespace && own_rooms.is_some_and(|rooms| rooms.remove(&room.room));
        if ended {
            self.remove_member(room, &client.client, now);
        }
        ended
    }

    /// Removes a client from a room's members. Removes the room with the last member, unless it was created by name or
    /// is closed.
    fn remove_member(&mut self, room: &RoomKey, client: &ClientId, now: Timestamp) {
        let Some(entry) = self.rooms.get_mut(&room.namespace, &room.room) else { return };
        if entry.members.remove(client).is_none() {
            return;
        }
        entry.updated_at = now;
        if entry.members.is_empty() && !entry.is_kept && !entry.closed {
            self.rooms.remove(&room.namespace, &room.room);
        }
    }

    /// Removes a client of any incarnation with all its memberships; returns its rooms, sorted.
    pub(crate) fn remove_client(&mut self, client: &ClientKey, now: Timestamp) -> Vec<RoomKey> {
        let Some(entry) = self.clients.remove(&client.namespace, &client.client) else { return Vec::new() };
        self.incarnations.disown(&entry.incarnation, client);
        self.users.disown(entry.user.as_ref(), client);
        let rooms = entry.rooms.into_iter().map(|room| RoomKey::new(client.namespace.clone(), room));
        rooms.inspect(|room| self.remove_member(room, &client.client, now)).collect()
    }
}
