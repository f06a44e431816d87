//! What operations cost Redis: commands and memory.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use roomwire_core::{
    Backplane, Channel, ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NodeId, PageRequest,
    Revocation, Revoked, RoomId, RoomKey, StateStore, Timestamp, TokenId, UserId,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;

struct Node {
    server: RedisServer,
    state: RedisState,
    incarnation: Incarnation,
}

async fn node() -> Node {
    let server = RedisServer::start().await;
    let config = RedisConfig::new(server.url()).timeout(Duration::from_secs(10));
    let state = RedisState::connect(&config).await.expect("connects");
    let incarnation = Incarnation::begin(NodeId::random());
    state.begin_lease(&incarnation, Duration::from_secs(60)).await.expect("begins");
    Node { server, state, incarnation }
}

/// An id as socket.io gives them: 16 random bytes in base64 are 22 characters, here 20.
fn client(number: usize) -> NewClient {
    let id = ClientId::new(format!("c{number:019}")).expect("valid");
    let key = ClientKey::new(Namespace::root(), id);
    NewClient { key, user: None, metadata: Metadata::new(), connected_at: Timestamp::now() }
}

fn room(number: usize) -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new(format!("room-{number}")).expect("valid"))
}

impl Node {
    /// How often clients called each command. What scripts call is counted by the server, too, but is none of these.
    async fn calls(&self) -> BTreeMap<String, u64> {
        let stats: String = self.server.ask(&["INFO", "commandstats"]).await;
        let mut calls = BTreeMap::new();
        for line in stats.lines() {
            let Some((name, rest)) = line.strip_prefix("cmdstat_").and_then(|line| line.split_once(":calls=")) else {
                continue;
            };
            let count = rest.split(',').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            if matches!(name, "evalsha" | "eval" | "spublish" | "ssubscribe" | "sunsubscribe") {
                calls.insert(name.to_owned(), count);
            }
        }
        calls
    }

    /// What an operation calls, once the server knows the scripts.
    async fn calls_of(&self, operation: impl AsyncFn()) -> BTreeMap<String, u64> {
        self.server.ask::<String>(&["CONFIG", "RESETSTAT"]).await;
        operation().await;
        self.calls().await
    }

    async fn used_memory(&self) -> u64 {
        let info: String = self.server.ask(&["INFO", "memory"]).await;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("is said");
        line.trim().parse().expect("a number")
    }
}

fn once(command: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(command.to_owned(), 1)])
}

#[tokio::test]
async fn connect_join_leave_and_disconnect_are_one_round_trip_each() {
    let node = node().await;
    let (state, incarnation) = (&node.state, &node.incarnation);
    let known = client(0);
    // So that the server knows the scripts.
    state.connect(incarnation, &known).await.expect("connects");
    state.join(incarnation, &known.key, &room(0)).await.expect("joins");
    state.leave(incarnation, &known.key, &room(0)).await.expect("leaves");
    state.disconnect(incarnation, &known.key).await.expect("disconnects");

    let new = client(1);
    assert_eq!(
        node.calls_of(async || state.connect(incarnation, &new).await.expect("connects")).await,
        once("evalsha")
    );
    let join = async || assert!(state.join(incarnation, &new.key, &room(1)).await.expect("joins").newly_joined);
    assert_eq!(node.calls_of(join).await, once("evalsha"));
    let leave = async || assert!(state.leave(incarnation, &new.key, &room(1)).await.expect("leaves"));
    assert_eq!(node.calls_of(leave).await, once("evalsha"));
    for number in 0..10 {
        state.join(incarnation, &new.key, &room(number)).await.expect("joins");
    }
    let disconnect = async || assert_eq!(state.disconnect(incarnation, &new.key).await.expect("disconnects").len(), 10);
    assert_eq!(node.calls_of(disconnect).await, once("evalsha"));
    let renew = async || drop(state.renew_lease(incarnation, Duration::from_secs(60)).await.expect("renews"));
    renew().await;
    assert_eq!(node.calls_of(renew).await, once("evalsha"));
}

#[tokio::test]
async fn a_client_of_a_user_costs_no_more_round_trips_and_no_key_of_it_is_left() {
    const CLIENTS: usize = 1000;
    let node = node().await;
    let (state, incarnation) = (&node.state, &node.incarnation);
    let user = UserId::new("somebody with a name").expect("valid");
    let of_user = |number| NewClient { user: Some(user.clone()), ..client(number) };
    state.connect(incarnation, &of_user(0)).await.expect("connects");
    state.disconnect(incarnation, &of_user(0).key).await.expect("disconnects");
    let keys: u64 = node.server.ask(&["DBSIZE"]).await;
    let new = of_user(1);
    assert_eq!(
        node.calls_of(async || state.connect(incarnation, &new).await.expect("connects")).await,
        once("evalsha")
    );
    let disconnect = async || assert!(state.disconnect(incarnation, &new.key).await.expect("disconnects").is_empty());
    assert_eq!(node.calls_of(disconnect).await, once("evalsha"));
    let empty = node.used_memory().await;
    for number in 0..CLIENTS {
        state.connect(incarnation, &of_user(number)).await.expect("connects");
    }
    let per_client = (node.used_memory().await - empty) / CLIENTS as u64;
    println!("bytes per client of one user: {per_client}");
    assert!(per_client <= 750, "{per_client} bytes per client");
    let one_page = PageRequest::first(1000);
    let read = state.user_clients(&Namespace::root(), &user, &one_page).await.expect("reads");
    assert_eq!(read.items.len(), CLIENTS);
    for number in 0..CLIENTS {
        state.disconnect(incarnation, &of_user(number).key).await.expect("disconnects");
    }
    assert_eq!(node.server.ask::<u64>(&["DBSIZE"]).await, keys);
}

#[tokio::test]
async fn nothing_is_kept_of_revocations_that_are_over_once_a_lease_is_renewed() {
    let node = node().await;
    let (state, incarnation) = (&node.state, &node.incarnation);
    state.renew_lease(incarnation, Duration::from_secs(60)).await.expect("renews");
    let keys: u64 = node.server.ask(&["DBSIZE"]).await;
    let now = Timestamp::now();
    for number in 0..50 {
        let subject = Revoked::Token(TokenId::new(format!("token {number}")).expect("valid"));
        let until = now.plus(Duration::from_millis(1500));
        state.revoke(&Revocation { subject, revoked_at: now, until }).await.expect("revokes");
    }
    assert_eq!(node.server.ask::<u64>(&["DBSIZE"]).await, keys + 2);
    while !state.revocations(&PageRequest::first(1)).await.expect("reads").items.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    state.renew_lease(incarnation, Duration::from_secs(60)).await.expect("renews");
    assert_eq!(node.server.ask::<u64>(&["DBSIZE"]).await, keys);
}

#[tokio::test]
async fn a_message_is_one_publish_and_no_state_is_read() {
    let node = node().await;
    let channel = Channel::Room(room(0));
    let publish = async || node.state.publish(&channel, Bytes::from_static(b"hello")).await.expect("publishes");
    assert_eq!(node.calls_of(publish).await, once("spublish"));
}

#[tokio::test]
async fn a_client_takes_at_most_600_bytes_and_a_membership_250() {
    const CLIENTS: usize = 4000;
    const ROOMS: usize = 100;
    const EACH: usize = 10;
    let node = node().await;
    let (state, incarnation) = (&node.state, &node.incarnation);
    let metadata = Metadata::from_iter([("name".to_owned(), "Ada Lovelace".into())]);
    let empty = node.used_memory().await;
    for number in 0..CLIENTS {
        let new = NewClient { metadata: metadata.clone(), ..client(number) };
        state.connect(incarnation, &new).await.expect("connects");
    }
    let connected = node.used_memory().await;
    for number in 0..CLIENTS {
        for offset in 0..EACH {
            let target = room((number * 7 + offset) % ROOMS);
            state.join(incarnation, &client(number).key, &target).await.expect("joins");
        }
    }
    let joined = node.used_memory().await;
    let per_client = (connected - empty) / CLIENTS as u64;
    let per_membership = (joined - connected) / (CLIENTS * EACH) as u64;
    println!("bytes per client: {per_client}, per membership: {per_membership}");
    assert!(per_client <= 600, "{per_client} bytes per client");
    assert!(per_membership <= 250, "{per_membership} bytes per membership");
    for number in 0..CLIENTS {
        state.disconnect(incarnation, &client(number).key).await.expect("disconnects");
    }
    let keys: u64 = node.server.ask(&["DBSIZE"]).await;
    assert!(keys <= 4, "what is left are the lease's {keys} keys");
}
