//! Closing: nobody joins after a close returned.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Cluster,
    fixture::{Peer, assert_refused, client, clients, race, room},
};
use crate::{NewRoom, RoomChange, StateError};

/// Members of a closed room stay and may join again; nobody else may.
pub async fn a_closed_room_refuses_whoever_is_no_member(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    first.enter(&client("in"), &room("r")).await;
    second.connect(&client("out")).await;
    assert!(second.change(&room("r"), RoomChange::Close).await.closed);

    assert_refused!(second.try_join(&client("out"), &room("r")).await, RoomClosed);
    assert_refused!(second.try_join(&client("out"), &room("r")).await, RoomClosed);
    assert!(!first.join(&client("in"), &room("r")).await.newly_joined);
    let record = first.room(&room("r")).await.expect("stays");
    assert_eq!((record.closed, record.clients), (true, vec![client("in").client]));
    assert_eq!(second.rooms_of(&client("out")).await, [""; 0]);
}

/// A room that is closed and full is closed.
pub async fn closed_is_asked_before_full(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.state.create_room(&room("r"), &NewRoom::with_capacity(0)).await.expect("creates");
    peer.connect(&client("c")).await;
    assert_refused!(peer.try_join(&client("c"), &room("r")).await, RoomFull);
    peer.change(&room("r"), RoomChange::Close).await;
    assert_refused!(peer.try_join(&client("c"), &room("r")).await, RoomClosed);
    peer.change(&room("r"), RoomChange::Open).await;
    assert_refused!(peer.try_join(&client("c"), &room("r")).await, RoomFull);
}

/// Closing needs no room: what does not exist is created closed.
pub async fn closing_a_missing_room_creates_it_closed(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.connect(&client("c")).await;
    let record = peer.change(&room("r"), RoomChange::Close).await;
    assert!(record.closed && record.clients.is_empty() && record.name == "r", "{record:?}");
    assert_refused!(peer.try_join(&client("c"), &room("r")).await, RoomClosed);
    assert_eq!(peer.room(&room("r")).await, Some(record));
    assert_refused!(peer.state.create_room(&room("r"), &NewRoom::default()).await, RoomExists);
}

/// Closing and opening are idempotent.
pub async fn closing_and_opening_again_changes_nothing(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let uid = peer.enter(&client("in"), &room("r")).await.uid;
    for change in [RoomChange::Close, RoomChange::Close, RoomChange::Open, RoomChange::Open] {
        let record = peer.change(&room("r"), change.clone()).await;
        assert_eq!((record.closed, record.clients.len()), (change == RoomChange::Close, 1));
    }
    assert_eq!(peer.join(&client("in"), &room("r")).await.uid, uid);
}

/// Opening lifts a close.
pub async fn an_opened_room_admits_again(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    first.change(&room("r"), RoomChange::Close).await;
    second.connect(&client("c")).await;
    assert_refused!(second.try_join(&client("c"), &room("r")).await, RoomClosed);
    assert!(!first.change(&room("r"), RoomChange::Open).await.closed);
    assert!(second.join(&client("c"), &room("r")).await.newly_joined);
}

/// A room stays closed when its members are gone, so that nobody opens it by joining.
pub async fn a_closed_room_stays_without_members(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    peer.enter(&client("leaves"), &room("r")).await;
    other.enter(&client("disconnects"), &room("r")).await;
    lost.enter(&client("lost"), &room("r")).await;
    peer.change(&room("r"), RoomChange::Close).await;

    peer.leave(&client("leaves"), &room("r")).await;
    other.disconnect(&client("disconnects")).await;
    lost.state.end_lease(&lost.life).await.expect("ends");
    peer.reap_all(&lost.life, 10).await;
    let record = peer.room(&room("r")).await.expect("stays");
    assert!(record.closed && record.clients.is_empty(), "{record:?}");
    assert_refused!(peer.try_join(&client("leaves"), &room("r")).await, RoomClosed);
}

/// Opening a room without members does not end it; from then on it lives as any other.
pub async fn an_opened_room_stays_until_its_last_member_leaves(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.connect(&client("c")).await;
    peer.change(&room("r"), RoomChange::Close).await;
    peer.change(&room("r"), RoomChange::Open).await;
    assert!(peer.room(&room("r")).await.is_some());
    assert!(!peer.join(&client("c"), &room("r")).await.created);
    peer.leave(&client("c"), &room("r")).await;
    assert_eq!(peer.room(&room("r")).await, None);
}

/// What a close found is what stays, whatever joins at the same time.
pub async fn nobody_is_admitted_after_a_close_returned(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let clients = clients(60);
    for (client, node) in clients.iter().zip(nodes.iter().cycle()) {
        node.connect(client).await;
    }
    for round in 0..40 {
        let target = room(&format!("r{round}"));
        let is_closed = Arc::new(AtomicBool::new(false));
        let joins = clients.iter().zip(nodes.iter().cycle()).enumerate().map(|(number, (client, node))| {
            let (node, client, target, is_closed) = (node.clone(), client.clone(), target.clone(), is_closed.clone());
            async move {
                if number == round {
                    let members = node.change(&target, RoomChange::Close).await.clients;
                    is_closed.store(true, Ordering::Release);
                    return (members, false);
                }
                let too_late = is_closed.load(Ordering::Acquire);
                match node.try_join(&client, &target).await {
                    Ok(_) => (vec![client.client], too_late),
                    Err(StateError::RoomClosed) => (Vec::new(), false),
                    Err(other) => panic!("neither in nor closed: {other:?}"),
                }
            }
        });
        let mut outcomes = race(joins).await;
        let (at_close, _) = outcomes.remove(round);
        assert!(outcomes.iter().all(|(_, too_late)| !too_late), "admitted after the close, in round {round}");
        let mut admitted: Vec<_> = outcomes.into_iter().flat_map(|(client, _)| client).collect();
        admitted.sort();
        assert_eq!(admitted, at_close, "in round {round}");
        assert_eq!(nodes[0].members(&target).await, at_close, "in round {round}");
    }
}
