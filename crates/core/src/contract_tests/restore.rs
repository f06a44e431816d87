//! Restoring: a node writes its live clients back to the store.

use super::{
    Cluster,
    fixture::{Peer, alive, client, client_in, metadata, new_client, room, room_in},
};
use crate::{
    DeletionId, LiveClient, NewClient, NewRoom, RestoredDifferently, RoomChange, RoomKey, RoomUid, StateError,
    Timestamp, UserId,
};

/// After its state was lost, a node's clients exist again, with all their data.
pub async fn restoring_puts_clients_and_memberships_back(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    let uid = RoomUid::random();
    let user = Some(UserId::new("ada").expect("valid"));
    let connected_at = Timestamp::from_millis(77);
    let first = NewClient { user: user.clone(), metadata: metadata("a", 1), connected_at, ..new_client(&client("a")) };
    let first = LiveClient { client: first, rooms: vec![(room("r"), uid), (room("s"), RoomUid::random())] };
    peer.restore(&[first, alive(&client("b"), &[(&room("r"), uid)]), alive(&client("c"), &[])]).await;

    let record = other.client(&client("a")).await.expect("is there");
    assert_eq!((record.user, record.metadata, record.connected_at), (user, metadata("a", 1), connected_at));
    assert_eq!((record.rooms, record.node), (vec![room("r").room, room("s").room], peer.incarnation.node().clone()));
    assert_eq!(other.members(&room("r")).await, ["a", "b"]);
    assert_eq!(other.rooms_of(&client("c")).await, [""; 0]);
    let joined = other.enter(&client("d"), &room("r")).await;
    assert_eq!((joined.uid, joined.created), (uid, false), "the room has the uid that it had");
    assert!(peer.leave(&client("b"), &room("r")).await);
    assert_eq!(peer.disconnect(&client("a")).await, [room("r"), room("s")]);
}

/// Restoring an existing member ignores the room's capacity and whether the room is closed.
pub async fn restoring_asks_neither_capacity_nor_closing(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    other.state.create_room(&room("full"), &NewRoom::with_capacity(1)).await.expect("creates");
    other.enter(&client("in"), &room("full")).await;
    other.change(&room("closed"), RoomChange::Close).await;
    let uid = RoomUid::random();
    peer.restore(&[alive(&client("a"), &[(&room("full"), uid), (&room("closed"), uid)])]).await;

    assert_eq!(other.members(&room("full")).await, ["a", "in"]);
    assert_eq!(other.members(&room("closed")).await, ["a"]);
    other.connect(&client("out")).await;
    assert!(matches!(other.try_join(&client("out"), &room("full")).await, Err(StateError::RoomFull)));
    assert!(matches!(other.try_join(&client("out"), &room("closed")).await, Err(StateError::RoomClosed)));
    assert!(!peer.join(&client("a"), &room("closed")).await.newly_joined);
}

/// A uid is given to a missing room only.
pub async fn a_restored_room_that_still_exists_keeps_its_uid(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    let uid = other.enter(&client("in"), &room("r")).await.uid;
    other.change(&room("r"), RoomChange::Capacity(Some(9))).await;
    let told = peer.restore(&[alive(&client("a"), &[(&room("r"), RoomUid::random())])]).await;
    assert_eq!(told, [RestoredDifferently { client: client("a"), room: room("r"), uid: Some(uid) }]);
    assert_eq!(peer.join(&client("a"), &room("r")).await.uid, uid);
    let record = other.room(&room("r")).await.expect("is there");
    assert_eq!((record.capacity, record.clients.len()), (Some(9), 2));
}

/// A node that has not received the message of a deletion yet does not restore the room.
pub async fn what_a_deletion_ended_is_not_put_back(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    let ([a, b], [hall, empty, kept]) = (["a", "b"].map(client), ["hall", "empty", "kept"].map(room));
    let deleted = peer.enter(&a, &hall).await.uid;
    other.state.create_room(&empty, &NewRoom::default()).await.expect("creates");
    let without_members = peer.join(&a, &empty).await.uid;
    peer.leave(&a, &empty).await;
    for room in [&hall, &empty] {
        other.state.delete_room(room, DeletionId::random()).await.expect("deletes").expect("exists");
    }
    let given = [alive(&a, &[(&hall, deleted), (&empty, without_members), (&kept, RoomUid::random())])];
    let refused = |room: &RoomKey| RestoredDifferently { client: a.clone(), room: room.clone(), uid: None };
    for _ in 0..2 {
        let mut told = peer.restore(&given).await;
        told.sort_by(|one, two| one.room.cmp(&two.room));
        assert_eq!(told, [refused(&empty), refused(&hall)]);
        assert_eq!(other.rooms_of(&a).await, ["kept"]);
        assert_eq!((other.room(&hall).await, other.room(&empty).await), (None, None));
    }
    // The next room of this name is another room.
    let next = other.enter(&b, &hall).await.uid;
    assert_eq!(peer.restore(&[alive(&a, &[(&hall, deleted)])]).await, [refused(&hall)]);
    assert_eq!(other.members(&hall).await, ["b"]);
    peer.join(&a, &hall).await;
    let told = peer.restore(&[alive(&a, &[(&hall, deleted)])]).await;
    assert_eq!(told, [RestoredDifferently { uid: Some(next), ..refused(&hall) }], "it is a member of that one");
    assert_eq!(other.members(&hall).await, ["a", "b"]);
}

/// Restoring is idempotent.
pub async fn restoring_twice_is_restoring_once(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let given = [alive(&client("a"), &[(&room("r"), RoomUid::random())]), alive(&client("b"), &[])];
    peer.restore(&given).await;
    let before = (peer.client(&client("a")).await, peer.room(&room("r")).await);
    peer.restore(&given).await;
    assert_eq!((peer.client(&client("a")).await, peer.room(&room("r")).await), before);
    peer.restore(&[]).await;
    assert_eq!(peer.disconnect(&client("a")).await, [room("r")]);
    assert_eq!(peer.room(&room("r")).await, None);
}

/// A restored room was not created by name.
pub async fn a_restored_room_vanishes_with_its_last_member(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let uid = RoomUid::random();
    peer.restore(&[alive(&client("a"), &[(&room("r"), uid)]), alive(&client("b"), &[(&room("r"), uid)])]).await;
    peer.leave(&client("a"), &room("r")).await;
    peer.disconnect(&client("b")).await;
    assert_eq!(peer.room(&room("r")).await, None);
}

/// Restoring adds: memberships under this incarnation remain. Rooms of another namespace are ignored.
pub async fn restoring_keeps_the_memberships_of_this_incarnation(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("a"), &room("kept")).await;
    let elsewhere = room_in("/x", "r");
    peer.restore(&[alive(&client("a"), &[(&room("r"), RoomUid::random()), (&elsewhere, RoomUid::random())])]).await;
    assert_eq!(peer.rooms_of(&client("a")).await, ["kept", "r"]);
    assert_eq!(peer.members(&room("kept")).await, ["a"]);
    assert_eq!(peer.room(&elsewhere).await, None);
    assert_eq!(peer.client(&client_in("/x", "a")).await, None);
}

/// A node that lost its lease restores its clients under its next incarnation; only the rest is cleaned up from the old
/// one.
pub async fn a_restored_client_moves_with_all_that_was_given(cluster: &dyn Cluster) {
    let [survivor, new, old] = Peer::three(cluster).await;
    let uid = old.enter(&client("a"), &room("r")).await.uid;
    old.join(&client("a"), &room("forgotten")).await;
    old.enter(&client("gone"), &room("r")).await;
    old.state.end_lease(&old.incarnation).await.expect("ends");

    new.restore(&[alive(&client("a"), &[(&room("r"), uid)])]).await;
    assert_eq!(new.rooms_of(&client("a")).await, ["r"]);
    assert_eq!(new.room(&room("forgotten")).await, None, "its last member is gone");
    let reaped = survivor.reap_all(&old.incarnation, 10).await;
    assert_eq!(reaped.clients, [client("gone")]);
    assert_eq!(reaped.departures.len(), 1, "{reaped:?}");
    assert_eq!(survivor.members(&room("r")).await, ["a"]);
    assert_eq!(new.join(&client("a"), &room("r")).await.uid, uid, "the room never ended");
}
