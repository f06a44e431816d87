//! Numbers that another program wrote and that no reader, or no counter, has room for.

use std::collections::BTreeSet;

use roomwire_core::{Metadata, Namespace, NewRoom, PageRequest, RoomChange, StateStore};
use roomwire_test_servers::RedisServer;

use crate::{LEASE, Node, P, ask, client, is_unavailable, room};

/// Of each kind one: a counter does not count beyond it, Lua does not know it exactly, it has more digits than any
/// number, the next has, no count is below zero.
const TOO_GREAT: [&str; 5] =
    ["9223372036854775807", "1152921504606846976", "999999999999999999999999999999", "999999999999999", "-7"];

async fn numbers(server: &RedisServer) -> Vec<String> {
    let incarnations: Vec<String> = ask(server, &format!("HGETALL {P}:incarnations")).await;
    incarnations.chunks(2).map(|entry| entry[1].clone()).collect()
}

#[tokio::test]
async fn a_counter_of_incarnations_that_is_too_great_keeps_no_node_from_its_start() {
    let server = RedisServer::start().await;
    let first = Node::of(&server).await;
    first.enter("a", &room("r")).await;
    for value in TOO_GREAT {
        ask::<u64>(&server, &format!("HSET {P}:st next {value}")).await;
        let new = Node::of(&server).await;
        new.enter("b", &room("r")).await;
        let numbers = numbers(&server).await;
        assert_eq!(BTreeSet::from_iter(&numbers).len(), 2, "{value}: {numbers:?}");
        assert!(numbers.iter().all(|number| number.len() == 1), "{value}: {numbers:?}");
        new.state.disconnect(&new.incarnation, &client("b").key).await.expect("disconnects");
        new.state.end_lease(&new.incarnation).await.expect("ends");
    }
}

#[tokio::test]
async fn an_incarnation_with_too_great_a_count_of_writes_is_behind_once_and_continues_to_write() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    for value in TOO_GREAT {
        for writes_first in [false, true] {
            node.enter("a", &room("r")).await;
            ask::<u64>(&server, &format!("HSET {P}:l:1 seq {value}")).await;
            if writes_first {
                node.state.connect(&node.incarnation, &client("b")).await.expect("writes on");
            }
            let mut behind = Vec::new();
            for round in 0..3 {
                behind.push(node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews").behind);
                node.state.connect(&node.incarnation, &client(&format!("c{round}"))).await.expect("writes on");
            }
            // The greatest count that can be read is a good one until it is passed.
            assert_eq!(behind.iter().filter(|behind| **behind).count(), 1, "{value}, {writes_first}: {behind:?}");
            assert!(!node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews").behind, "{value}");
        }
    }
}

#[tokio::test]
async fn a_count_of_rooms_that_is_too_great_is_counted_anew() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    for (number, value) in TOO_GREAT.into_iter().enumerate() {
        ask::<u64>(&server, &format!("HSET {P}:st rooms:/ {value}")).await;
        node.state.create_room(&room(&format!("kept-{number}")), &NewRoom::default()).await.expect("creates");
        node.repair().await;
        let counted: u64 = ask(&server, &format!("HGET {P}:st rooms:/")).await;
        assert_eq!(counted, number as u64 + 1, "{value}");
    }
}

#[tokio::test]
async fn an_incarnation_has_no_number_that_is_too_great() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    for value in TOO_GREAT {
        for damage in [
            format!("HSET {P}:incarnations {} {value}", node.incarnation),
            format!("HSET {P}:st incarnation:{value} {}", node.incarnation),
            format!("HSET {P}:st incarnation:{value} made-up.0123456789abcdef"),
            format!("HSET {P}:incarnations made-up.0123456789abcdef {value}"),
        ] {
            ask::<u64>(&server, &damage).await;
            node.state.begin_lease(&node.incarnation, LEASE).await.expect("begins again");
            node.repair().await;
            let new = Node::of(&server).await;
            let numbers = numbers(&server).await;
            // An incarnation that is made up is one until its lease runs out.
            let is_short = |number: &String| number.len() <= 2 || number == "999999999999999";
            assert!(numbers.iter().all(is_short), "{damage}: {numbers:?}");
            assert!(node.damaged().await.is_empty(), "{damage}");
            node.join("a", &room("s")).await.expect("joins");
            assert!(!node.stored_clients().await.is_empty(), "{damage}");
            new.state.end_lease(&new.incarnation).await.expect("ends");
        }
    }
}

#[tokio::test]
async fn a_lease_that_no_configuration_allows_neither_ends_an_incarnation_nor_keeps_it_for_ever() {
    let server = RedisServer::start().await;
    let (node, lost) = (Node::of(&server).await, Node::of(&server).await);
    for value in TOO_GREAT {
        ask::<u64>(&server, &format!("HSET {P}:l:1 lease {value}")).await;
        ask::<u64>(&server, &format!("HSET {P}:l:2 lease {value}")).await;
        ask::<u64>(&server, &format!("ZREM {P}:lease 2")).await;
        node.repair().await;
        let status = node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
        assert!(status.expired.is_empty(), "{value}: {} is alive", lost.incarnation);
        let ends: Vec<u64> = ask(&server, &format!("ZRANGEBYSCORE {P}:lease 1 4102444800000")).await;
        assert_eq!(ends.len(), 2, "{value}");
    }
}

#[tokio::test]
async fn newcomers_are_not_refused_for_longer_than_a_node_can_ask_for() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    for value in TOO_GREAT.into_iter().chain(["1e300", "inf"]) {
        ask::<u64>(&server, &format!("HSET {P}:st recovery {value} lost 1")).await;
        node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
        node.enter("a", &room(&format!("after {value}"))).await;
        ask::<u64>(&server, &format!("HSET {P}:st lost {value}")).await;
        node.enter("a", &room(&format!("after lost {value}"))).await;
    }
}

#[tokio::test]
async fn a_number_of_a_room_that_no_reader_has_room_for_is_mended_and_hides_no_other_room() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let (joined, empty) = (room("joined"), room("empty"));
    for room in [&joined, &empty] {
        node.state.create_room(room, &NewRoom::with_capacity(3).named("Name")).await.expect("creates");
    }
    let uid = node.enter("a", &joined).await;
    node.state.create_room(&room("other"), &NewRoom::default()).await.expect("creates");
    for value in ["9223372036854775807", "18446744073709551616", "999999999999999999999999999999"] {
        for field in ["uid", "cap", "created", "updated", "ver"] {
            if field == "uid" && value == "9223372036854775807" {
                continue;
            }
            let what = format!("{field} {value}");
            let other = Node::of(&server).await;
            other.state.connect(&other.incarnation, &client("b")).await.expect("connects");
            for room in ["joined", "empty"] {
                ask::<u64>(&server, &format!("HSET {P}:r:/,{room} {what}")).await;
            }
            assert!(node.rooms().await.contains("other"), "{what}");
            assert!(is_unavailable(&other.join("b", &joined).await), "{what}: what it would learn is wrong");
            let change = node.state.change_room(&joined, &RoomChange::Metadata(Metadata::new())).await;
            assert!(is_unavailable(&change), "{what}: {change:?}");
            assert_eq!(node.damaged().await, BTreeSet::from(["a".to_owned()]), "{what}");
            node.put_back("a", &joined, uid).await;
            node.repair().await;
            assert!(node.damaged().await.is_empty(), "{what}");
            let read = node.state.room(&joined).await.expect("reads").expect("exists");
            assert_eq!((read.name.as_str(), read.capacity), ("Name", Some(3)), "{what}");
            let read = node.state.room(&empty).await.expect("reads").expect("exists");
            assert_eq!(read.capacity, (field != "cap").then_some(3), "{what}");
            assert_eq!(node.rooms().await.len(), 3, "{what}");
            node.state.change_room(&empty, &RoomChange::Capacity(Some(3))).await.expect("changes");
            other.join("b", &joined).await.expect("joins");
            other.state.disconnect(&other.incarnation, &client("b").key).await.expect("disconnects");
        }
    }
}

#[tokio::test]
async fn a_moment_of_a_client_that_no_reader_has_room_for_is_mended_and_hides_no_other_client() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let uid = node.enter("a", &room("r")).await;
    node.enter("b", &room("r")).await;
    for value in ["18446744073709551616", "999999999999999999999999999999", "-1"] {
        for field in ["t", "a"] {
            ask::<u64>(&server, &format!("HSET {P}:c:/,a {field} {value}")).await;
            let clients = node.state.clients(&Namespace::root(), &PageRequest::first(10)).await.expect("reads").items;
            assert!(clients.iter().any(|client| client.id.as_str() == "b"), "{field} {value}: {clients:?}");
            assert_eq!(node.damaged().await, BTreeSet::from(["a".to_owned()]), "{field} {value}");
            node.put_back("a", &room("r"), uid).await;
            assert!(node.damaged().await.is_empty(), "{field} {value}");
            let read = node.state.client(&client("a").key).await.expect("reads").expect("exists");
            assert_eq!(read.connected_at, client("a").connected_at, "{field} {value}");
        }
    }
}
