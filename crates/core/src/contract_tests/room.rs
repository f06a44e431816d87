//! Rooms: how they come into being, change and end.

use super::{
    Cluster,
    fixture::{Peer, Task, assert_refused, client, metadata, race, room},
};
use crate::{
    ClientId, DeletedRoom, MemberRecord, Metadata, Namespace, NewRoom, RoomChange, RoomKey, RoomUid, WebSocketRoom,
};

async fn create(peer: &Peer, room: &RoomKey) -> WebSocketRoom {
    peer.state.create_room(room, &NewRoom::default()).await.expect("creates")
}

async fn delete(peer: &Peer, room: &RoomKey) -> Option<DeletedRoom> {
    peer.state.delete_room(room).await.expect("deletes")
}

/// What was given is read back, from every node.
pub async fn a_room_created_by_name_is_kept_as_it_was_given(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let new = NewRoom::with_capacity(7).named("Räume 🏠").with_metadata(metadata("topic", vec!["a", "b"]));
    let created = first.state.create_room(&room("r"), &new).await.expect("creates");
    let expected = WebSocketRoom {
        id: room("r").room,
        name: "Räume 🏠".to_owned(),
        clients: Vec::new(),
        metadata: metadata("topic", vec!["a", "b"]),
        created_at: created.created_at,
        updated_at: created.created_at,
        capacity: Some(7),
        closed: false,
    };
    assert_eq!(created, expected);
    assert_eq!(second.room(&room("r")).await, Some(expected));

    let plain = create(&first, &room("plain")).await;
    assert_eq!((plain.name.as_str(), plain.capacity, plain.metadata), ("plain", None, Metadata::new()));
}

/// Creating never takes over a room, whichever way it came into being, and changes nothing about it.
pub async fn creating_a_room_that_exists_is_refused(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    create(&peer, &room("created")).await;
    peer.enter(&client("c"), &room("joined")).await;
    for name in ["created", "joined"] {
        let before = peer.room(&room(name)).await;
        let new = NewRoom::with_capacity(1).named("other");
        assert_refused!(peer.state.create_room(&room(name), &new).await, RoomExists);
        assert_eq!(peer.room(&room(name)).await, before);
    }
    peer.leave(&client("c"), &room("joined")).await;
    assert_eq!(peer.room(&room("joined")).await, None, "a refused creation does not keep it");
}

/// One name is created once.
pub async fn of_racing_creations_one_succeeds(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    for round in 0..20 {
        let target = room(&format!("r{round}"));
        let creations = nodes.iter().cycle().take(12).zip(0..).map(|(node, capacity)| {
            let (node, target) = (node.clone(), target.clone());
            async move { node.state.create_room(&target, &NewRoom::with_capacity(capacity)).await.ok() }
        });
        let created: Vec<_> = race(creations).await.into_iter().flatten().collect();
        assert_eq!(created.len(), 1, "in round {round}");
        assert_eq!(nodes[0].room(&target).await.as_ref(), created.first());
    }
}

/// Such a room ends with its last member, whichever way that one goes.
pub async fn a_room_created_by_joining_vanishes_with_its_last_member(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    for name in ["leaves", "disconnects", "moves"] {
        peer.enter(&client(name), &room(name)).await;
    }
    peer.enter(&client("one of two"), &room("leaves")).await;
    lost.enter(&client("lost"), &room("lost")).await;

    peer.leave(&client("leaves"), &room("leaves")).await;
    assert_eq!(peer.members(&room("leaves")).await, ["one of two"]);
    peer.leave(&client("one of two"), &room("leaves")).await;
    peer.disconnect(&client("disconnects")).await;
    other.connect(&client("moves")).await;
    lost.state.end_lease(&lost.life).await.expect("ends");
    peer.reap_all(&lost.life, 10).await;
    for name in ["leaves", "disconnects", "moves", "lost"] {
        assert_eq!(other.room(&room(name)).await, None, "{name}");
    }
    assert_eq!(peer.state.room_count(&Namespace::root()).await.expect("reads"), 0);
}

/// Such a room exists until it is deleted.
pub async fn a_room_created_by_name_stays_without_members(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    let uid = {
        create(&peer, &room("r")).await;
        let joined = peer.enter(&client("leaves"), &room("r")).await;
        assert!(joined.newly_joined && !joined.created, "{joined:?}");
        joined.uid
    };
    peer.leave(&client("leaves"), &room("r")).await;
    other.enter(&client("disconnects"), &room("r")).await;
    other.disconnect(&client("disconnects")).await;
    lost.enter(&client("lost"), &room("r")).await;
    lost.state.end_lease(&lost.life).await.expect("ends");
    peer.reap_all(&lost.life, 10).await;
    assert_eq!(peer.members(&room("r")).await, [""; 0]);
    assert_eq!(peer.join(&client("leaves"), &room("r")).await.uid, uid, "it is still the same");
    peer.leave(&client("leaves"), &room("r")).await;
    assert_eq!(delete(&other, &room("r")).await, Some(DeletedRoom { uid, members: Vec::new() }));
    assert_eq!(peer.room(&room("r")).await, None);
}

/// A uid names one life of a room.
pub async fn a_room_has_one_uid_while_it_lives_and_another_in_its_next_life(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    other.connect(&client("b")).await;
    let mut uids = Vec::new();
    for _ in 0..3 {
        let first = peer.enter(&client("a"), &room("r")).await;
        assert!(first.created);
        peer.change(&room("r"), RoomChange::Capacity(Some(9))).await;
        assert_eq!(other.join(&client("b"), &room("r")).await.uid, first.uid);
        peer.leave(&client("a"), &room("r")).await;
        assert_eq!(peer.join(&client("a"), &room("r")).await.uid, first.uid);
        peer.disconnect(&client("a")).await;
        other.leave(&client("b"), &room("r")).await;
        uids.push(first.uid);

        create(&peer, &room("r")).await;
        uids.push(other.join(&client("b"), &room("r")).await.uid);
        let deleted = delete(&peer, &room("r")).await.expect("was there");
        assert_eq!(uids.last(), Some(&deleted.uid));
    }
    for (number, uid) in uids.iter().enumerate() {
        assert!(!uids[..number].contains(uid), "used before: {uids:?}");
    }
}

/// A deletion says who was a member and where, and ends every membership.
pub async fn deleting_a_room_ends_and_returns_its_memberships(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    first.enter(&client("a"), &room("r")).await;
    first.join(&client("a"), &room("kept")).await;
    let uid = second.enter(&client("b"), &room("r")).await.uid;

    let mut deleted = delete(&second, &room("r")).await.expect("was there");
    deleted.members.sort_by(|a, b| a.client.cmp(&b.client));
    let member = |name, peer: &Peer| MemberRecord { client: client(name).client, node: peer.life.node().clone() };
    assert_eq!(deleted, DeletedRoom { uid, members: vec![member("a", &first), member("b", &second)] });
    assert_eq!(first.room(&room("r")).await, None);
    assert_eq!(first.members(&room("r")).await, [""; 0]);
    assert_eq!(first.rooms_of(&client("a")).await, ["kept"]);
    assert_eq!(first.rooms_of(&client("b")).await, [""; 0]);
    assert!(!first.leave(&client("a"), &room("r")).await);
    assert_eq!(second.disconnect(&client("b")).await, []);
    assert!(first.join(&client("a"), &room("r")).await.created, "the name is free again");
}

/// A deletion may be repeated.
pub async fn deleting_a_missing_room_is_no_error(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    assert_eq!(delete(&peer, &room("r")).await, None);
    create(&peer, &room("r")).await;
    assert!(delete(&peer, &room("r")).await.is_some());
    assert_eq!(delete(&peer, &room("r")).await, None);
}

/// A client is a member of the room that is deleted or of the one that comes after, never of neither.
pub async fn a_join_that_races_a_deletion_is_deleted_or_begins_a_new_life(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    first.connect(&client("c")).await;
    for round in 0..200 {
        create(&first, &room("r")).await;
        let (joiner, deleter) = (first.clone(), second.clone());
        let tasks: [Task<(RoomUid, Vec<ClientId>)>; 2] = [
            Box::pin(async move { (joiner.join(&client("c"), &room("r")).await.uid, Vec::new()) }),
            Box::pin(async move {
                let deleted = delete(&deleter, &room("r")).await.expect("was there");
                (deleted.uid, deleted.members.into_iter().map(|member| member.client).collect())
            }),
        ];
        let [(joined, _), (deleted, members)] = &race(tasks).await[..] else { panic!("two tasks") };
        let expected =
            if joined == deleted { [vec![client("c").client], vec![]] } else { [vec![], vec![client("c").client]] };
        assert_eq!([members.clone(), first.members(&room("r")).await], expected, "in round {round}");
        assert_eq!(first.rooms_of(&client("c")).await.len(), expected[1].len());
        first.leave(&client("c"), &room("r")).await;
        assert_eq!(first.room(&room("r")).await, None, "in round {round}");
    }
}
