//! Rooms: creating, changing, deleting and reading.

use roomwire_core::{
    DeletedRoom, DeletionId, Namespace, NewRoom, Page, PageRequest, RoomChange, RoomId, RoomKey, RoomSummary, RoomUid,
    StateError, Timestamp, WebSocketRoom,
};

use crate::state::{RoomEntry, State};

impl State {
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
            is_kept: new.keep_when_empty,
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

    pub(crate) fn delete_room(&mut self, room: &RoomKey, deletion: DeletionId, now: Timestamp) -> Option<DeletedRoom> {
        if let Some(answer) = self.removals.answer(deletion) {
            return answer;
        }
        let entry = self.rooms.remove(&room.namespace, &room.room)?;
        self.removals.note_deleted_room(entry.uid, now);
        for client in entry.members.keys() {
            if let Some(member) = self.clients.get_mut(&room.namespace, client) {
                member.rooms.remove(&room.room);
                self.removals.note_deleted(&member.incarnation, client, entry.uid, now);
            }
        }
        let deleted = DeletedRoom { uid: entry.uid, members: entry.members.into_keys().collect() };
        self.removals.note_answer(deletion, Some(deleted.clone()), now);
        Some(deleted)
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
