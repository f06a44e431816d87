//! Everything the nodes of a hub have in common, and what always holds between its parts.

use std::collections::{BTreeMap, BTreeSet};

use roomwire_core::{
    ClientId, ClientKey, Incarnation, Metadata, NodeId, RoomId, RoomKey, RoomUid, StateError, Timestamp, UserId,
};

use crate::{lease::Lives, revocations::Revocations, table::Table, users::Users};

/// The truth. It lies behind one lock, and its methods leave it so that
///
/// * a client stands in a room's members exactly when the room stands in the client's rooms,
/// * a client stands in the index of exactly one life, the one that registered it,
/// * a client stands in the index of the user that its record names, and in no other,
/// * a room without members was created by name, or was closed.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) lives: Lives,
    pub(crate) clients: Table<ClientId, ClientEntry>,
    pub(crate) rooms: Table<RoomId, RoomEntry>,
    pub(crate) users: Users,
    pub(crate) revocations: Revocations,
}

#[derive(Debug)]
pub(crate) struct ClientEntry {
    /// Who registered it. What another life says about this client does not count.
    pub(crate) life: Incarnation,
    pub(crate) user: Option<UserId>,
    pub(crate) metadata: Metadata,
    pub(crate) connected_at: Timestamp,
    pub(crate) last_active_at: Timestamp,
    /// In the namespace of the client.
    pub(crate) rooms: BTreeSet<RoomId>,
}

#[derive(Debug)]
pub(crate) struct RoomEntry {
    pub(crate) uid: RoomUid,
    pub(crate) name: Option<String>,
    pub(crate) capacity: Option<u32>,
    pub(crate) closed: bool,
    /// Whether it stays without members.
    pub(crate) created_by_name: bool,
    pub(crate) metadata: Metadata,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) members: BTreeMap<ClientId, NodeId>,
}

impl RoomEntry {
    /// A room that nobody created by name, open to everybody.
    pub(crate) fn new(uid: RoomUid, now: Timestamp) -> Self {
        Self {
            uid,
            name: None,
            capacity: None,
            closed: false,
            created_by_name: false,
            metadata: Metadata::new(),
            created_at: now,
            updated_at: now,
            members: BTreeMap::new(),
        }
    }
}

impl World {
    /// A client, when it is this life's.
    pub(crate) fn own_client(&mut self, life: &Incarnation, client: &ClientKey) -> Option<&mut ClientEntry> {
        self.clients.get_mut(&client.namespace, &client.client).filter(|entry| entry.life == *life)
    }

    /// As [`Self::own_client`], for a life that must hold its lease.
    pub(crate) fn client_of(
        &mut self,
        life: &Incarnation,
        client: &ClientKey,
    ) -> Result<Option<&mut ClientEntry>, StateError> {
        self.lives.check(life)?;
        Ok(self.own_client(life, client))
    }

    /// Ends a membership; false when there was none of this life's.
    pub(crate) fn end_membership(
        &mut self,
        life: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        now: Timestamp,
    ) -> bool {
        let own_rooms = self.own_client(life, client).map(|entry| &mut entry.rooms);
        let ended = client.namespace == room.namespace && own_rooms.is_some_and(|rooms| rooms.remove(&room.room));
        if ended {
            self.remove_member(room, &client.client, now);
        }
        ended
    }

    /// Takes a client out of a room's members. The room ceases to exist with the last one, unless
    /// something keeps it.
    fn remove_member(&mut self, room: &RoomKey, client: &ClientId, now: Timestamp) {
        let Some(entry) = self.rooms.get_mut(&room.namespace, &room.room) else { return };
        if entry.members.remove(client).is_none() {
            return;
        }
        entry.updated_at = now;
        if entry.members.is_empty() && !entry.created_by_name && !entry.closed {
            self.rooms.remove(&room.namespace, &room.room);
        }
    }

    /// Removes a client, whoever's it is, with all its memberships; returns its rooms, sorted.
    pub(crate) fn remove_client(&mut self, client: &ClientKey, now: Timestamp) -> Vec<RoomKey> {
        let Some(entry) = self.clients.remove(&client.namespace, &client.client) else { return Vec::new() };
        self.lives.disown(&entry.life, client);
        self.users.disown(entry.user.as_ref(), client);
        let rooms = entry.rooms.into_iter().map(|room| RoomKey::new(client.namespace.clone(), room));
        rooms.inspect(|room| self.remove_member(room, &client.client, now)).collect()
    }
}
