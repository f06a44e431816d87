//! Names: every valid one is stored byte for byte, and no two are confused.

use std::collections::BTreeSet;

use super::{
    Cluster,
    fixture::{LONG, Peer, client, client_in, room, room_in},
};
use crate::{ClientId, DeletionId, Incarnation, Namespace, NewRoom, NodeId, PageRequest, RoomChange, RoomId};

/// Names that are difficult for separators, quoting, patterns, normalization and lengths.
pub(super) fn odd_names() -> Vec<String> {
    let plain = [
        "a",
        "A",
        "a ",
        " a",
        "a b",
        "a:b",
        "b",
        "b:c",
        "a:",
        ":a",
        "a}{b",
        "{a}",
        "}",
        "a\\",
        "a\"b",
        "a'b",
        "a,b",
        "a/b",
        "/",
        "a*",
        "*",
        "?",
        "[a]",
        "^",
        "$",
        "%s",
        "0",
        "-1",
        "1e3",
        "null",
        "\u{202e}abc",
        "\u{200f}",
        "\u{e9}",
        "e\u{301}",
        "ß",
        "ẞ",
        "🏠",
        "a\u{a0}",
        "\u{feff}a",
    ];
    let long = ["x".repeat(128), "x".repeat(127), format!("{}y", "x".repeat(127)), "ä".repeat(64)];
    plain.into_iter().map(str::to_owned).chain(long).collect()
}

/// A pattern of memberships over all pairs of difficult names is read back exactly, from both sides.
pub async fn odd_names_are_kept_and_never_mix(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let names = odd_names();
    let is_member = |client: usize, room: usize| (client * 7 + room * 3) % 5 < 2;
    for (c, name) in names.iter().enumerate() {
        peer.connect(&client(name)).await;
        for (r, target) in names.iter().enumerate().filter(|(r, _)| is_member(c, *r)) {
            assert!(peer.join(&client(name), &room(target)).await.newly_joined, "{name:?} joins {target:?} ({r})");
        }
    }
    for (index, name) in names.iter().enumerate() {
        let rooms: BTreeSet<&str> = pick(&names, |other| is_member(index, other));
        let record = peer.client(&client(name)).await.expect("is there");
        assert_eq!(record.id, name.as_str());
        assert_eq!(record.rooms.iter().map(RoomId::as_str).collect::<Vec<_>>(), Vec::from_iter(rooms), "{name:?}");
        let members: BTreeSet<&str> = pick(&names, |other| is_member(other, index));
        let read = peer.members(&room(name)).await;
        assert_eq!(read.iter().map(ClientId::as_str).collect::<Vec<_>>(), Vec::from_iter(members), "{name:?}");
    }
    for name in &names {
        peer.disconnect(&client(name)).await;
    }
    assert_eq!(peer.state.room_count(&Namespace::root()).await.expect("reads"), 0);
    assert_eq!(peer.state.client_count(&Namespace::root()).await.expect("reads"), 0);
}

fn pick(names: &[String], chosen: impl Fn(usize) -> bool) -> BTreeSet<&str> {
    names.iter().enumerate().filter(|(index, _)| chosen(*index)).map(|(_, name)| name.as_str()).collect()
}

/// Room `a:b` with client `c` is not room `a` with client `b:c`; neither are such namespaces.
pub async fn names_that_are_joined_alike_stay_apart(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    for separator in [":", "/", "|", ".", "-", "_", "#", " "] {
        let [ab, bc] = ["a+b", "b+c"].map(|name| name.replace('+', separator));
        let within = [(client("c"), room(&ab)), (client(&bc), room("a"))];
        let space = format!("/{ab}");
        let across = [(client_in(&space, "d"), room_in(&space, "c")), (client_in("/a", "d"), room_in("/a", &bc))];
        for [(first, left), (second, right)] in [within, across] {
            // Both rooms remain, so that nothing else creates or removes them.
            for target in [&left, &right] {
                peer.enter(&client_in(&target.namespace, "stays"), target).await;
            }
            assert!(peer.enter(&first, &left).await.newly_joined, "{first:?} joins {left:?}");
            assert!(peer.enter(&second, &right).await.newly_joined, "{second:?} joins {right:?}");
            assert!(peer.leave(&first, &left).await);
            assert_eq!(peer.members(&left).await, ["stays"]);
            assert_eq!(peer.members(&right).await, [&*second.client, "stays"]);
            assert_eq!(peer.disconnect(&first).await, []);
            assert_eq!(peer.disconnect(&second).await, [right]);
        }
    }
}

/// The same names in two namespaces are two clients and two rooms, in every respect.
pub async fn namespaces_never_meet(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    let spaces = ["/", "/a", "/a/b", "/A", "/ "];
    for (index, space) in spaces.into_iter().enumerate() {
        let peer = [&peer, &other][index % 2];
        let new = NewRoom::with_capacity(1).named(space);
        peer.state.create_room(&room_in(space, "r"), &new).await.expect("creates");
        assert!(peer.enter(&client_in(space, "c"), &room_in(space, "r")).await.newly_joined, "{space}");
    }
    let (here, there) = (room_in("/a", "r"), room_in("/a/b", "r"));
    other.change(&here, RoomChange::Close).await;
    assert!(!other.room(&there).await.expect("is there").closed);
    other.state.delete_room(&here, DeletionId::random()).await.expect("deletes").expect("was there");
    assert_eq!(other.rooms_of(&client_in("/a", "c")).await, [""; 0]);
    peer.disconnect(&client_in("/", "c")).await;
    peer.disconnect(&client_in("/a/b", "c")).await;

    for (space, members, rooms) in [("/", 0, 1), ("/a", 1, 0), ("/a/b", 0, 1), ("/A", 1, 1), ("/ ", 1, 1)] {
        let namespace = Namespace::new(space).expect("valid");
        assert_eq!(peer.state.client_count(&namespace).await.expect("reads"), members, "{space}");
        assert_eq!(peer.state.room_count(&namespace).await.expect("reads"), rooms, "{space}");
        let clients = peer.state.clients(&namespace, &PageRequest::first(10)).await.expect("reads").items;
        assert_eq!(clients.len() as u64, members, "{space}");
        let listed = peer.state.rooms(&namespace, &PageRequest::first(10)).await.expect("reads").items;
        assert_eq!(listed.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), vec![space; rooms as usize]);
    }
}

/// Nodes are distinguished whatever their names, also in a cleanup.
pub async fn odd_node_names_never_mix(cluster: &dyn Cluster) {
    let survivor = Peer::begin(cluster).await;
    let names = ["n", "n.1", "n.", ".n", "n:r", "{n}", "n n", "\u{202e}n", "*"];
    let mut nodes = Vec::new();
    for name in names {
        let incarnation = Incarnation::begin(NodeId::new(name).expect("valid"));
        let node = Peer { incarnation, ..Peer::unborn(cluster).await };
        node.state.begin_lease(&node.incarnation, LONG).await.expect("begins");
        node.enter(&client(name), &room("r")).await;
        assert_eq!(survivor.state.locate(&client(name)).await.expect("reads"), Some(node.incarnation.clone()));
        nodes.push(node);
    }
    for (gone, (name, node)) in names.into_iter().zip(&nodes).enumerate() {
        node.state.end_lease(&node.incarnation).await.expect("ends");
        survivor.is_told_of(&[node]).await;
        assert_eq!(survivor.reap_all(&node.incarnation, 10).await.clients, [client(name)]);
        assert_eq!(survivor.members(&room("r")).await.len(), names.len() - gone - 1);
    }
    assert_eq!(survivor.room(&room("r")).await, None);
}
