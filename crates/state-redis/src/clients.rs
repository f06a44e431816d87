//! Clients: connecting, disconnecting, putting back and reading.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use roomwire_core::{
    ClientId, ClientKey, Incarnation, LiveClient, Metadata, Namespace, NewClient, NodeId, Page, PageRequest, RoomId,
    RoomKey, StateError, Timestamp, UserId, WebSocketClient,
};
use serde::Serialize;

use crate::{
    cached_rooms::Settings,
    cursor::{Found, Pager},
    keys::{Partition, room_name},
    reply::corrupt,
    rooms::{metadata_of, metadata_text},
    router::Repeat,
    script,
    state::{Shared, args},
};

/// How many memberships one script puts back: everybody else waits for it.
const RESTORED_AT_ONCE: usize = 1000;

/// What a call of `restore.lua` puts back.
#[derive(Debug, Default, Serialize)]
struct Restored {
    clients: Vec<(String, String, String, String, String, Vec<String>)>,
    members: Vec<(String, String, String, String)>,
    rooms: BTreeMap<String, (u64, Vec<Option<String>>, String)>,
}

/// A client as a script says it: id, life, fields and values.
pub(crate) type Record = (String, Option<String>, Vec<(String, String)>);

impl Shared {
    pub(crate) async fn connect(&self, life: &Incarnation, client: &NewClient) -> Result<(), StateError> {
        let alive = LiveClient { client: client.clone(), rooms: Vec::new() };
        self.restore(life, std::slice::from_ref(&alive)).await
    }

    pub(crate) async fn restore(&self, life: &Incarnation, alive: &[LiveClient]) -> Result<(), StateError> {
        if self.router.keys.is_single() {
            return self.restore_in_one(life, alive).await;
        }
        let _changes = self.clients.hold(alive.iter().map(|live| &live.client.key)).await;
        let mut records = BTreeMap::<Partition, Restored>::new();
        let mut members = BTreeMap::<Partition, Restored>::new();
        for live in alive {
            let record = records.entry(self.router.keys.of_client(&live.client.key)).or_default();
            record.clients.push(client_entry(live));
            for (room, uid) in own_rooms(live) {
                let place = members.entry(self.router.keys.of_room(room)).or_default();
                place.add_member(&live.client.key.client, room, *uid, self.rooms.get(&room_name(room)));
            }
        }
        if records.is_empty() {
            // Also without clients, a life without a lease is refused.
            records.entry(Partition::LEASES).or_default();
        }
        let moved =
            try_join_all(records.iter().map(|(partition, given)| self.put_back(*partition, life, given))).await?;
        for (whose, memberships) in by_life(moved.into_iter().flatten()) {
            self.expel(Some(life), &whose, memberships).await?;
        }
        try_join_all(members.iter().map(|(partition, given)| self.put_back(*partition, life, given))).await?;
        Ok(())
    }

    async fn restore_in_one(&self, life: &Incarnation, alive: &[LiveClient]) -> Result<(), StateError> {
        let mut given = Restored::default();
        for live in alive {
            if given.members.len() + live.rooms.len() > RESTORED_AT_ONCE && !given.clients.is_empty() {
                self.put_back(Partition::LEASES, life, &std::mem::take(&mut given)).await?;
            }
            given.clients.push(client_entry(live));
            for (room, uid) in own_rooms(live) {
                given.add_member(&live.client.key.client, room, *uid, self.rooms.get(&room_name(room)));
            }
        }
        self.put_back(Partition::LEASES, life, &given).await.map(drop)
    }

    /// Returns what clients were members of under other lives, and what has to end in other partitions.
    async fn put_back(
        &self,
        partition: Partition,
        life: &Incarnation,
        given: &Restored,
    ) -> Result<Vec<(String, String, String, String)>, StateError> {
        let json = serde_json::to_string(given).map_err(|error| StateError::unavailable(error.to_string()))?;
        let args = args![life, u8::from(self.router.keys.is_single()), json];
        self.write(&script::RESTORE, partition, life, &args, Repeat::Always).await?.next()
    }

    pub(crate) async fn disconnect(&self, life: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError> {
        let _changes = self.clients.hold([client]).await;
        let (partition, single) = (self.router.keys.of_client(client), self.router.keys.is_single());
        let args = args![life, client.namespace, client.client, u8::from(single)];
        // The second answer would name no rooms.
        let mut reply = self.write(&script::DISCONNECT, partition, life, &args, Repeat::Never).await?;
        let mut rooms = Vec::new();
        for id in reply.next::<Vec<String>>()? {
            let id = RoomId::new(&id).map_err(|_| corrupt("the id of a room", &id))?;
            rooms.push(RoomKey::new(client.namespace.clone(), id));
        }
        if !single {
            let memberships = rooms.into_iter().map(|room| (client.client.clone(), room)).collect();
            rooms = self.expel(Some(life), life, memberships).await?.into_iter().map(|(_, room)| room).collect();
        }
        rooms.sort();
        Ok(rooms)
    }

    pub(crate) async fn set_client_metadata(
        &self,
        life: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        let partition = self.router.keys.of_client(client);
        let args = args![life, client.namespace, client.client, metadata_text(metadata)];
        self.write(&script::METADATA, partition, life, &args, Repeat::Always).await.map(drop)
    }

    pub(crate) async fn touch(&self, life: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError> {
        let mut by_partition = self.by_partition(seen, |(client, _)| self.router.keys.of_client(client));
        if by_partition.is_empty() {
            by_partition.insert(Partition::LEASES, Vec::new());
        }
        let calls = by_partition.into_iter().map(|(partition, seen)| async move {
            let mut args = args![life];
            for (client, at) in seen {
                args.extend(args![client.namespace, client.client, at.as_millis()]);
            }
            self.run(&script::TOUCH, partition, &args, Repeat::Always).await.map(drop)
        });
        try_join_all(calls).await.map(drop)
    }

    pub(crate) async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError> {
        let partition = self.router.keys.of_client(client);
        let args = args!["client", client.namespace, client.client];
        let mut reply = self.run(&script::READ, partition, &args, Repeat::Always).await?;
        reply.next::<Option<Record>>()?.map(record).transpose()
    }

    pub(crate) async fn locate(&self, client: &ClientKey) -> Result<Option<NodeId>, StateError> {
        let partition = self.router.keys.of_client(client);
        let args = args!["locate", client.namespace, client.client];
        let mut reply = self.run(&script::READ, partition, &args, Repeat::Always).await?;
        reply.next::<Option<String>>()?.map(|life| node_of(&life)).transpose()
    }

    pub(crate) async fn client_page(
        &self,
        namespace: &Namespace,
        wanted: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError> {
        let partitions: Vec<_> = self.router.keys.partitions().collect();
        let mut pager = Pager::new(wanted, partitions.len());
        while let Some(step) = pager.step() {
            let args = args!["clients", step.scan, step.count, namespace];
            let mut reply = self.run(&script::SCAN, partitions[step.list], &args, Repeat::Always).await?;
            let next = reply.next()?;
            let records: Vec<Record> = reply.next()?;
            let items = records.into_iter().map(|read| Ok((read.0.clone(), record(read)?)));
            pager.take(Found { next, items: items.collect::<Result<_, StateError>>()? });
        }
        Ok(pager.page())
    }

    pub(crate) async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        self.count_all(|partition| self.router.keys.clients(partition, namespace)).await
    }

    /// The size of a set that every partition has a part of.
    pub(crate) async fn count_all(&self, key: impl Fn(Partition) -> String) -> Result<u64, StateError> {
        let counts = self.router.keys.partitions().map(|partition| {
            let mut command = redis::cmd("SCARD");
            command.arg(key(partition));
            async move { self.count(partition, &command).await }
        });
        let mut sum = 0;
        for count in join_all(counts).await {
            sum += count?;
        }
        Ok(sum)
    }
}

impl Restored {
    fn add_member(&mut self, client: &ClientId, room: &RoomKey, uid: roomwire_core::RoomUid, known: Option<Settings>) {
        let (namespace, id) = (room.namespace.to_string(), room.room.to_string());
        self.members.push((namespace, client.to_string(), id, uid.as_u64().to_string()));
        if let Some(known) = known {
            self.rooms.insert(room_name(room), known.into_parts());
        }
    }
}

/// Rooms of another namespace are passed over.
fn own_rooms(live: &LiveClient) -> impl Iterator<Item = &(RoomKey, roomwire_core::RoomUid)> {
    live.rooms.iter().filter(|(room, _)| room.namespace == live.client.key.namespace)
}

fn client_entry(live: &LiveClient) -> (String, String, String, String, String, Vec<String>) {
    let NewClient { key, user, metadata, connected_at } = &live.client;
    (
        key.namespace.to_string(),
        key.client.to_string(),
        user.as_ref().map_or_else(String::new, ToString::to_string),
        metadata_text(metadata),
        connected_at.as_millis().to_string(),
        own_rooms(live).map(|(room, _)| room.room.to_string()).collect(),
    )
}

fn by_life(
    moved: impl Iterator<Item = (String, String, String, String)>,
) -> BTreeMap<Incarnation, Vec<(ClientId, RoomKey)>> {
    let mut sorted = BTreeMap::<_, Vec<_>>::new();
    for (life, namespace, client, room) in moved {
        let read = (life.parse(), Namespace::new(namespace), ClientId::new(client), RoomId::new(room));
        if let (Ok(life), Ok(namespace), Ok(client), Ok(room)) = read {
            sorted.entry(life).or_default().push((client, RoomKey::new(namespace, room)));
        }
    }
    sorted
}

fn node_of(life: &str) -> Result<NodeId, StateError> {
    let life: Incarnation = life.parse().map_err(|_| corrupt("the name of a life", life))?;
    Ok(life.node().clone())
}

pub(crate) fn record((id, life, fields): Record) -> Result<WebSocketClient, StateError> {
    let life = life.ok_or_else(|| corrupt("the life of a client", &id))?;
    let mut client = WebSocketClient {
        node: node_of(&life)?,
        rooms: Vec::new(),
        metadata: Metadata::new(),
        connected_at: Timestamp::default(),
        last_active_at: Timestamp::default(),
        user: None,
        id: ClientId::new(&id).map_err(|_| corrupt("the id of a client", &id))?,
    };
    for (field, value) in fields {
        let moment = || value.parse().map(Timestamp::from_millis).map_err(|_| corrupt("a moment", &value));
        match field.as_str() {
            "t" => client.connected_at = moment()?,
            "a" => client.last_active_at = moment()?,
            "u" => client.user = Some(UserId::new(&value).map_err(|_| corrupt("the id of a user", &value))?),
            "m" => client.metadata = metadata_of(Some(value))?,
            other => {
                if let Some(room) = other.strip_prefix('r') {
                    client.rooms.push(RoomId::new(room).map_err(|_| corrupt("the id of a room", room))?);
                }
            }
        }
    }
    client.rooms.sort();
    Ok(client)
}
