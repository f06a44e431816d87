//! Rooms: creation, changes and removal.

use super::{
    Cluster,
    fixture::{Peer, assert_refused, client, metadata, room},
    race::{lane, race},
};
use crate::{
    DeletedRoom, DeletionId, Metadata, Namespace, NewRoom, RemovedByOthers, RoomChange, RoomKey, WebSocketRoom,
};

async fn create(peer: &Peer, room: &RoomKey) -> WebSocketRoom {
    peer.state.create_room(room, &NewRoom::default()).await.expect("creates")
}

async fn delete(peer: &Peer, room: &RoomKey) -> Option<DeletedRoom> {
    peer.state.delete_room(room, DeletionId::random()).await.expect("deletes")
}

/// The settings can be read from every node.
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

/// Creating never takes over a room, however it was created, and changes nothing about it.
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
    let lanes = nodes.iter().cycle().take(4).zip(0..).map(|(node, capacity)| {
        let node = node.clone();
        lane(move |round| {
            let node = node.clone();
            async move {
                let new = NewRoom::with_capacity(capacity);
                node.state.create_room(&room(&format!("r{round}")), &new).await.ok()
            }
        })
    });
    for (round, outcomes) in race(cluster.rounds(300), lanes.collect()).await.into_iter().enumerate() {
        let created: Vec<_> = outcomes.into_iter().flatten().collect();
        assert_eq!(created.len(), 1, "in round {round}");
        assert_eq!(nodes[0].room(&room(&format!("r{round}"))).await.as_ref(), created.first());
    }
}

/// A room that a join created is removed with its last member, however the membership ends.
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
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    peer.reap_all(&lost.incarnation, 10).await;
    for name in ["leaves", "disconnects", "moves", "lost"] {
        assert_eq!(other.room(&room(name)).await, None, "{name}");
    }
    assert_eq!(peer.state.room_count(&Namespace::root()).await.expect("reads"), 0);
}

/// A room created by name exists until it is deleted.
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
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    peer.reap_all(&lost.incarnation, 10).await;
    assert_eq!(peer.members(&room("r")).await, [""; 0]);
    assert_eq!(peer.join(&client("leaves"), &room("r")).await.uid, uid, "it is still the same");
    peer.leave(&client("leaves"), &room("r")).await;
    assert_eq!(delete(&other, &room("r")).await, Some(DeletedRoom { uid, members: Vec::new() }));
    assert_eq!(peer.room(&room("r")).await, None);
}

/// With `keep_when_empty` false, a room exists with its settings until its last member has left, however.
pub async fn a_room_created_by_name_that_is_not_kept_vanishes_with_its_last_member(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    let names = ["leaves", "disconnects", "lost"];
    for name in names {
        let new = NewRoom::with_capacity(1).keep_when_empty(false);
        peer.state.create_room(&room(name), &new).await.expect("creates");
    }
    for (member, name) in [(&peer, "leaves"), (&other, "disconnects"), (&lost, "lost")] {
        assert!(!member.enter(&client(name), &room(name)).await.created, "it existed before its first member");
        peer.change(&room(name), RoomChange::Metadata(metadata("a", 1))).await;
        assert_eq!(peer.room(&room(name)).await.expect("exists").capacity, Some(1));
    }
    peer.leave(&client("leaves"), &room("leaves")).await;
    other.disconnect(&client("disconnects")).await;
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    peer.reap_all(&lost.incarnation, 10).await;
    for name in names {
        assert_eq!(other.room(&room(name)).await, None, "{name}");
    }
    assert!(peer.enter(&client("next"), &room("leaves")).await.created, "the next room has no settings");
    assert_eq!(peer.room(&room("leaves")).await.expect("exists").capacity, None);
}

/// A uid names one incarnation of a room.
pub async fn a_room_has_one_uid_while_it_exists_and_another_when_it_exists_again(cluster: &dyn Cluster) {
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

/// A deletion ends every membership and returns the members.
pub async fn deleting_a_room_ends_and_returns_its_memberships(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    first.enter(&client("a"), &room("r")).await;
    first.join(&client("a"), &room("kept")).await;
    let uid = second.enter(&client("b"), &room("r")).await.uid;

    let mut deleted = delete(&second, &room("r")).await.expect("was there");
    deleted.members.sort_unstable();
    assert_eq!(deleted, DeletedRoom { uid, members: ["a", "b"].map(|name| client(name).client).into() });
    assert_eq!(first.room(&room("r")).await, None);
    assert_eq!(first.members(&room("r")).await, [""; 0]);
    assert_eq!(first.rooms_of(&client("a")).await, ["kept"]);
    assert_eq!(first.rooms_of(&client("b")).await, [""; 0]);
    assert!(!first.leave(&client("a"), &room("r")).await);
    assert_eq!(second.disconnect(&client("b")).await, []);
    assert!(first.join(&client("a"), &room("r")).await.created, "the name is free again");
}

/// A deletion is idempotent.
pub async fn deleting_a_missing_room_is_no_error(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    assert_eq!(delete(&peer, &room("r")).await, None);
    create(&peer, &room("r")).await;
    assert!(delete(&peer, &room("r")).await.is_some());
    assert_eq!(delete(&peer, &room("r")).await, None);
}

/// The caller repeats a deletion after a lost answer.
pub async fn a_repeated_deletion_gets_its_answer_and_deletes_nothing_else(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let uid = first.enter(&client("a"), &room("r")).await.uid;
    second.enter(&client("b"), &room("r")).await;
    let deletion = DeletionId::random();
    let mut expected = DeletedRoom { uid, members: ["a", "b"].map(|name| client(name).client).into() };
    expected.members.sort_unstable();
    for repeat in 0..4 {
        let resolves = repeat >= 2;
        let answer = if resolves {
            second.state.resolve_deletion(&room("r"), deletion).await
        } else {
            second.state.delete_room(&room("r"), deletion).await
        };
        let mut answer = answer.expect("answers").expect("took place");
        answer.members.sort_unstable();
        assert_eq!(answer, expected, "call {repeat}");
        first.join(&client("a"), &room("r")).await;
        assert_eq!(first.members(&room("r")).await, ["a"], "the next room stays");
    }
}

/// A call that arrives after its deletion was resolved has no effect.
pub async fn a_resolved_deletion_does_not_take_place(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("a"), &room("r")).await;
    let deletion = DeletionId::random();
    for _ in 0..2 {
        assert_eq!(peer.state.resolve_deletion(&room("r"), deletion).await.expect("answers"), None);
        assert_eq!(peer.state.delete_room(&room("r"), deletion).await.expect("answers"), None);
    }
    assert_eq!(peer.members(&room("r")).await, ["a"]);
    assert!(delete(&peer, &room("r")).await.is_some());
}

/// A client is a member of the deleted room or of the next one, never of neither.
pub async fn a_join_that_races_a_deletion_is_deleted_or_begins_a_new_incarnation(cluster: &dyn Cluster) {
    let rounds = cluster.rounds(300);
    let [first, second, _] = Peer::three(cluster).await;
    let target = |round: usize| room(&format!("r{round}"));
    first.connect(&client("c")).await;
    for round in 0..rounds {
        create(&first, &target(round)).await;
    }
    let (joiner, deleter) = (first.clone(), second.clone());
    let joins = lane(move |round| {
        let joiner = joiner.clone();
        async move { DeletedRoom { uid: joiner.join(&client("c"), &target(round)).await.uid, members: Vec::new() } }
    });
    let deletes = lane(move |round| {
        let deleter = deleter.clone();
        async move { delete(&deleter, &target(round)).await.expect("was there") }
    });
    for (round, outcomes) in race(rounds, vec![joins, deletes]).await.into_iter().enumerate() {
        let is_deleted = outcomes[0].uid == outcomes[1].uid;
        let members = [usize::from(is_deleted), usize::from(!is_deleted)];
        let left = first.members(&target(round)).await;
        assert_eq!([outcomes[1].members.len(), left.len()], members, "in round {round}");
        assert_eq!(first.leave(&client("c"), &target(round)).await, !is_deleted, "in round {round}");
        assert_eq!(first.room(&target(round)).await, None, "in round {round}");
    }
    assert_eq!(first.rooms_of(&client("c")).await, [""; 0]);
}

/// A node that missed the message of a deletion can read which of its memberships it ended.
pub async fn what_a_deletion_removed_is_told_apart_from_what_was_left_before(cluster: &dyn Cluster) {
    let [owner, other, _] = Peer::three(cluster).await;
    let (stays, leaves, hall) = (client("stays"), client("leaves"), room("hall"));
    let uid = owner.enter(&stays, &hall).await.uid;
    owner.enter(&leaves, &hall).await;
    owner.leave(&leaves, &hall).await;
    let known = [(hall.clone(), uid)];
    assert_eq!(owner.removed_by_others(&owner.incarnation, &stays, &known).await, RemovedByOthers::default());
    assert_eq!(delete(&other, &hall).await.expect("exists").uid, uid);
    let removed = RemovedByOthers { client: false, rooms: vec![hall.clone()] };
    assert_eq!(owner.removed_by_others(&owner.incarnation, &stays, &known).await, removed);
    assert_eq!(owner.removed_by_others(&owner.incarnation, &leaves, &known).await, RemovedByOthers::default());
    assert_eq!(other.removed_by_others(&other.incarnation, &stays, &known).await, RemovedByOthers::default());
    // The next room of this name is another room.
    let next = owner.join(&stays, &hall).await.uid;
    let known = [(hall, next)];
    assert_eq!(owner.removed_by_others(&owner.incarnation, &stays, &known).await, RemovedByOthers::default());
}
