//! Restoring: a node puts back what is alive on it.

use super::{
    Cluster,
    fixture::{Peer, alive, client, client_in, metadata, new_client, room, room_in},
};
use crate::{LiveClient, NewClient, NewRoom, RoomChange, RoomUid, StateError, Timestamp, UserId};

/// After its state was lost a node's clients are there again, with all that was known.
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
    assert_eq!((record.rooms, record.node), (vec![room("r").room, room("s").room], peer.life.node().clone()));
    assert_eq!(other.members(&room("r")).await, ["a", "b"]);
    assert_eq!(other.rooms_of(&client("c")).await, [""; 0]);
    let joined = other.enter(&client("d"), &room("r")).await;
    assert_eq!((joined.uid, joined.created), (uid, false), "the room has the uid that it had");
    assert!(peer.leave(&client("b"), &room("r")).await);
    assert_eq!(peer.disconnect(&client("a")).await, [room("r"), room("s")]);
}

/// Who is in already is in, whatever a room says about newcomers.
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
pub async fn a_restored_room_that_lives_keeps_its_uid(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    let uid = other.enter(&client("in"), &room("r")).await.uid;
    other.change(&room("r"), RoomChange::Capacity(Some(9))).await;
    peer.restore(&[alive(&client("a"), &[(&room("r"), RoomUid::random())])]).await;
    assert_eq!(peer.join(&client("a"), &room("r")).await.uid, uid);
    let record = other.room(&room("r")).await.expect("is there");
    assert_eq!((record.capacity, record.clients.len()), (Some(9), 2));
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

/// Restoring adds: what this life joined already stays. Rooms of another namespace are passed over.
pub async fn restoring_keeps_the_memberships_of_this_life(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("a"), &room("kept")).await;
    let elsewhere = room_in("/x", "r");
    peer.restore(&[alive(&client("a"), &[(&room("r"), RoomUid::random()), (&elsewhere, RoomUid::random())])]).await;
    assert_eq!(peer.rooms_of(&client("a")).await, ["kept", "r"]);
    assert_eq!(peer.members(&room("kept")).await, ["a"]);
    assert_eq!(peer.room(&elsewhere).await, None);
    assert_eq!(peer.client(&client_in("/x", "a")).await, None);
}

/// A node that lost its lease takes its clients along to its next life; of the old one only what was not
/// taken along is cleaned up.
pub async fn a_restored_client_moves_with_all_that_was_given(cluster: &dyn Cluster) {
    let [survivor, new, old] = Peer::three(cluster).await;
    let uid = old.enter(&client("a"), &room("r")).await.uid;
    old.join(&client("a"), &room("forgotten")).await;
    old.enter(&client("gone"), &room("r")).await;
    old.state.end_lease(&old.life).await.expect("ends");

    new.restore(&[alive(&client("a"), &[(&room("r"), uid)])]).await;
    assert_eq!(new.rooms_of(&client("a")).await, ["r"]);
    assert_eq!(new.room(&room("forgotten")).await, None, "its last member is gone");
    let reaped = survivor.reap_all(&old.life, 10).await;
    assert_eq!(reaped.clients, [client("gone")]);
    assert_eq!(reaped.departures.len(), 1, "{reaped:?}");
    assert_eq!(survivor.members(&room("r")).await, ["a"]);
    assert_eq!(new.join(&client("a"), &room("r")).await.uid, uid, "the room never ended");
}
