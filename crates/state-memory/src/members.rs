//! Memberships: joining, leaving and reading.

use roomwire_core::{
    ClientKey, Incarnation, JoinOutcome, MemberRecord, Page, PageRequest, RoomKey, RoomUid, StateError, Timestamp,
};

use crate::{
    table,
    world::{RoomEntry, World},
};

impl World {
    pub(crate) fn join(
        &mut self,
        life: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        now: Timestamp,
    ) -> Result<JoinOutcome, StateError> {
        let is_here = self.client_of(life, client)?.is_some() && client.namespace == room.namespace;
        if !is_here {
            return Err(StateError::ClientNotFound);
        }
        let (uid, created) = match self.rooms.get(&room.namespace, &room.room) {
            Some(entry) if entry.members.contains_key(&client.client) => {
                return Ok(JoinOutcome { uid: entry.uid, newly_joined: false, created: false });
            }
            Some(entry) => {
                entry.admits()?;
                (entry.uid, false)
            }
            None => {
                let entry = RoomEntry::new(RoomUid::random(), now);
                let uid = entry.uid;
                self.rooms.insert(&room.namespace, &room.room, entry);
                (uid, true)
            }
        };
        self.add_member(life, client, room, now);
        Ok(JoinOutcome { uid, newly_joined: true, created })
    }

    pub(crate) fn leave(
        &mut self,
        life: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.lives.check(life)?;
        Ok(self.end_membership(life, client, room, now))
    }

    /// Makes a client of this life a member of a room that exists, whatever the room says.
    pub(crate) fn add_member(&mut self, life: &Incarnation, client: &ClientKey, room: &RoomKey, now: Timestamp) {
        let Some(entry) = self.rooms.get_mut(&room.namespace, &room.room) else { return };
        if entry.members.insert(client.client.clone(), life.node().clone()).is_none() {
            entry.updated_at = now;
        }
        if let Some(member) = self.own_client(life, client) {
            member.rooms.insert(room.room.clone());
        }
    }

    pub(crate) fn member_page(&self, room: &RoomKey, wanted: &PageRequest) -> Page<MemberRecord> {
        let members = self.rooms.get(&room.namespace, &room.room).map(|entry| &entry.members);
        table::page(members, wanted, |client, node| MemberRecord { client: client.clone(), node: node.clone() })
    }

    pub(crate) fn member_count(&self, room: &RoomKey) -> u64 {
        self.rooms.get(&room.namespace, &room.room).map_or(0, |entry| entry.members.len() as u64)
    }
}

impl RoomEntry {
    /// Whether somebody who is no member may join.
    fn admits(&self) -> Result<(), StateError> {
        if self.closed {
            return Err(StateError::RoomClosed);
        }
        match self.capacity {
            Some(capacity) if self.members.len() >= capacity as usize => Err(StateError::RoomFull),
            _ => Ok(()),
        }
    }
}
