//! Closing: no client joins after a close returned.

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;

use super::{
    Cluster,
    fixture::{Peer, assert_refused, client, clients, room},
    race::{lane, race},
};
use crate::{NewRoom, RoomChange, StateError};

/// Members of a closed room stay and may join again; no other client may join.
pub async fn a_closed_room_refuses_clients_that_are_no_members(cluster: &dyn Cluster) {
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

/// Closing does not require a room: a missing room is created as closed.
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

/// Opening undoes a close.
pub async fn an_opened_room_admits_again(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    first.change(&room("r"), RoomChange::Close).await;
    second.connect(&client("c")).await;
    assert_refused!(second.try_join(&client("c"), &room("r")).await, RoomClosed);
    assert!(!first.change(&room("r"), RoomChange::Open).await.closed);
    assert!(second.join(&client("c"), &room("r")).await.newly_joined);
}

/// A room stays closed after its last member left, so that a join does not open it.
pub async fn a_closed_room_stays_without_members(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    peer.enter(&client("leaves"), &room("r")).await;
    other.enter(&client("disconnects"), &room("r")).await;
    lost.enter(&client("lost"), &room("r")).await;
    peer.change(&room("r"), RoomChange::Close).await;

    peer.leave(&client("leaves"), &room("r")).await;
    other.disconnect(&client("disconnects")).await;
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    peer.reap_all(&lost.incarnation, 10).await;
    let record = peer.room(&room("r")).await.expect("stays");
    assert!(record.closed && record.clients.is_empty(), "{record:?}");
    assert_refused!(peer.try_join(&client("leaves"), &room("r")).await, RoomClosed);
}

/// Opening a room without members does not remove it; from then on it is a room like any other.
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

/// The members at the time of a close remain, whatever joins concurrently.
pub async fn no_client_joins_a_room_after_its_close_returned(cluster: &dyn Cluster) {
    let rounds = cluster.rounds(100);
    let nodes = Peer::three(cluster).await;
    let clients = clients(60);
    let closed: Arc<Vec<AtomicBool>> = Arc::new(iter::repeat_with(AtomicBool::default).take(rounds).collect());
    let mut lanes = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let clients = Vec::from_iter(clients.iter().skip(number).step_by(3).cloned());
        for client in &clients {
            node.connect(client).await;
        }
        let (node, closed) = (node.clone(), closed.clone());
        lanes.push(lane(move |round| {
            let (node, closed, clients) = (node.clone(), closed.clone(), clients.clone());
            async move {
                let joins = clients.into_iter().map(async |client| {
                    let too_late = closed[round].load(Ordering::Acquire);
                    match node.try_join(&client, &room(&format!("r{round}"))).await {
                        Ok(_) => assert!(!too_late, "admitted after the close, in round {round}"),
                        Err(StateError::RoomClosed) => return None,
                        Err(other) => panic!("neither in nor closed: {other:?}"),
                    }
                    Some(client.client)
                });
                join_all(joins).await.into_iter().flatten().collect::<Vec<_>>()
            }
        }));
    }
    let closer = nodes[0].clone();
    lanes.push(lane(move |round| {
        let (closer, closed) = (closer.clone(), closed.clone());
        async move {
            let target = room(&format!("r{round}"));
            for _ in 0..round % 20 {
                closer.room(&target).await;
            }
            let members = closer.change(&target, RoomChange::Close).await.clients;
            closed[round].store(true, Ordering::Release);
            members
        }
    }));
    for (round, mut outcomes) in race(rounds, lanes).await.into_iter().enumerate() {
        let at_close = outcomes.pop().expect("of the closer");
        let mut admitted = outcomes.concat();
        admitted.sort();
        assert_eq!(admitted, at_close, "in round {round}");
        assert_eq!(nodes[1].members(&room(&format!("r{round}"))).await, at_close, "in round {round}");
    }
}
