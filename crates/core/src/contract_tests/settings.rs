//! Settings of rooms, and their modification times.

use std::time::Duration;

use super::{
    Cluster,
    fixture::{Peer, alive, assert_refused, client, metadata, room},
};
use crate::{Metadata, NewRoom, RoomChange, RoomUid};

/// Only closing creates a missing room.
pub async fn a_change_of_a_missing_room_is_refused(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    for change in [RoomChange::Open, RoomChange::Capacity(Some(1)), RoomChange::Metadata(metadata("a", 1))] {
        assert_refused!(peer.state.change_room(&room("r"), &change).await, RoomNotFound);
        assert_eq!(peer.room(&room("r")).await, None);
    }
}

/// Changing a room that a join created does not make it a room created by name.
pub async fn changes_do_not_keep_a_room_without_members(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("c"), &room("r")).await;
    peer.change(&room("r"), RoomChange::Capacity(Some(3))).await;
    peer.change(&room("r"), RoomChange::Metadata(metadata("a", 1))).await;
    peer.leave(&client("c"), &room("r")).await;
    assert_eq!(peer.room(&room("r")).await, None);
    peer.join(&client("c"), &room("r")).await;
    let next = peer.room(&room("r")).await.expect("a new one");
    assert_eq!((next.capacity, next.metadata), (None, Metadata::new()), "nothing is left of the old one");
}

/// The metadata of a room is replaced, not merged, and nothing else changes with it.
pub async fn metadata_of_a_room_is_replaced_whole(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let new = NewRoom::with_capacity(4).named("Four").with_metadata(metadata("a", 1));
    peer.state.create_room(&room("r"), &new).await.expect("creates");
    for notes in [metadata("b", "two"), metadata("b", "two"), Metadata::new()] {
        let record = peer.change(&room("r"), RoomChange::Metadata(notes.clone())).await;
        assert_eq!((record.metadata.clone(), record.name.as_str(), record.capacity), (notes, "Four", Some(4)));
        assert_eq!(peer.room(&room("r")).await, Some(record));
    }
}

/// Joins, leaves and changes update a room's date; reads and refused calls do not.
pub async fn times_of_a_room_tell_when_it_was_created_and_last_changed(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.connect(&client("b")).await;
    peer.enter(&client("a"), &room("r")).await;
    let first = peer.room(&room("r")).await.expect("is there");
    assert_eq!(first.created_at, first.updated_at);
    let mut last = first.updated_at;
    for step in ["join", "leave", "capacity", "close", "restore"] {
        cluster.advance(Duration::from_millis(20)).await;
        match step {
            "join" => {
                peer.join(&client("b"), &room("r")).await;
            }
            "leave" => {
                peer.leave(&client("b"), &room("r")).await;
            }
            "capacity" => {
                peer.change(&room("r"), RoomChange::Capacity(Some(1))).await;
            }
            "close" => {
                peer.change(&room("r"), RoomChange::Close).await;
            }
            _ => drop(peer.restore(&[alive(&client("b"), &[(&room("r"), RoomUid::random())])]).await),
        }
        let now = peer.room(&room("r")).await.expect("is there");
        assert!(now.updated_at > last, "{step}");
        assert_eq!(now.created_at, first.created_at, "{step}");
        last = now.updated_at;
    }
}
