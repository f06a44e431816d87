//! Names and values that another program wrote and that are no UTF-8.

use std::collections::BTreeSet;

use roomwire_core::{DeletionId, Namespace, NewRoom, PageRequest, StateStore};
use roomwire_test_servers::RedisServer;

use crate::{LEASE, Node, P, ask, client, room};

/// Bytes that are no text, as Lua spells them: a byte that begins none, one that ends too soon, half of a pair, too
/// long a spelling, and a value beyond the last.
const NO_TEXT: [&str; 5] = [r"\255", r"a\195", r"\237\160\128", r"\192\175", r"\244\144\128\128"];

/// Lua writes the bytes, as no command of these tests can.
async fn write_bytes(server: &RedisServer, script: &str, key: &str) {
    server.ask::<redis::Value>(&["EVAL", script, "1", key]).await;
}

#[tokio::test]
async fn a_name_that_is_no_utf8_hides_no_other() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    let number: String = ask(&server, &format!("HGET {P}:incarnations {}", node.incarnation)).await;
    let lists = [("nc", r"/,\255"), ("n", r"/,\255\n/,r"), ("n", r"a\n/,\255")];
    for (list, entry) in lists {
        write_bytes(&server, &format!("redis.call('SADD', KEYS[1], '{entry}')"), &format!("{P}:{list}:{number}")).await;
    }
    let stored = node.stored_clients().await;
    assert!(!stored.is_empty() && stored.iter().all(|stored| stored.key.client.as_str() == "a"), "{stored:?}");
    for (list, _) in lists {
        assert_eq!(ask::<u64>(&server, &format!("SCARD {P}:{list}:{number}")).await, 1, "it was removed from {list}");
    }

    let incarnation = r"redis.call('HSET', KEYS[1], 'incarnation:77', '\255.0123456789abcdef')";
    write_bytes(&server, incarnation, &format!("{P}:st")).await;
    ask::<u64>(&server, &format!("ZADD {P}:lease 1 77")).await;
    write_bytes(&server, r"redis.call('HSET', KEYS[1], '\255.0123456789abcdef', '78')", &format!("{P}:incarnations"))
        .await;
    let status = node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
    assert!(status.expired.is_empty(), "{status:?}");
    assert_eq!(node.state.nodes().await.expect("reads").len(), 1);
    node.repair().await;
    let incarnations: Vec<String> = ask(&server, &format!("HKEYS {P}:incarnations")).await;
    assert_eq!(incarnations, [node.incarnation.to_string()], "it is no incarnation");
    write_bytes(&server, r"redis.call('HSET', KEYS[1], 'r\255', 1)", &format!("{P}:c:/,a")).await;
    let left = node.state.disconnect(&node.incarnation, &client("a").key).await.expect("disconnects");
    assert_eq!(left, [room("r")]);
}

#[tokio::test]
async fn a_value_of_a_room_that_is_no_utf8_is_mended_and_hides_no_other_room() {
    let server = RedisServer::start().await;
    let (node, other) = (Node::of(&server).await, Node::of(&server).await);
    let (joined, empty) = (room("joined"), room("empty"));
    for room in [&joined, &empty] {
        node.state.create_room(room, &NewRoom::with_capacity(3).named("Näme €😀")).await.expect("creates");
    }
    let uid = node.enter("a", &joined).await;
    node.state.create_room(&room("other"), &NewRoom::default()).await.expect("creates");
    assert!(node.damaged().await.is_empty(), "text beyond ASCII is text");
    other.state.connect(&other.incarnation, &client("b")).await.expect("connects");
    for bytes in NO_TEXT {
        for (field, value) in [("name", bytes.to_owned()), ("meta", format!(r#"{{"a":"{bytes}"}}"#))] {
            let what = format!("{field} {value}");
            for room in ["joined", "empty"] {
                let script = format!("redis.call('HSET', KEYS[1], '{field}', '{value}')");
                write_bytes(&server, &script, &format!("{P}:r:/,{room}")).await;
            }
            assert!(node.rooms().await.contains("other"), "{what}");
            assert!(other.join("b", &joined).await.is_err(), "{what}: what it would learn is wrong");
            assert_eq!(node.damaged().await, BTreeSet::from(["a".to_owned()]), "{what}");
            node.put_back("a", &joined, uid).await;
            node.repair().await;
            assert!(node.damaged().await.is_empty(), "{what}");
            let read = node.state.room(&joined).await.expect("reads").expect("exists");
            assert_eq!((read.name.as_str(), read.capacity), ("Näme €😀", Some(3)), "{what}");
            let read = node.state.room(&empty).await.expect("reads").expect("exists");
            assert_eq!(read.capacity, Some(3), "{what}");
            assert!(read.metadata.is_empty(), "{what}");
            assert_eq!(node.rooms().await.len(), 3, "{what}");
        }
    }
}

#[tokio::test]
async fn a_value_of_a_client_that_is_no_utf8_is_mended_and_hides_no_other_client() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let uid = node.enter("a", &room("r")).await;
    node.enter("b", &room("r")).await;
    let listed = async || {
        let clients = node.state.clients(&Namespace::root(), &PageRequest::first(10)).await.expect("reads").items;
        BTreeSet::from_iter(clients.into_iter().map(|client| client.id.to_string()))
    };
    for bytes in NO_TEXT {
        for (field, value) in [("m", format!(r#"{{"a":"{bytes}"}}"#)), ("u", bytes.to_owned())] {
            let script = format!("redis.call('HSET', KEYS[1], '{field}', '{value}')");
            write_bytes(&server, &script, &format!("{P}:c:/,a")).await;
            assert!(listed().await.contains("b"), "{field} {value}");
            assert_eq!(node.damaged().await, BTreeSet::from(["a".to_owned()]), "{field} {value}");
            node.put_back("a", &room("r"), uid).await;
            assert!(node.damaged().await.is_empty(), "{field} {value}");
            assert_eq!(listed().await.len(), 2, "{field} {value}");
        }
        // A field that is no room's name says nothing.
        write_bytes(&server, &format!("redis.call('HSET', KEYS[1], 'r{bytes}', '')"), &format!("{P}:c:/,a")).await;
        assert_eq!(listed().await.len(), 2, "{bytes}");
    }
}

#[tokio::test]
async fn a_member_that_is_no_utf8_hides_no_other_and_is_removed() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.enter("a", &room("r")).await;
    let number: String = ask(&server, &format!("HGET {P}:incarnations {}", node.incarnation)).await;
    let script = format!(r"redis.call('HSET', KEYS[1], '\255', '{number}')");
    write_bytes(&server, &script, &format!("{P}:m:/,r")).await;
    assert_eq!(node.members(&room("r")).await, BTreeSet::from(["a".to_owned()]));
    let read = node.state.room(&room("r")).await.expect("reads").expect("exists");
    assert_eq!(read.clients, [client("a").key.client]);
    node.repair().await;
    node.stored_clients().await;
    assert_eq!(node.state.member_count(&room("r")).await.expect("counts"), 1);
    write_bytes(&server, &script, &format!("{P}:m:/,r")).await;
    let deleted = node.state.delete_room(&room("r"), DeletionId::random()).await.expect("deletes").expect("existed");
    assert_eq!(deleted.members, [client("a").key.client]);
}

#[tokio::test]
async fn a_count_of_rooms_of_a_namespace_that_is_no_utf8_is_removed() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    for bytes in NO_TEXT {
        write_bytes(&server, &format!("redis.call('HSET', KEYS[1], 'rooms:{bytes}', '3')"), &format!("{P}:st")).await;
        node.repair().await;
        let script = format!("return redis.call('HEXISTS', KEYS[1], 'rooms:{bytes}')");
        assert_eq!(server.ask::<u64>(&["EVAL", &script, "1", &format!("{P}:st")]).await, 0, "{bytes}");
    }
    assert_eq!(node.state.room_count(&Namespace::root()).await.expect("counts"), 0);
}
