//! Rooms: creating, changing, deleting and reading.

use roomwire_core::{
    DeletedRoom, MemberRecord, Namespace, NewRoom, Page, PageRequest, RoomChange, RoomId, RoomKey, RoomSummary,
    RoomUid, StateError, Timestamp, WebSocketRoom,
};

use crate::world::{RoomEntry, World};

impl World {
    pub(crate) fn create_room(
        &mut self,
        room: &RoomKey,
        new: &NewRoom,
        now: Timestamp,
    ) -> Result<WebSocketRoom, StateError> {
        if self.rooms.get(&room.namespace, &room.room).is_some() {
            return Err(StateError::RoomExists);
        }
        let entry = RoomEntry {
            name: new.name.clone(),
            capacity: new.capacity,
            created_by_name: true,
            metadata: new.metadata.clone(),
            ..RoomEntry::new(RoomUid::random(), now)
        };
        let record = entry.record(&room.room);
        self.rooms.insert(&room.namespace, &room.room, entry);
        Ok(record)
    }

    pub(crate) fn change_room(
        &mut self,
        room: &RoomKey,
        change: &RoomChange,
        now: Timestamp,
    ) -> Result<WebSocketRoom, StateError> {
        let is_missing = self.rooms.get(&room.namespace, &room.room).is_none();
        if is_missing && *change == RoomChange::Close {
            self.rooms.insert(&room.namespace, &room.room, RoomEntry::new(RoomUid::random(), now));
        }
        let entry = self.rooms.get_mut(&room.namespace, &room.room).ok_or(StateError::RoomNotFound)?;
        match change {
            RoomChange::Close => entry.closed = true,
            RoomChange::Open => entry.closed = false,
            RoomChange::Capacity(capacity) => entry.capacity = *capacity,
            RoomChange::Metadata(metadata) => entry.metadata.clone_from(metadata),
        }
        entry.updated_at = now;
        Ok(entry.record(&room.room))
    }

    pub(crate) fn delete_room(&mut self, room: &RoomKey) -> Option<DeletedRoom> {
        let entry = self.rooms.remove(&room.namespace, &room.room)?;
        for client in entry.members.keys() {
            if let Some(member) = self.clients.get_mut(&room.namespace, client) {
                member.rooms.remove(&room.room);
            }
        }
        let members = entry.members.into_iter().map(|(client, node)| MemberRecord { client, node });
        Some(DeletedRoom { uid: entry.uid, members: members.collect() })
    }

    pub(crate) fn room(&self, room: &RoomKey) -> Option<WebSocketRoom> {
        self.rooms.get(&room.namespace, &room.room).map(|entry| entry.record(&room.room))
    }

    pub(crate) fn room_page(&self, namespace: &Namespace, wanted: &PageRequest) -> Page<RoomSummary> {
        self.rooms.page(namespace, wanted, |id, entry| entry.summary(id))
    }
}

impl RoomEntry {
    fn record(&self, id: &RoomId) -> WebSocketRoom {
        WebSocketRoom {
            id: id.clone(),
            name: self.shown_name(id),
            clients: self.members.keys().cloned().collect(),
            metadata: self.metadata.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            capacity: self.capacity,
            closed: self.closed,
        }
    }

    fn summary(&self, id: &RoomId) -> RoomSummary {
        RoomSummary {
            id: id.clone(),
            name: self.shown_name(id),
            members: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            capacity: self.capacity,
            closed: self.closed,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn shown_name(&self, id: &RoomId) -> String {
        self.name.clone().unwrap_or_else(|| id.to_string())
    }
}
