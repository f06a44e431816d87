//! Clients: connecting, disconnecting, restoring and reading.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use roomwire_core::{
    ClientId, ClientKey, Incarnation, LiveClient, Metadata, Namespace, NewClient, Page, PageRequest,
    RestoredDifferently, RoomId, RoomKey, RoomUid, StateError, Timestamp, UserId, WebSocketClient,
};
use serde::Serialize;

use crate::{
    cached_rooms::Settings,
    cursor::{Found, Pager},
    keys::{Partition, room_name},
    members::Expulsion,
    reply::corrupt,
    rooms::{metadata_of, metadata_text},
    router::Repeat,
    script,
    state::{Shared, args},
};

/// The number of memberships that one script restores: all other calls wait for it.
const RESTORED_AT_ONCE: usize = 1000;

/// The arguments of one call of `restore.lua`.
#[derive(Debug, Default, Serialize)]
struct Restored {
    clients: Vec<(String, String, String, String, String, Vec<String>)>,
    members: Vec<(String, String, String, String)>,
    rooms: BTreeMap<String, (u64, Vec<Option<String>>, String)>,
}

/// A client as returned by a script: id, incarnation, fields and values.
pub(crate) type Record = (String, Option<String>, Vec<(Vec<u8>, Vec<u8>)>);

impl Shared {
    pub(crate) async fn connect(&self, incarnation: &Incarnation, client: &NewClient) -> Result<(), StateError> {
        let alive = LiveClient { client: client.clone(), rooms: Vec::new() };
        self.restore(incarnation, std::slice::from_ref(&alive)).await.map(drop)
    }

    pub(crate) async fn restore(
        &self,
        incarnation: &Incarnation,
        alive: &[LiveClient],
    ) -> Result<Vec<RestoredDifferently>, StateError> {
        if self.router.keys.is_single() {
            return self.restore_in_one(incarnation, alive).await;
        }
        let _changes = self.clients.lock(alive.iter().map(|live| &live.client.key)).await;
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
            // A call without clients also fails for an incarnation without a lease.
            records.entry(Partition::LEASES).or_default();
        }
        let put_back =
            try_join_all(records.iter().map(|(partition, given)| self.put_back(*partition, incarnation, given)))
                .await?;
        for (owner, memberships) in by_incarnation(put_back.into_iter().flat_map(|(moved, _)| moved)) {
            self.expel(Some(incarnation), &owner, memberships).await?;
        }
        let put_back =
            try_join_all(members.iter().map(|(partition, given)| self.put_back(*partition, incarnation, given)))
                .await?;
        let differently = Vec::from_iter(put_back.into_iter().flat_map(|(_, differently)| differently));
        let mut refused = BTreeMap::<Partition, Vec<_>>::new();
        for it in differently.iter().filter(|it| it.uid.is_none()) {
            let pairs = refused.entry(self.router.keys.of_client(&it.client)).or_default();
            pairs.push((it.client.client.clone(), it.room.clone()));
        }
        let unclaim = Expulsion { by: Some(incarnation), owner: incarnation, part: "unclaim" };
        let ended = refused.iter().map(|(partition, pairs)| self.end_memberships(unclaim, *partition, pairs));
        try_join_all(ended).await?;
        Ok(differently)
    }

    async fn restore_in_one(
        &self,
        incarnation: &Incarnation,
        alive: &[LiveClient],
    ) -> Result<Vec<RestoredDifferently>, StateError> {
        let (mut given, mut differently) = (Restored::default(), Vec::new());
        for live in alive {
            if given.members.len() + live.rooms.len() > RESTORED_AT_ONCE && !given.clients.is_empty() {
                differently.extend(self.put_back(Partition::LEASES, incarnation, &std::mem::take(&mut given)).await?.1);
            }
            given.clients.push(client_entry(live));
            for (room, uid) in own_rooms(live) {
                given.add_member(&live.client.key.client, room, *uid, self.rooms.get(&room_name(room)));
            }
        }
        differently.extend(self.put_back(Partition::LEASES, incarnation, &given).await?.1);
        Ok(differently)
    }

    /// Returns the memberships under other incarnations that have to end in other partitions, and those that were not
    /// restored as given.
    async fn put_back(
        &self,
        partition: Partition,
        incarnation: &Incarnation,
        given: &Restored,
    ) -> Result<(Vec<(String, String, String, String)>, Vec<RestoredDifferently>), StateError> {
        let json = serde_json::to_string(given).map_err(|error| StateError::unavailable(error.to_string()))?;
        let args = args![incarnation, u8::from(self.router.keys.is_single()), json, self.router.grace()];
        let mut reply = self.write(&script::RESTORE, partition, incarnation, &args, Repeat::Always).await?;
        let moved = reply.next_readable()?;
        let differently: Vec<_> = reply.next()?;
        Ok((moved, differently.into_iter().map(restored_differently).collect::<Result<_, _>>()?))
    }

    pub(crate) async fn disconnect(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
    ) -> Result<Vec<RoomKey>, StateError> {
        let _changes = self.clients.lock([client]).await;
        let (partition, single) = (self.router.keys.of_client(client), self.router.keys.is_single());
        let args = args![incarnation, client.namespace, client.client, u8::from(single)];
        // A second response would contain no rooms.
        let mut reply = self.write(&script::DISCONNECT, partition, incarnation, &args, Repeat::Never).await?;
        // An invalid name is not a room of this service.
        let ids = reply.next_readable::<String>()?.into_iter().filter_map(|id| RoomId::new(id).ok());
        let mut rooms: Vec<_> = ids.map(|id| RoomKey::new(client.namespace.clone(), id)).collect();
        if !single {
            let memberships = rooms.into_iter().map(|room| (client.client.clone(), room)).collect();
            let mut ended = self.expel(Some(incarnation), incarnation, memberships).await?;
            // An earlier call may have removed the client but not all of its memberships.
            ended.extend(self.expel_rest(incarnation, client).await?);
            rooms = ended.into_iter().map(|(_, room)| room).collect();
        }
        rooms.sort();
        Ok(rooms)
    }

    pub(crate) async fn set_client_metadata(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        let partition = self.router.keys.of_client(client);
        let args = args![incarnation, client.namespace, client.client, metadata_text(metadata)];
        self.write(&script::METADATA, partition, incarnation, &args, Repeat::Always).await.map(drop)
    }

    pub(crate) async fn touch(
        &self,
        incarnation: &Incarnation,
        seen: &[(ClientKey, Timestamp)],
    ) -> Result<(), StateError> {
        let mut by_partition = self.by_partition(seen, |(client, _)| self.router.keys.of_client(client));
        if by_partition.is_empty() {
            by_partition.insert(Partition::LEASES, Vec::new());
        }
        let calls = by_partition.into_iter().map(|(partition, seen)| async move {
            let mut args = args![incarnation];
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

    pub(crate) async fn locate(&self, client: &ClientKey) -> Result<Option<Incarnation>, StateError> {
        let partition = self.router.keys.of_client(client);
        let args = args!["locate", client.namespace, client.client];
        let mut reply = self.run(&script::READ, partition, &args, Repeat::Always).await?;
        reply.next::<Option<String>>()?.map(|incarnation| incarnation_of(&incarnation)).transpose()
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
            let records: Vec<Record> = reply.next_readable()?;
            let items = records.into_iter().filter_map(|read| Some((read.0.clone(), record(read).ok()?)));
            pager.take(Found { next, items: items.collect() });
        }
        Ok(pager.page())
    }

    pub(crate) async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        self.count_all(|partition| self.router.keys.clients(partition, namespace)).await
    }

    /// The size of a set that is spread over all partitions.
    pub(crate) async fn count_all(&self, key: impl Fn(Partition) -> String) -> Result<u64, StateError> {
        let counts = self.router.keys.partitions().map(|partition| {
            let key = key(partition);
            async move { self.count(partition, "SCARD", key).await }
        });
        let mut sum = 0;
        for count in join_all(counts).await {
            sum += count?;
        }
        Ok(sum)
    }
}

impl Restored {
    fn add_member(&mut self, client: &ClientId, room: &RoomKey, uid: RoomUid, known: Option<Settings>) {
        let (namespace, id) = (room.namespace.to_string(), room.room.to_string());
        self.members.push((namespace, client.to_string(), id, uid.as_u64().to_string()));
        if let Some(known) = known {
            self.rooms.insert(room_name(room), known.into_parts());
        }
    }
}

/// Rooms of another namespace are ignored.
fn own_rooms(live: &LiveClient) -> impl Iterator<Item = &(RoomKey, RoomUid)> {
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

fn by_incarnation(
    moved: impl Iterator<Item = (String, String, String, String)>,
) -> BTreeMap<Incarnation, Vec<(ClientId, RoomKey)>> {
    let mut sorted = BTreeMap::<_, Vec<_>>::new();
    for (incarnation, namespace, client, room) in moved {
        let read = (incarnation.parse(), Namespace::new(namespace), ClientId::new(client), RoomId::new(room));
        if let (Ok(incarnation), Ok(namespace), Ok(client), Ok(room)) = read {
            sorted.entry(incarnation).or_default().push((client, RoomKey::new(namespace, room)));
        }
    }
    sorted
}

pub(crate) fn incarnation_of(text: &str) -> Result<Incarnation, StateError> {
    text.parse().map_err(|_| corrupt("the name of an incarnation", text))
}

fn restored_differently(
    (namespace, client, room, uid): (String, String, String, String),
) -> Result<RestoredDifferently, StateError> {
    let namespace = Namespace::new(&namespace).map_err(|_| corrupt("the name of a namespace", &namespace))?;
    let client = ClientId::new(&client).map_err(|_| corrupt("the id of a client", &client))?;
    let room = RoomId::new(&room).map_err(|_| corrupt("the id of a room", &room))?;
    let number = || uid.parse().map(RoomUid::from_u64).map_err(|_| corrupt("the uid of a room", &uid));
    Ok(RestoredDifferently {
        client: ClientKey::new(namespace.clone(), client),
        room: RoomKey::new(namespace, room),
        uid: if uid.is_empty() { None } else { Some(number()?) },
    })
}

pub(crate) fn record((id, incarnation, fields): Record) -> Result<WebSocketClient, StateError> {
    let incarnation = incarnation.ok_or_else(|| corrupt("the incarnation of a client", &id))?;
    let mut client = WebSocketClient {
        node: incarnation_of(&incarnation)?.node().clone(),
        rooms: Vec::new(),
        metadata: Metadata::new(),
        connected_at: Timestamp::default(),
        last_active_at: Timestamp::default(),
        user: None,
        id: ClientId::new(&id).map_err(|_| corrupt("the id of a client", &id))?,
    };
    for (field, value) in fields {
        let Ok(field) = String::from_utf8(field) else { continue };
        let value = String::from_utf8(value).map_err(|_| corrupt("what a client's record has as", &field))?;
        let moment = || value.parse().map(Timestamp::from_millis).map_err(|_| corrupt("a moment", &value));
        match field.as_str() {
            "t" => client.connected_at = moment()?,
            "a" => client.last_active_at = moment()?,
            "u" => client.user = Some(UserId::new(&value).map_err(|_| corrupt("the id of a user", &value))?),
            "m" => client.metadata = metadata_of(Some(value))?,
            other => {
                // An invalid name is not a room of this service.
                client.rooms.extend(other.strip_prefix('r').and_then(|room| RoomId::new(room).ok()));
            }
        }
    }
    client.rooms.sort();
    Ok(client)
}
