//! Rooms: creating, changing, deleting and reading.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use roomwire_core::{
    Channel, ClientId, ClientKey, DeletedRoom, DeletionId, Incarnation, Namespace, NewRoom, Page, PageRequest,
    RoomChange, RoomId, RoomKey, RoomSummary, RoomUid, StateError, Timestamp, WebSocketRoom,
};
use tokio::time::timeout;

use crate::{
    cached_rooms::Settings,
    cursor::{Found, Pager},
    frame,
    keys::{Partition, room_name},
    pending_cleanup::Leftover,
    reply::corrupt,
    router::Repeat,
    script,
    state::{Shared, args},
};

/// uid, name, capacity, closed, metadata, created, updated, version, members.
type Record = (u64, Option<String>, Option<u32>, Option<String>, Option<String>, u64, u64, Option<u64>, Vec<Vec<u8>>);
/// uid, name, capacity, closed, created, updated.
type Summary = (u64, Option<String>, Option<u32>, Option<String>, u64, u64);

impl Shared {
    pub(crate) async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError> {
        let name = new.name.clone().unwrap_or_default();
        let capacity = new.capacity.map_or_else(String::new, |capacity| capacity.to_string());
        let (metadata, keep) = (metadata_text(&new.metadata), if new.keep_when_empty { "1" } else { "" });
        let args = args![room_name(room), RoomUid::random().as_u64(), name, capacity, metadata, keep];
        let mut reply = self.run(&script::CREATE, self.router.keys.of_room(room), &args, Repeat::Never).await?;
        record(room, reply.next()?)
    }

    pub(crate) async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError> {
        let (field, value) = match change {
            RoomChange::Close => ("closed", "1".to_owned()),
            RoomChange::Open => ("closed", String::new()),
            RoomChange::Capacity(capacity) => ("cap", capacity.map_or_else(String::new, |most| most.to_string())),
            RoomChange::Metadata(metadata) => ("meta", metadata_text(metadata)),
        };
        let creates = u8::from(*change == RoomChange::Close);
        let (channel, _) = self.router.keys.channel(&Channel::Room(room.clone()));
        let mut args = args![room_name(room), RoomUid::random().as_u64(), field, value, creates, channel];
        args.push(frame::settings_head().to_vec());
        let mut reply = self.run(&script::ROOM_SETTINGS, self.router.keys.of_room(room), &args, Repeat::Always).await?;
        let (version, fields) = (reply.next()?, reply.next_value());
        let read: Record = reply.next()?;
        if self.rooms.get(&room_name(room)).is_some()
            && let Some(settings) = Settings::read(version, RoomUid::from_u64(read.0), fields)
        {
            self.rooms.note(room, settings);
        }
        record(room, read)
    }

    /// With `resolves`, resolves a deletion instead, which is cancelled if it has not taken place by now.
    pub(crate) async fn delete_room(
        self: &Arc<Self>,
        room: &RoomKey,
        deletion: DeletionId,
        resolves: bool,
    ) -> Result<Option<DeletedRoom>, StateError> {
        let single = u8::from(self.router.keys.is_single());
        let args = args![room_name(room), single, deletion.as_u64(), u8::from(resolves)];
        let mut reply = self.run(&script::DELETE, self.router.keys.of_room(room), &args, Repeat::Always).await?;
        let Some(uid) = reply.next::<Option<u64>>()? else { return Ok(None) };
        let listed: Vec<(Vec<u8>, Option<Vec<u8>>)> = reply.next()?;
        self.rooms.forget(room);
        let listed = listed.into_iter().filter_map(|(id, incarnation)| Some((client_id(id)?, incarnation)));
        let listed = Vec::from_iter(listed);
        let members = listed.iter().map(|(client, _)| client.clone()).collect();
        if single == 0 {
            self.unclaim(room, listed).await;
        }
        Ok(Some(DeletedRoom { uid: RoomUid::from_u64(uid), members }))
    }

    /// Removes a deleted room from the records of its clients in the other partitions. The room is already deleted, so
    /// the caller does not wait long: the heartbeats do the rest.
    async fn unclaim(self: &Arc<Self>, room: &RoomKey, listed: Vec<(ClientId, Option<Vec<u8>>)>) {
        let mut groups = BTreeMap::<(Partition, Incarnation), Vec<(ClientId, RoomKey)>>::new();
        for (client, incarnation) in listed {
            let incarnation = incarnation.and_then(|incarnation| String::from_utf8(incarnation).ok()?.parse().ok());
            let Some(incarnation) = incarnation else { continue };
            let partition = self.router.keys.of_client(&ClientKey::new(room.namespace.clone(), client.clone()));
            groups.entry((partition, incarnation)).or_default().push((client, room.clone()));
        }
        let pending_cleanup = groups.into_iter().map(|((partition, incarnation), memberships)| {
            Leftover::new(partition, incarnation, "unclaim", memberships)
        });
        let (shared, noted) = (self.clone(), self.note_leftovers(pending_cleanup));
        let cleared = tokio::spawn(async move {
            join_all(noted.iter().map(|noted| shared.clear(None, noted))).await;
        });
        let _ = timeout(self.router.timeout / 4, cleared).await;
    }

    pub(crate) async fn room(&self, room: &RoomKey) -> Result<Option<WebSocketRoom>, StateError> {
        let args = args!["room", room_name(room)];
        let mut reply = self.run(&script::READ, self.router.keys.of_room(room), &args, Repeat::Always).await?;
        reply.next::<Option<Record>>()?.map(|read| record(room, read)).transpose()
    }

    pub(crate) async fn room_page(
        &self,
        namespace: &Namespace,
        wanted: &PageRequest,
    ) -> Result<Page<RoomSummary>, StateError> {
        let partitions: Vec<_> = self.router.keys.partitions().collect();
        let mut pager = Pager::new(wanted, partitions.len());
        while let Some(step) = pager.step() {
            let args = args!["rooms", step.scan, step.count, namespace];
            let mut reply = self.run(&script::SCAN, partitions[step.list], &args, Repeat::Always).await?;
            let next = reply.next()?;
            let rooms: Vec<(String, Summary, u32)> = reply.next_readable()?;
            let items = rooms.into_iter().filter_map(|(id, read, members)| {
                let summary = summary(&id, read, members)?;
                Some((id, summary))
            });
            pager.take(Found { next, items: items.collect() });
        }
        Ok(pager.page())
    }

    pub(crate) async fn room_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        self.count_all(|partition| self.router.keys.rooms(partition, namespace)).await
    }
}

fn record(room: &RoomKey, read: Record) -> Result<WebSocketRoom, StateError> {
    let (_, name, capacity, closed, metadata, created, updated, _, members) = read;
    let mut clients = Vec::from_iter(members.into_iter().filter_map(client_id));
    clients.sort();
    Ok(WebSocketRoom {
        id: room.room.clone(),
        name: name.unwrap_or_else(|| room.room.to_string()),
        clients,
        metadata: metadata_of(metadata)?,
        created_at: Timestamp::from_millis(created),
        updated_at: Timestamp::from_millis(updated),
        capacity,
        closed: closed.as_deref() == Some("1"),
    })
}

/// A member's id. `None` if another program wrote an invalid field.
fn client_id(bytes: Vec<u8>) -> Option<ClientId> {
    ClientId::new(String::from_utf8(bytes).ok()?).ok()
}

fn summary(id: &str, read: Summary, members: u32) -> Option<RoomSummary> {
    let (_, name, capacity, closed, created, updated) = read;
    let id = RoomId::new(id).ok()?;
    Some(RoomSummary {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        members,
        capacity,
        closed: closed.as_deref() == Some("1"),
        created_at: Timestamp::from_millis(created),
        updated_at: Timestamp::from_millis(updated),
    })
}

/// An argument of a script: empty for `None`.
pub(crate) fn metadata_text(metadata: &roomwire_core::Metadata) -> String {
    if metadata.is_empty() {
        return String::new();
    }
    serde_json::to_string(metadata).unwrap_or_else(|error| unreachable!("a map of JSON values is JSON: {error}"))
}

/// As returned by scripts.
pub(crate) fn metadata_of(text: Option<String>) -> Result<roomwire_core::Metadata, StateError> {
    text.map_or_else(
        || Ok(roomwire_core::Metadata::new()),
        |text| serde_json::from_str(&text).map_err(|_| corrupt("metadata", &text)),
    )
}
