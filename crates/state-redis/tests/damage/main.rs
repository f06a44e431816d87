//! Keys that another program removed or wrote to: what scripts make of them, and what a repair mends.

mod foreign;
mod lost_data;
mod not_utf8;
mod numbers;
mod warnings;

use std::{collections::BTreeSet, time::Duration};

use redis::FromRedisValue;
use roomwire_core::{
    ClientId, ClientKey, DeletionId, Departure, Incarnation, LiveClient, Metadata, Namespace, NewClient, NewRoom,
    NodeId, PageRequest, ReapOutcome, Revocation, Revoked, RoomId, RoomKey, RoomUid, StateError, StateStore,
    StoredClient, Timestamp, TokenId, UserId,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::{RedisCluster, RedisServer};

const LEASE: Duration = Duration::from_secs(60);
const P: &str = "{roomwire:0}";

struct Node {
    state: RedisState,
    incarnation: Incarnation,
}

impl Node {
    async fn on(config: RedisConfig) -> Self {
        let state = RedisState::connect(&config.timeout(Duration::from_secs(10))).await.expect("connects");
        let node = Self { state, incarnation: Incarnation::begin(NodeId::random()) };
        node.state.begin_lease(&node.incarnation, LEASE).await.expect("begins");
        node
    }

    async fn of(server: &RedisServer) -> Self {
        Self::on(RedisConfig::new(server.url())).await
    }

    async fn enter(&self, name: &str, room: &RoomKey) -> RoomUid {
        self.state.connect(&self.incarnation, &client(name)).await.expect("connects");
        self.join(name, room).await.expect("joins")
    }

    async fn join(&self, name: &str, room: &RoomKey) -> Result<RoomUid, StateError> {
        self.state.join(&self.incarnation, &client(name).key, room).await.map(|outcome| outcome.uid)
    }

    async fn put_back(&self, name: &str, room: &RoomKey, uid: RoomUid) {
        let alive = LiveClient { client: client(name), rooms: vec![(room.clone(), uid)] };
        self.state.restore(&self.incarnation, &[alive]).await.expect("restores");
    }

    /// Looks through everything, at every node's turn.
    async fn repair(&self) -> ReapOutcome {
        let namespaces = [Namespace::root()];
        self.state.repair(&self.incarnation, LEASE, Duration::ZERO, &namespaces).await.expect("repairs")
    }

    async fn stored_clients(&self) -> Vec<StoredClient> {
        self.state.stored_clients(&self.incarnation, &PageRequest::first(1000)).await.expect("reads").items
    }

    async fn damaged(&self) -> BTreeSet<String> {
        let stored = self.stored_clients().await.into_iter().filter(|stored| stored.is_damaged);
        stored.map(|stored| stored.key.client.to_string()).collect()
    }

    async fn rooms(&self) -> BTreeSet<String> {
        let rooms = self.state.rooms(&Namespace::root(), &PageRequest::first(1000)).await.expect("reads");
        rooms.items.into_iter().map(|room| room.id.to_string()).collect()
    }

    async fn members(&self, room: &RoomKey) -> BTreeSet<String> {
        let members = self.state.members(room, &PageRequest::first(1000)).await.expect("reads");
        members.items.into_iter().map(|member| member.client.to_string()).collect()
    }
}

fn client(name: &str) -> NewClient {
    let key = ClientKey::new(Namespace::root(), ClientId::new(name).expect("valid"));
    let user = Some(UserId::new("ada").expect("valid"));
    NewClient { key, user, metadata: Metadata::new(), connected_at: Timestamp::from_millis(1) }
}

fn room(name: &str) -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new(name).expect("valid"))
}

async fn ask<T: FromRedisValue>(server: &RedisServer, command: &str) -> T {
    server.ask(&command.split(' ').collect::<Vec<_>>()).await
}

fn is_unavailable<T>(outcome: &Result<T, StateError>) -> bool {
    matches!(outcome, Err(StateError::Unavailable(_)))
}

#[tokio::test]
async fn a_room_with_a_lost_record_accepts_no_client_until_a_member_restores_it() {
    let server = RedisServer::start().await;
    let (first, second) = (Node::of(&server).await, Node::of(&server).await);
    first.state.create_room(&room("r"), &NewRoom::with_capacity(1)).await.expect("creates");
    let uid = first.enter("a", &room("r")).await;
    second.state.connect(&second.incarnation, &client("b")).await.expect("connects");
    for damage in ["DEL {roomwire:0}:r:/,r", "SET {roomwire:0}:r:/,r x", "HSET {roomwire:0}:r:/,r cap x uid y ver z"] {
        ask::<redis::Value>(&server, damage).await;
        assert!(is_unavailable(&second.join("b", &room("r")).await), "{damage}: how many it admits is not known");
        assert!(is_unavailable(&first.join("a", &room("r")).await), "{damage}");
        let again = second.state.create_room(&room("r"), &NewRoom::with_capacity(9)).await;
        assert!(again.is_err(), "{damage}: it has a member");
        assert_eq!(first.damaged().await, BTreeSet::from(["a".to_owned()]), "{damage}");
        first.put_back("a", &room("r"), uid).await;
        assert!(first.damaged().await.is_empty(), "{damage}");
        let full = second.join("b", &room("r")).await;
        assert!(matches!(full, Err(StateError::RoomFull)), "{damage}: {full:?}");
        assert_eq!(first.join("a", &room("r")).await.expect("is in"), uid, "{damage}");
    }
}

#[tokio::test]
async fn a_lost_list_of_rooms_is_restored_including_rooms_without_members() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    for number in 0..30 {
        node.state.create_room(&room(&format!("kept-{number}")), &NewRoom::default()).await.expect("creates");
    }
    node.state.close_room_named("closed").await;
    node.enter("a", &room("joined")).await;
    let all = node.rooms().await;
    for damage in
        ["DEL {roomwire:0}:rs:/", "SET {roomwire:0}:rs:/ x", "SPOP {roomwire:0}:rs:/ 7", "SADD {roomwire:0}:rs:/ ghost"]
    {
        ask::<redis::Value>(&server, damage).await;
        node.repair().await;
        assert_eq!(node.rooms().await, all, "{damage}");
        assert_eq!(node.state.room_count(&Namespace::root()).await.expect("counts"), 32, "{damage}");
    }
    // The counter is as well one that may be lost.
    ask::<redis::Value>(&server, "DEL {roomwire:0}:st").await;
    node.state.begin_lease(&node.incarnation, LEASE).await.expect("begins again");
    node.repair().await;
    node.state.delete_room(&room("kept-3"), DeletionId::random()).await.expect("deletes");
    ask::<redis::Value>(&server, "DEL {roomwire:0}:rs:/").await;
    node.repair().await;
    assert_eq!(node.state.room_count(&Namespace::root()).await.expect("counts"), 31);
}

#[tokio::test]
async fn a_list_of_clients_that_a_node_fills_again_is_named() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let uid = node.enter("a", &room("r")).await;
    ask::<u64>(&server, &format!("DEL {P}:cs:/")).await;
    node.put_back("a", &room("r"), uid).await;
    let notes: String = ask(&server, &format!("HGET {P}:st notes")).await;
    assert_eq!(notes, format!("a client was put back in the list: {P}:cs:/\n"));
}

trait Close {
    async fn close_room_named(&self, name: &str);
}

impl Close for RedisState {
    async fn close_room_named(&self, name: &str) {
        self.change_room(&room(name), &roomwire_core::RoomChange::Close).await.expect("closes");
    }
}

#[tokio::test]
async fn what_no_incarnation_holds_is_removed_and_told_to_one() {
    let server = RedisServer::start().await;
    let (first, second) = (Node::of(&server).await, Node::of(&server).await);
    first.enter("a", &room("r")).await;
    let lost = Node::of(&server).await;
    lost.enter("lost", &room("r")).await;
    let numbers: Vec<String> = ask(&server, "HGETALL {roomwire:0}:incarnations").await;
    let number = numbers.chunks(2).find(|entry| entry[0] == lost.incarnation.to_string()).expect("is there")[1].clone();
    // Its lists are lost, and it ends before they are mended.
    ask::<u64>(&server, &format!("DEL {P}:n:{number} {P}:nc:{number}")).await;
    first.state.end_lease(&lost.incarnation).await.expect("ends");
    first.state.renew_lease(&first.incarnation, LEASE).await.expect("renews");
    first.state.reap(&first.incarnation, &lost.incarnation, 100).await.expect("reaps");
    // It may still be put back.
    assert_eq!(first.repair().await.departures, []);
    assert_eq!(second.state.member_count(&room("r")).await.expect("counts"), 2);
    let removed = [second.repair().await, first.repair().await];
    let departures: Vec<Departure> = removed.iter().flat_map(|removed| removed.departures.clone()).collect();
    assert_eq!(departures, [Departure { client: client("lost").key, room: room("r") }]);
    let gone: Vec<ClientKey> = removed.iter().flat_map(|removed| removed.clients.clone()).collect();
    assert_eq!(gone, [client("lost").key]);
    assert_eq!(first.members(&room("r")).await, BTreeSet::from(["a".to_owned()]));
    assert_eq!(first.state.client_count(&Namespace::root()).await.expect("counts"), 1);
    assert_eq!(
        first.state.user_client_count(&Namespace::root(), &UserId::new("ada").expect("valid")).await.expect("counts"),
        1
    );
}

#[tokio::test]
async fn members_of_a_large_room_are_looked_through_as_well() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    for number in 0..500 {
        node.enter(&format!("c{number}"), &room("large")).await;
    }
    ask::<u64>(&server, "HSET {roomwire:0}:m:/,large ghost 7777 another garbage").await;
    node.repair().await;
    let removed = node.repair().await;
    let gone: BTreeSet<_> = removed.departures.iter().map(|departure| departure.client.client.to_string()).collect();
    assert_eq!(gone, BTreeSet::from(["another".to_owned(), "ghost".to_owned()]));
    assert_eq!(node.state.member_count(&room("large")).await.expect("counts"), 500);
}

#[tokio::test]
async fn incarnations_keep_their_numbers_whichever_list_of_them_is_lost_and_no_number_is_given_twice() {
    let server = RedisServer::start().await;
    let nodes = [Node::of(&server).await, Node::of(&server).await, Node::of(&server).await];
    for (number, node) in nodes.iter().enumerate() {
        node.enter(&format!("c{number}"), &room("r")).await;
    }
    let incarnations = async || {
        let incarnations: Vec<String> = ask(&server, "HGETALL {roomwire:0}:incarnations").await;
        BTreeSet::from_iter(incarnations.chunks(2).map(|entry| (entry[0].clone(), entry[1].clone())))
    };
    let mut before = incarnations().await;
    for damage in [
        "DEL {roomwire:0}:incarnations",
        "DEL {roomwire:0}:st",
        "SET {roomwire:0}:incarnations x",
        "SET {roomwire:0}:st x",
    ] {
        ask::<redis::Value>(&server, damage).await;
        let refused = nodes[0].join("c0", &room("s")).await;
        assert!(matches!(refused, Err(StateError::Fenced)), "{damage}: {refused:?}");
        // One that was never there comes first.
        let new = Node::of(&server).await;
        let after = incarnations().await;
        assert!(after.is_superset(&before), "{damage}: {after:?} {before:?}");
        let numbers: BTreeSet<_> = after.iter().map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), after.len(), "{damage}: {after:?}");
        for (number, node) in nodes.iter().enumerate() {
            node.join(&format!("c{number}"), &room("s")).await.expect("joins");
            assert!(node.damaged().await.is_empty(), "{damage}");
            assert!(!node.stored_clients().await.is_empty(), "{damage}");
        }
        new.state.end_lease(&new.incarnation).await.expect("ends");
        before = incarnations().await;
    }
}

#[tokio::test]
async fn an_incarnation_with_a_lost_counter_is_behind_once_and_continues_to_write() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    for damage in ["DEL {roomwire:0}:l:1", "SET {roomwire:0}:l:1 x", "HSET {roomwire:0}:l:1 seq x lease y"] {
        ask::<redis::Value>(&server, damage).await;
        assert!(
            node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews").behind,
            "{damage}: all is put back"
        );
        assert!(!node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews").behind, "{damage}: once");
        node.state.connect(&node.incarnation, &client(damage)).await.expect("writes on");
    }
}

#[tokio::test]
async fn a_node_that_ends_while_its_lists_are_damaged_leaves_no_ghost_and_each_leave_is_told() {
    let server = RedisServer::start().await;
    let survivor = Node::of(&server).await;
    for (round, damage) in
        ["DEL {roomwire:0}:m:/,r", "SET {roomwire:0}:m:/,r x", "DEL {roomwire:0}:c:/,a", "DEL {roomwire:0}:dead"]
            .into_iter()
            .enumerate()
    {
        let lost = Node::of(&server).await;
        lost.enter("a", &room("r")).await;
        survivor.state.end_lease(&lost.incarnation).await.expect("ends");
        ask::<redis::Value>(&server, damage).await;
        survivor.repair().await;
        let status = survivor.state.renew_lease(&survivor.incarnation, LEASE).await.expect("renews");
        assert_eq!(status.expired, std::slice::from_ref(&lost.incarnation), "{damage}");
        let reaped = survivor.state.reap(&survivor.incarnation, &lost.incarnation, 100).await.expect("reaps");
        assert_eq!(reaped.departures, [Departure { client: client("a").key, room: room("r") }], "{damage}");
        assert_eq!(reaped.clients, [client("a").key], "round {round}: {damage}");
        survivor.repair().await;
        assert!(survivor.rooms().await.is_empty(), "{damage}");
        assert_eq!(survivor.state.client_count(&Namespace::root()).await.expect("counts"), 0, "{damage}");
    }
}

#[tokio::test]
async fn entries_that_are_no_names_are_removed_and_stop_nothing() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    for set in ["n:1", "nc:1", "cs:/", "rs:/", "us:/,ada"] {
        ask::<u64>(&server, &format!("SADD {P}:{set} garbage")).await;
    }
    ask::<u64>(&server, &format!("HSET {P}:reaped {} garbage", node.incarnation)).await;
    ask::<u64>(&server, &format!("HSET {P}:incarnations garbage 5 another.0123456789abcdef garbage")).await;
    assert_eq!(node.stored_clients().await.len(), 2, "the client and its membership");
    node.repair().await;
    for (set, count) in [
        ("SCARD n:1", 1),
        ("SCARD nc:1", 1),
        ("SCARD cs:/", 1),
        ("SCARD rs:/", 1),
        ("SCARD us:/,ada", 1),
        ("HLEN incarnations", 1),
    ] {
        let (command, name) = set.split_once(' ').expect("two words");
        assert_eq!(ask::<u64>(&server, &format!("{command} {P}:{name}")).await, count, "{set}");
    }
    assert_eq!(node.state.nodes().await.expect("reads").len(), 1);
    let lost = Node::of(&server).await;
    lost.enter("b", &room("r")).await;
    ask::<u64>(&server, &format!("SADD {P}:n:2 garbage")).await;
    node.state.end_lease(&lost.incarnation).await.expect("ends");
    let reaped = node.state.reap(&node.incarnation, &lost.incarnation, 100).await.expect("reaps");
    assert_eq!((reaped.departures.len(), reaped.clients.len(), reaped.finished), (1, 1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_repaired_in_every_partition() {
    let cluster = RedisCluster::start(3, 0).await;
    let node = Node::on(RedisConfig::nodes(cluster.urls())).await;
    let mut uids = Vec::new();
    for number in 0..40 {
        let name = room(&format!("joined-{number}"));
        uids.push((format!("c{number}"), name.clone(), node.enter(&format!("c{number}"), &name).await));
        node.state.create_room(&room(&format!("kept-{number}")), &NewRoom::default()).await.expect("creates");
    }
    let all = node.rooms().await;
    let keys = async |pattern: &str| {
        let mut keys = Vec::new();
        for server in cluster.servers() {
            let found: Vec<String> = server.ask(&["KEYS", pattern]).await;
            keys.extend(found.into_iter().map(|key| (server, key)));
        }
        keys
    };
    for kind in ["rs:/", "cs:/", "c:*", "m:*", "r:/,joined-*", "n:*", "nc:*", "us:*", "l:*", "st", "incarnations"] {
        for (index, (server, key)) in keys(&format!("*:{kind}")).await.into_iter().enumerate() {
            let how: &[&str] = if index % 2 == 0 { &["DEL", &key] } else { &["SET", &key, "x"] };
            server.ask::<redis::Value>(how).await;
        }
        node.state.begin_lease(&node.incarnation, LEASE).await.expect("begins");
        // What a node does with what it finds missing.
        let alive =
            uids.iter().map(|(name, room, uid)| LiveClient { client: client(name), rooms: vec![(room.clone(), *uid)] });
        node.state.restore(&node.incarnation, &Vec::from_iter(alive)).await.expect("restores");
        node.repair().await;
        assert_eq!(node.rooms().await, all, "{kind}");
        assert!(node.damaged().await.is_empty(), "{kind}: {:?}", node.damaged().await);
        let registered = node.stored_clients().await.into_iter().filter(|stored| stored.registered);
        assert_eq!(registered.count(), 40, "{kind}");
        assert_eq!(node.state.client_count(&Namespace::root()).await.expect("counts"), 40, "{kind}");
        for (name, room, uid) in &uids {
            assert_eq!(node.join(name, room).await.expect("is in"), *uid, "{kind}");
        }
    }
}

#[tokio::test]
async fn revocations_that_cannot_be_read_are_passed_over_and_may_be_told_again() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let now = Timestamp::now();
    let until = now.plus(Duration::from_secs(60));
    let revocations = ["a", "b", "c"].map(|name| Revocation {
        subject: Revoked::Token(TokenId::new(name).expect("valid")),
        revoked_at: now,
        until,
    });
    for damage in [
        "DEL {roomwire:0}:rv",
        "DEL {roomwire:0}:ru",
        "HSET {roomwire:0}:rv ta garbage",
        "HSET {roomwire:0}:rv ta 999999999999999999999999999999",
        "ZADD {roomwire:0}:ru 9223372036854775807 ta",
        "ZADD {roomwire:0}:ru +inf ta +inf garbage",
        "SET {roomwire:0}:ru x",
    ] {
        for revocation in &revocations {
            node.state.revoke(revocation).await.expect("revokes");
        }
        ask::<redis::Value>(&server, damage).await;
        let first = PageRequest::first(1000);
        let left = node.state.revocations(&first).await.expect("reads").items;
        assert!(left.len() < 3 && left.iter().all(|left| revocations.contains(left)), "{damage}: {left:?}");
        node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
        for revocation in &revocations {
            node.state.revoke(revocation).await.expect("revokes");
        }
        assert_eq!(node.state.revocations(&first).await.expect("reads").items.len(), 3, "{damage}");
    }
}
