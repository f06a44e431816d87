//! The checks of an idle cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roomwire_core::{
    ClientKey, Clock, DisconnectReason, ErrorCode, Namespace, PageRequest, RoomId, RoomKey, StateStore, UserId,
    WebSocketClient,
};

use crate::{
    calls::{ROOMS, possible},
    cluster::{Cluster, id_of, user_of},
    connections::Connection,
    events::Subject,
    messages::{Message, Messages, To},
    operator::{Kick, OperatorLog},
};

/// The rooms of each connection, by number, at the end of the previous round.
pub(crate) type Memberships = BTreeMap<u64, BTreeSet<usize>>;

macro_rules! demand {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}

fn everything() -> PageRequest {
    PageRequest::first(PageRequest::MAX_LIMIT)
}

/// The open connections, by device.
pub(crate) fn open_connections(cluster: &Cluster) -> Result<BTreeMap<usize, Arc<Connection>>, String> {
    let connections = cluster.connections();
    let open = connections.iter().filter(|connection| connection.closed().is_none());
    let mut by_device = BTreeMap::new();
    for connection in open {
        let device = (0..cluster.profile.devices).find(|device| id_of(*device) == *connection.id()).expect("known");
        demand!(by_device.insert(device, connection.clone()).is_none(), "two connections of device {device} are open");
    }
    Ok(by_device)
}

/// Checks that nodes and store agree on clients and memberships, and that the history of calls allows them.
pub(crate) async fn places(cluster: &Cluster, log: &OperatorLog, before: &Memberships) -> Result<Memberships, String> {
    // A deletion after the loss of all data, or after the clean-up of a lost lease, does not find the members, and their
    // nodes put them back.
    let deleted = cluster.calls.deleted_rooms();
    let nodes = cluster.nodes();
    let lost_members =
        |node: u64| log.has_lost_data() || nodes.iter().any(|it| it.number == node && !it.store.fences().is_empty());
    let half_deleted: Vec<RoomId> =
        log.half_deleted().into_iter().map(|room| ROOMS[room].parse().expect("valid")).collect();
    let open = open_connections(cluster)?;
    let store = cluster.nodes()[0].store.inner();
    let mut memberships = Memberships::new();
    let mut members: [BTreeSet<String>; ROOMS.len()] = Default::default();
    for connection in cluster.connections() {
        let (number, client) = (connection.number, connection.client());
        if let Some((_, reason)) = connection.closed() {
            demand!(!client.is_connected(), "{number} was closed ({reason}) and is still connected");
            demand!(client.rooms().is_empty(), "{number} was closed and is in {:?}", client.rooms());
        }
    }
    for connection in open.values() {
        let (number, client) = (connection.number, connection.client());
        let node = cluster.nodes()[connection.place].clone();
        demand!(node.number == connection.node, "{number} is open though its node is gone");
        demand!(client.is_connected(), "{number} is open and not connected");
        let local = node.service.local_client(client.id());
        demand!(local.as_ref() == Some(client), "{number} is not the node's {}: {local:?}", client.id());
        let key = ClientKey::new(Namespace::root(), client.id().clone());
        let Some(known) = store.client(&key).await.map_err(|error| error.to_string())? else {
            return Err(format!("{number} is not in the store"));
        };
        agrees(connection, &known, node.service.node_id().as_str(), &half_deleted)?;
        let mut is_in = BTreeSet::new();
        for (room, name) in ROOMS.iter().enumerate() {
            let is_member = client.is_in(&name.parse().expect("valid"));
            if is_member {
                is_in.insert(room);
                members[room].insert(client.id().to_string());
            }
            let was_member = before.get(&number).is_some_and(|rooms| rooms.contains(&room));
            let calls = cluster.calls.of(number, room);
            let allowed = possible(was_member, &calls);
            demand!(
                allowed[usize::from(!is_member)]
                    || is_member && deleted.contains(&room) && lost_members(connection.node),
                "{number} is {} {name}, which no order of these calls explains (was {was_member}): {calls:#?}",
                if is_member { "in" } else { "not in" },
            );
        }
        memberships.insert(number, is_in);
    }
    lists(cluster, &*store, &open, &members, &half_deleted).await?;
    Ok(memberships)
}

/// Checks the record of a client. The other nodes do not learn of a deletion whose node was killed before it could tell
/// them: until they put the room back, the store does not have its members.
fn agrees(connection: &Connection, known: &WebSocketClient, node: &str, half_deleted: &[RoomId]) -> Result<(), String> {
    let (number, client) = (connection.number, connection.client());
    let certain = |mut rooms: Vec<RoomId>| {
        rooms.retain(|room| !half_deleted.contains(room));
        rooms
    };
    demand!(known.node.as_str() == node, "{number} is at {node}, the store says {}", known.node);
    demand!(
        certain(known.rooms.clone()) == certain(client.rooms()),
        "{number} is in {:?}, the store says {:?}",
        client.rooms(),
        known.rooms
    );
    demand!(known.user.as_ref() == client.user(), "{number}: the store has another user");
    demand!(
        known.metadata == client.metadata(),
        "{number}: {:?}, the store says {:?}",
        client.metadata(),
        known.metadata
    );
    Ok(())
}

/// Checks lists and counts.
async fn lists(
    cluster: &Cluster,
    store: &dyn StateStore,
    open: &BTreeMap<usize, Arc<Connection>>,
    members: &[BTreeSet<String>; ROOMS.len()],
    half_deleted: &[RoomId],
) -> Result<(), String> {
    let (root, failed) = (Namespace::root(), |error: roomwire_core::StateError| error.to_string());
    let expected: BTreeSet<String> = open.keys().map(|device| id_of(*device).to_string()).collect();
    let listed = store.clients(&root, &everything()).await.map_err(failed)?.items;
    let listed: BTreeSet<String> = listed.iter().map(|client| client.id.to_string()).collect();
    demand!(listed == expected, "the store lists {listed:?}, connected are {expected:?}");
    let count = store.client_count(&root).await.map_err(failed)?;
    demand!(count == expected.len() as u64, "the store counts {count} of {expected:?}");
    let ada = UserId::new("ada").expect("valid");
    let hers = open.keys().filter(|device| user_of(**device).is_some()).count() as u64;
    let sessions = store.user_clients(&root, &ada, &everything()).await.map_err(failed)?.items.len() as u64;
    let counted = store.user_client_count(&root, &ada).await.map_err(failed)?;
    demand!((sessions, counted) == (hers, hers), "ada has {hers} sessions, the store says {sessions} and {counted}");
    for (name, expected) in ROOMS.iter().zip(members) {
        let room = RoomKey::new(root.clone(), name.parse().expect("valid"));
        if half_deleted.contains(&room.room) {
            continue;
        }
        let listed = store.members(&room, &everything()).await.map_err(failed)?.items;
        let listed: BTreeSet<String> = listed.iter().map(|member| member.client.to_string()).collect();
        demand!(listed == *expected, "the store lists {listed:?} in {name}, there are {expected:?}");
        let count = store.member_count(&room).await.map_err(failed)?;
        demand!(count == expected.len() as u64, "the store counts {count} of {expected:?} in {name}");
        let known = store.room(&room).await.map_err(failed)?;
        let is_kept = known.as_ref().is_some_and(|room| room.closed || room.capacity.is_some());
        demand!(known.is_some() || expected.is_empty(), "{name} does not exist and has members");
        demand!(
            known.is_none() || is_kept || !expected.is_empty() || *name == ROOMS[3],
            "{name} exists without members"
        );
        let capacity = known.and_then(|room| room.capacity);
        let is_exceeded = capacity.is_some_and(|capacity| expected.len() > capacity as usize);
        demand!(!is_exceeded || cluster.profile.loses_leases(), "{name} has {expected:?} for {capacity:?}");
    }
    for node in cluster.nodes() {
        let here = open.values().filter(|connection| connection.node == node.number).count();
        let counted = node.service.local_client_count();
        demand!(counted == here, "node {} counts {counted} clients of {here}", node.place);
    }
    Ok(())
}

/// Checks that each connection received the messages for it, once, and no others.
pub(crate) fn received(cluster: &Cluster, messages: &Messages, before: &Memberships) -> Result<(), String> {
    answers(cluster, messages)?;
    let sent = messages.sent.lock().clone();
    for connection in cluster.connections() {
        let received = connection.received();
        let (number, mut seen) = (connection.number, BTreeSet::new());
        for message in &received {
            demand!(seen.insert(*message), "{number} got message {message} twice");
        }
        demand!(connection.misdirected().is_empty(), "{number} got acknowledgements of another stay");
        for message in &sent {
            let got = seen.contains(&message.number);
            match message.to {
                To::Room(room) => {
                    let (must, may) = to_room(cluster, &connection, message, room, before);
                    demand!(got || !must, "{number} is in {} and did not get {message:?}", ROOMS[room]);
                    demand!(!got || may, "{number} is not in {} and got {message:?}", ROOMS[room]);
                }
                To::Client(device) if id_of(device) == *connection.id() => {
                    to_client(cluster, &connection, message, got)?;
                }
                To::Client(_) => demand!(!got, "{number} got {message:?}"),
            }
        }
    }
    Ok(())
}

/// Checks that each question was answered by a connection that was registered during the call.
fn answers(cluster: &Cluster, messages: &Messages) -> Result<(), String> {
    let (answers, connections) = (messages.answers.lock().clone(), cluster.connections());
    for answer in answers {
        let answered = connections.iter().find(|connection| connection.number == answer.connection);
        let was_there = answered.is_some_and(|connection| {
            *connection.id() == id_of(answer.device)
                && connection.registered < answer.ended
                && connection.closed().is_none_or(|(at, _)| at > answer.begun)
        });
        demand!(was_there, "a stay that was not asked gave {answer:?}");
    }
    Ok(())
}

/// The clients and memberships with events that may be lost: of a client that was in flight when its node was killed,
/// of rooms that a node was deleting when it was killed, and of rooms that were deleted in a round in which the store
/// ended memberships without a report: because it lost all data, or because the client connected to another node. Then
/// the deletion does not find the member.
pub(crate) fn unknown(cluster: &Cluster, log: &OperatorLog) -> BTreeSet<Subject> {
    let mut unknown = BTreeSet::new();
    for client in log.in_flight() {
        unknown.insert((client.clone(), None));
        unknown.extend(ROOMS.map(|room| (client.clone(), Some(room.parse().expect("valid")))));
    }
    let mut rooms = log.half_deleted();
    if log.has_lost_data() || cluster.profile.moves {
        rooms.extend(cluster.calls.deleted_rooms());
    }
    for room in rooms {
        let clients = (0..cluster.profile.devices).map(id_of);
        unknown.extend(clients.map(|client| (client, Some(ROOMS[room].parse().expect("valid")))));
    }
    unknown
}

/// The number of ends that other calls may report without a begin. A client that was registered: its node lost its
/// lease before CONNECT was sent. A membership: its join failed because the answer was lost.
pub(crate) fn unannounced(cluster: &Cluster) -> BTreeMap<Subject, i64> {
    let (mut lost, connections) = (BTreeMap::new(), cluster.connections());
    for (number, room) in cluster.calls.unanswered_joins() {
        let connection = connections.iter().find(|connection| connection.number == number);
        if let Some(connection) = connection {
            let room = Some(ROOMS[room].parse().expect("valid"));
            *lost.entry((connection.id().clone(), room)).or_default() += 1;
        }
    }
    for node in cluster.former().iter().chain(&cluster.nodes()) {
        for subject in node.store.unanswered_joins() {
            *lost.entry(subject).or_default() += 1;
        }
        for (fence, registered) in node.store.fences() {
            for (client, at) in registered {
                let was_opened = connections.iter().any(|connection| {
                    let is_it = connection.node == node.number && connection.registered == at;
                    is_it && connection.opened().is_some_and(|opened| opened < fence)
                });
                if !was_opened {
                    *lost.entry((client.client, None)).or_default() += 1;
                }
            }
        }
    }
    lost
}

/// Whether a connection must have received a message to a room, and whether it may have.
fn to_room(
    cluster: &Cluster,
    connection: &Connection,
    message: &Message,
    room: usize,
    before: &Memberships,
) -> (bool, bool) {
    use crate::calls::{Effect, Outcome};
    let was_member = before.get(&connection.number).is_some_and(|rooms| rooms.contains(&room));
    let calls = cluster.calls.of(connection.number, room);
    let (joins, leaves): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.effect == Effect::Joins);
    let stays_since = |begun: u64| leaves.iter().all(|leave| leave.ended < begun);
    let joined =
        joins.iter().any(|join| join.outcome == Outcome::Done && join.ended < message.begun && stays_since(join.begun));
    let is_certain = connection.closed().is_none() && message.code.is_none() && !cluster.profile.gaps;
    let must = is_certain && (joined || was_member && leaves.is_empty());
    let left = leaves.iter().any(|leave| {
        leave.outcome == Outcome::Done
            && leave.is_of_one()
            && leave.ended < message.begun
            && joins.iter().all(|join| join.ended < leave.begun)
    });
    let may = !left && (was_member || !joins.is_empty());
    (must, may)
}

fn to_client(cluster: &Cluster, connection: &Connection, message: &Message, got: bool) -> Result<(), String> {
    let number = connection.number;
    let was_there = connection.opened().is_some_and(|opened| opened < message.begun);
    match (connection.closed(), message.code) {
        (None, None) if connection.registered < message.begun && !cluster.profile.gaps => {
            demand!(got, "{number} did not get {message:?}");
        }
        (closed, Some(code)) if was_there && closed.is_none_or(|(at, _)| at > message.ended) => {
            // The sender may hold the former connection of a client that moved.
            let is_explained = cluster.profile.loses_leases()
                || message.killed
                || cluster.profile.moves && code == ErrorCode::ClientNotFound;
            demand!(is_explained, "{number} was there and {message:?} was refused: {code}");
        }
        _ => {}
    }
    Ok(())
}

/// Checks that disconnected, expired and revoked clients are gone, and that no other client was disconnected.
pub(crate) fn departures(cluster: &Cluster, log: &OperatorLog) -> Result<(), String> {
    let (kicks, now) = (log.kicks.lock().clone(), cluster.clock.now());
    for connection in cluster.connections() {
        let (number, closed, opened) = (connection.number, connection.closed(), connection.opened());
        let of_this: Vec<_> = kicks.iter().filter(|kick| id_of(kick.device) == *connection.id()).collect();
        for kick in &of_this {
            let was_there = opened.is_some_and(|opened| opened < kick.begun);
            let stayed = closed.is_none_or(|(at, _)| at > kick.ended);
            let is_refused = was_there && kick.code.is_some() && stayed && !cluster.profile.loses_leases();
            demand!(!is_refused, "{number} was there and was not told to go: {kick:?}");
            let is_missed = connection.registered < kick.begun && kick.code.is_none() && closed.is_none();
            // The node of the call may hold the former connection of a client that moved.
            demand!(
                !is_missed || cluster.profile.gaps || cluster.profile.moves,
                "{number} was told to go and is there: {kick:?}"
            );
        }
        if let Some((_, DisconnectReason::DisconnectedByServer)) = closed {
            // Calls address an id: one that began before this connection may reach it.
            // A message may have arrived though its sender got no answer.
            let may_arrive = |kick: &Kick| matches!(kick.code, None | Some(ErrorCode::StateUnavailable));
            let is_meant = of_this.iter().any(|kick| may_arrive(kick)) || log.ended_ada();
            demand!(is_meant, "{number} was disconnected without an order: {kicks:?}");
        }
        if closed.is_none() {
            let identity = connection.client().identity();
            demand!(!identity.is_expired(now), "{number} has expired and is there");
            demand!(!log.is_revoked(&identity), "{number} was revoked and is there");
        }
    }
    Ok(())
}
