//! Entries and values that another program wrote in a form that is close to this service's own.

use std::{collections::BTreeSet, time::Duration};

use roomwire_core::{Departure, Namespace, NewRoom, RoomChange, StateError, StateStore};
use roomwire_state_redis::RedisConfig;
use roomwire_test_servers::{RedisCluster, RedisServer};

use crate::{LEASE, Node, P, ask, client, is_unavailable, room};

#[tokio::test]
async fn a_member_with_a_line_break_is_removed_and_fills_no_room() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.state.create_room(&room("r"), &NewRoom::with_capacity(2)).await.expect("creates");
    node.enter("a", &room("r")).await;
    node.state.connect(&node.incarnation, &client("b")).await.expect("connects");
    for member in ["x\ny", "x\n", "\n", "x\ny,z", "x\n/,r"] {
        server.ask::<u64>(&["HSET", &format!("{P}:m:/,r"), member, "1"]).await;
        node.repair().await;
        node.stored_clients().await;
        assert_eq!(node.state.member_count(&room("r")).await.expect("counts"), 1, "{member:?}");
        node.join("b", &room("r")).await.expect("has a place");
        node.state.leave(&node.incarnation, &client("b").key, &room("r")).await.expect("leaves");
    }
}

#[tokio::test]
async fn a_name_that_is_nearly_that_of_an_incarnation_hides_no_node_that_was_lost() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    let (long, longest) = ("x".repeat(1000), "x".repeat(129));
    for name in [
        &format!("{long}.0123456789abcdef"),
        &format!("{longest}.0123456789abcdef"),
        "x.0123456789ABCDEF",
        "x\u{85}.0123456789abcdef",
        "x\u{7f}.0123456789abcdef",
        ".0123456789abcdef",
    ] {
        let lost = Node::of(&server).await;
        lost.enter("b", &room("r")).await;
        let number: String = ask(&server, &format!("HGET {P}:incarnations {}", lost.incarnation)).await;
        server.ask::<u64>(&["HSET", &format!("{P}:st"), &format!("incarnation:{number}"), name]).await;
        node.repair().await;
        ask::<u64>(&server, &format!("ZADD {P}:lease 1 {number}")).await;
        let status = node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
        assert_eq!(status.expired, std::slice::from_ref(&lost.incarnation), "{name}");
        let reaped = node.state.reap(&node.incarnation, &lost.incarnation, 100).await.expect("reaps");
        assert_eq!(reaped.departures, [Departure { client: client("b").key, room: room("r") }], "{name}");
        assert_eq!(ask::<u64>(&server, &format!("HLEN {P}:incarnations")).await, 1, "{name}");
    }
}

#[tokio::test]
async fn an_incarnation_keeps_its_number_when_another_is_said_to_have_it() {
    let server = RedisServer::start().await;
    let nodes = [Node::of(&server).await, Node::of(&server).await, Node::of(&server).await];
    let lost = &nodes[2];
    lost.enter("a", &room("r")).await;
    ask::<u64>(&server, &format!("HSET {P}:st incarnation:3 {}", nodes[1].incarnation)).await;
    nodes[0].repair().await;
    nodes[0].state.end_lease(&lost.incarnation).await.expect("ends");
    let reaped = nodes[0].state.reap(&nodes[0].incarnation, &lost.incarnation, 100).await.expect("reaps");
    assert_eq!(reaped.departures, [Departure { client: client("a").key, room: room("r") }]);
    assert_eq!(ask::<u64>(&server, &format!("EXISTS {P}:n:3 {P}:nc:3 {P}:c:/,a")).await, 0);
}

#[tokio::test]
async fn a_closed_room_stays_closed_whatever_says_so() {
    let server = RedisServer::start().await;
    let (node, other) = (Node::of(&server).await, Node::of(&server).await);
    let uid = node.enter("a", &room("r")).await;
    node.state.change_room(&room("r"), &RoomChange::Close).await.expect("closes");
    node.join("a", &room("r")).await.expect("is in");
    node.state.connect(&node.incarnation, &client("b")).await.expect("connects");
    other.state.connect(&other.incarnation, &client("c")).await.expect("connects");
    for value in ["garbage", "", "01"] {
        server.ask::<u64>(&["HSET", &format!("{P}:r:/,r"), "closed", value]).await;
        assert!(is_unavailable(&node.join("b", &room("r")).await), "{value:?}: the node knows the room's settings");
        assert!(is_unavailable(&other.join("c", &room("r")).await), "{value:?}: the node does not know them");
        node.put_back("a", &room("r"), uid).await;
        let refused = node.join("b", &room("r")).await;
        assert!(matches!(refused, Err(StateError::RoomClosed)), "{value:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_client_without_a_namespace_keeps_no_node_from_its_comparison() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    ask::<u64>(&server, &format!("SADD {P}:nc:1 garbage")).await;
    ask::<u64>(&server, &format!("HSET {P}:c:garbage o 1 t 1 a 1")).await;
    assert_eq!(node.stored_clients().await.len(), 2, "the client and its membership");
    assert_eq!(ask::<u64>(&server, &format!("SCARD {P}:nc:1")).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_leaves_all_its_rooms_of_a_cluster_whatever_else_its_record_names() {
    let cluster = RedisCluster::start(3, 0).await;
    let node = Node::on(RedisConfig::nodes(cluster.urls())).await;
    let rooms = ["r1", "r2", "r3", "r4", "r5"].map(room);
    for field in ["r", "rx\ny"] {
        for room in &rooms {
            node.enter("a", room).await;
        }
        for server in cluster.servers() {
            let records: Vec<String> = server.ask(&["KEYS", "*:c:/,a"]).await;
            for record in records {
                server.ask::<u64>(&["HSET", &record, field, ""]).await;
            }
        }
        let left = node.state.disconnect(&node.incarnation, &client("a").key).await.expect("disconnects");
        assert_eq!(left, rooms, "{field:?}");
        for room in &rooms {
            assert_eq!(node.state.member_count(room).await.expect("counts"), 0, "{field:?}");
        }
    }
}

#[tokio::test]
async fn a_mark_of_another_program_removes_no_client_of_a_node() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let uid = node.enter("a", &room("r")).await;
    let namespaces = [Namespace::root()];
    let minute = Duration::from_secs(60);
    for mark in ["?1", "?999999999999", "?999999999999999", "?", "?x"] {
        for field in ["m:/,r a", "c:/,a o"] {
            ask::<u64>(&server, &format!("HSET {P}:{field} {mark}")).await;
            ask::<u64>(&server, &format!("HDEL {P}:st swept")).await;
            let removed = node.state.repair(&node.incarnation, LEASE, minute, &namespaces).await.expect("repairs");
            assert!(removed.departures.is_empty() && removed.clients.is_empty(), "{field} {mark}: {removed:?}");
            assert_eq!(node.damaged().await, BTreeSet::from(["a".to_owned()]), "{field} {mark}");
            node.put_back("a", &room("r"), uid).await;
            assert!(node.damaged().await.is_empty(), "{field} {mark}");
        }
    }
}
