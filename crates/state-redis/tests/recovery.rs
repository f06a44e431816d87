//! What happens to writes and rooms when Redis loses data or connections.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use roomwire_core::{
    Backplane, BackplaneEvent, Channel, ClientId, ClientKey, Departure, Incarnation, LiveClient, Metadata, Namespace,
    NewClient, NewRoom, NodeId, NodeProcess, RoomChange, RoomId, RoomKey, RoomUid, StateError, StateStore, Timestamp,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tokio::time::Instant;

/// Newcomers are refused for three tenths of that after data was lost.
const LEASE: Duration = Duration::from_secs(4);

/// The connections of a node for commands.
const POOL: usize = 4;

struct Node {
    state: RedisState,
    incarnation: Incarnation,
}

async fn node(server: &RedisServer) -> Node {
    let config = RedisConfig::new(server.url()).pool_size(POOL);
    let state = RedisState::connect(&config).await.expect("connects");
    let node = Node { state, incarnation: Incarnation::begin(NodeId::random()) };
    node.begin().await;
    node
}

impl Node {
    async fn begin(&self) {
        self.state.begin_lease(&self.incarnation, LEASE).await.expect("begins");
    }

    async fn connect(&self, name: &str) {
        self.state.connect(&self.incarnation, &client(name)).await.expect("connects");
    }

    async fn join(&self, name: &str) -> Result<RoomUid, StateError> {
        self.state.join(&self.incarnation, &client(name).key, &room()).await.map(|outcome| outcome.uid)
    }

    async fn restore(&self, names: &[&str], uid: RoomUid) {
        let alive = names.iter().map(|name| LiveClient { client: client(name), rooms: vec![(room(), uid)] });
        self.state.restore(&self.incarnation, &Vec::from_iter(alive)).await.expect("restores");
    }
}

fn client(name: &str) -> NewClient {
    let key = ClientKey::new(Namespace::root(), ClientId::new(name).expect("valid"));
    NewClient { key, user: None, metadata: Metadata::new(), connected_at: Timestamp::from_millis(1) }
}

/// The open connections, without that of the question.
async fn connections(server: &RedisServer) -> usize {
    server.ask::<String>(&["CLIENT", "LIST"]).await.lines().count() - 1
}

fn process(node: &str) -> NodeProcess {
    Incarnation::begin(NodeId::new(node).expect("valid")).process()
}

fn room() -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new("r").expect("valid"))
}

#[tokio::test]
async fn a_lost_room_is_restored_with_its_settings_and_accepts_no_client_before() {
    let server = RedisServer::start().await;
    let (first, second) = (node(&server).await, node(&server).await);
    let new = NewRoom::with_capacity(9).named("Nine");
    first.state.create_room(&room(), &new).await.expect("creates");
    first.connect("a").await;
    let uid = first.join("a").await.expect("joins");
    // The other node changes it: the first hears of it.
    second.state.change_room(&room(), &RoomChange::Capacity(Some(1))).await.expect("changes");
    first.join("a").await.expect("is in already, and learns the settings");

    server.flush_all().await;
    assert!(matches!(second.join("b").await, Err(StateError::Fenced)), "its lease is lost, too");
    // The node without members is the first to be back, and no client can create the room again.
    second.begin().await;
    second.connect("b").await;
    assert!(matches!(second.join("b").await, Err(StateError::Unavailable(_))), "the room may be full");
    let again = second.state.create_room(&room(), &NewRoom::with_capacity(5)).await;
    assert!(matches!(again, Err(StateError::Unavailable(_))), "its members know another incarnation of it: {again:?}");
    let closed = second.state.change_room(&room(), &RoomChange::Close).await;
    assert!(matches!(closed, Err(StateError::Unavailable(_))), "closing would make it, too: {closed:?}");
    first.begin().await;
    first.restore(&["a"], uid).await;
    let back = second.state.room(&room()).await.expect("reads").expect("is there");
    assert_eq!((back.name.as_str(), back.capacity, back.clients.len()), ("Nine", Some(1), 1));

    let began = Instant::now();
    loop {
        match second.join("b").await {
            Err(StateError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(StateError::RoomFull) => break,
            other => panic!("admitted to a full room: {other:?}"),
        }
        assert!(began.elapsed() < LEASE, "newcomers are refused for ever");
    }
}

#[tokio::test]
async fn writes_that_a_server_lost_are_detected_and_no_client_takes_the_lost_members_places() {
    let mut server = RedisServer::start().await;
    let (first, second) = (node(&server).await, node(&server).await);
    first.state.create_room(&room(), &NewRoom::with_capacity(1)).await.expect("creates");
    first.connect("a").await;
    second.connect("b").await;
    second.connect("c").await;
    server.save().await;
    let uid = first.join("a").await.expect("joins");
    assert!(!first.state.renew_lease(&first.incarnation, LEASE).await.expect("renews").behind);
    server.kill();
    server.start_again().await;

    assert!(first.state.renew_lease(&first.incarnation, LEASE).await.expect("renews").behind, "the join is gone");
    assert!(!first.state.renew_lease(&first.incarnation, LEASE).await.expect("renews").behind, "is said once");
    assert!(matches!(second.join("b").await, Err(StateError::Unavailable(_))), "a member is on its way back");
    first.restore(&["a"], uid).await;
    assert_eq!(second.state.member_count(&room()).await.expect("reads"), 1);
}

#[tokio::test]
async fn a_server_with_older_data_accepts_no_client_before_the_missing_members_are_known() {
    let mut server = RedisServer::start().await;
    let (first, second) = (node(&server).await, node(&server).await);
    first.state.create_room(&room(), &NewRoom::with_capacity(1)).await.expect("creates");
    first.connect("a").await;
    second.connect("b").await;
    server.save().await;
    first.join("a").await.expect("joins");
    server.kill();
    server.start_again().await;
    // None of this node's own writes was lost, nor does a node that is new know of any.
    assert!(matches!(second.join("b").await, Err(StateError::Unavailable(_))), "the room was full");
    let third = node(&server).await;
    third.connect("c").await;
    assert!(matches!(third.join("c").await, Err(StateError::Unavailable(_))), "the room was full");
    // Scripts that are forgotten by themselves are no restart.
    let other = RedisServer::start().await;
    let calm = node(&other).await;
    calm.connect("a").await;
    other.ask::<String>(&["SCRIPT", "FLUSH"]).await;
    calm.join("a").await.expect("joins");
}

#[tokio::test]
async fn a_join_after_lost_writes_finds_out_by_itself() {
    let mut server = RedisServer::start().await;
    let node = node(&server).await;
    for name in ["a", "b"] {
        node.connect(name).await;
    }
    server.save().await;
    node.join("a").await.expect("joins");
    server.kill();
    server.start_again().await;
    assert!(matches!(node.join("b").await, Err(StateError::Unavailable(_))), "others may be missing, too");
}

#[tokio::test]
async fn lost_connections_are_reopened_before_they_are_needed() {
    let mut server = RedisServer::start().await;
    let node = node(&server).await;
    let publish = async |channel: &Channel| node.state.publish(channel, Bytes::from_static(b"hello")).await;
    // Channels are assigned to connections by a hash of their random names: until each connection has some.
    let mut channels = Vec::new();
    while connections(&server).await < POOL {
        let channel = Channel::Node(process("n"));
        publish(&channel).await.expect("publishes");
        channels.push(channel);
    }
    server.kill();
    for channel in &channels {
        assert!(matches!(publish(channel).await, Err(StateError::Unavailable(_))));
    }
    let began = Instant::now();
    publish(&channels[0]).await.expect_err("is away");
    assert!(began.elapsed() < Duration::from_millis(100), "nobody waits for what nobody gets");

    server.start_again_empty().await;
    // No call is made meanwhile.
    while connections(&server).await < POOL {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for channel in &channels {
        publish(channel).await.expect("publishes at the first try");
    }
}

#[tokio::test]
async fn a_backplane_that_could_not_be_opened_is_opened_by_the_next_try() {
    let server = RedisServer::start().await;
    let config = RedisConfig::new(server.url()).timeout(Duration::from_millis(200));
    let state = RedisState::connect(&config).await.expect("connects");
    let name = process("late");
    server.stop_answering();
    assert!(matches!(state.open(&name).await, Err(StateError::Unavailable(_))));
    let dropped = tokio::time::timeout(Duration::from_millis(20), state.open(&name)).await;
    assert!(dropped.is_err(), "the server does not answer");
    server.go_on();
    let mut incoming = loop {
        // The connection of the attempts before may still be on its way.
        if let Ok(incoming) = state.open(&name).await {
            break incoming;
        }
    };
    let other = RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects");
    other.publish(&Channel::Node(name.clone()), Bytes::from_static(b"hello")).await.expect("publishes");
    assert_eq!(incoming.next().await, Some(BackplaneEvent::Message(Bytes::from_static(b"hello"))));
    assert!(state.open(&name).await.is_err(), "it is open");
}

#[tokio::test]
async fn forgotten_scripts_are_brought_again() {
    let server = RedisServer::start().await;
    let node = node(&server).await;
    for round in 0..20 {
        server.ask::<String>(&["SCRIPT", "FLUSH"]).await;
        let name = format!("c{round}");
        node.connect(&name).await;
        server.ask::<String>(&["SCRIPT", "FLUSH"]).await;
        node.join(&name).await.expect("joins");
    }
}

#[tokio::test]
async fn with_a_full_memory_joins_are_refused_and_the_rest_goes_on() {
    let server = RedisServer::start().await;
    let (node, lost) = (node(&server).await, node(&server).await);
    for name in ["a", "b"] {
        node.connect(name).await;
        node.join(name).await.expect("joins");
    }
    lost.connect("c").await;
    lost.join("c").await.expect("joins");
    node.connect("late").await;
    server.set("maxmemory", "1").await;

    assert!(matches!(node.join("late").await, Err(StateError::OutOfMemory)));
    assert!(matches!(node.state.connect(&node.incarnation, &client("new")).await, Err(StateError::OutOfMemory)));
    node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
    assert!(node.state.leave(&node.incarnation, &client("a").key, &room()).await.expect("leaves"));
    assert_eq!(node.state.disconnect(&node.incarnation, &client("b").key).await.expect("disconnects"), [room()]);
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    let reaped = node.state.reap(&node.incarnation, &lost.incarnation, 10).await.expect("reaps");
    assert_eq!(reaped.departures, [Departure { client: client("c").key, room: room() }]);
    server.set("maxmemory", "0").await;
    node.join("late").await.expect("joins");
}

#[tokio::test]
async fn the_first_node_on_an_empty_redis_admits_joins_at_once() {
    let server = RedisServer::start().await;
    let first = node(&server).await;
    first.state.renew_lease(&first.incarnation, LEASE).await.expect("renews");
    first.connect("a").await;
    first.join("a").await.expect("nothing was lost");
}
