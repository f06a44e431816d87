//! Memberships: joining, leaving and reading.

use roomwire_core::{
    ClientKey, Incarnation, JoinOutcome, Member, Page, PageRequest, RoomKey, RoomUid, StateError, Timestamp,
};

use crate::{
    state::{RoomEntry, State},
    table,
};

impl State {
    pub(crate) fn join(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        now: Timestamp,
    ) -> Result<JoinOutcome, StateError> {
        let is_here = self.client_of(incarnation, client)?.is_some() && client.namespace == room.namespace;
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
        self.add_member(incarnation, client, room, now);
        Ok(JoinOutcome { uid, newly_joined: true, created })
    }

    pub(crate) fn leave(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.incarnations.check(incarnation)?;
        Ok(self.end_membership(incarnation, client, room, now))
    }

    /// Makes a client of this incarnation a member of an existing room, without checking capacity and closing.
    pub(crate) fn add_member(&mut self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey, now: Timestamp) {
        let Some(entry) = self.rooms.get_mut(&room.namespace, &room.room) else { return };
        if entry.members.insert(client.client.clone(), incarnation.clone()).is_none() {
            entry.updated_at = now;
        }
        if let Some(member) = self.own_client(incarnation, client) {
            member.rooms.insert(room.room.clone());
        }
    }

    pub(crate) fn member_page(&self, room: &RoomKey, wanted: &PageRequest) -> Page<Member> {
        let members = self.rooms.get(&room.namespace, &room.room).map(|entry| &entry.members);
        table::page(members, wanted, |client, incarnation| Member {
            client: client.clone(),
            incarnation: incarnation.clone(),
        })
    }

    pub(crate) fn member_count(&self, room: &RoomKey) -> u64 {
        self.rooms.get(&room.namespace, &room.room).map_or(0, |entry| entry.members.len() as u64)
    }
}

impl RoomEntry {
    /// Whether a client that is not a member may join.
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
