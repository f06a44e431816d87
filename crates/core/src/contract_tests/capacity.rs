//! Capacity: exact, at every instant, for all nodes together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Cluster,
    fixture::{Peer, assert_refused, client, clients, race, room},
};
use crate::{ClientKey, JoinOutcome, NewRoom, RoomChange, RoomKey, StateError};

/// Lets all of these join at once, spread over the nodes that hold them.
async fn join_at_once(nodes: &[Peer], clients: &[ClientKey], room: &RoomKey) -> Vec<Result<JoinOutcome, StateError>> {
    let joins = clients.iter().zip(nodes.iter().cycle()).map(|(client, node)| {
        let (node, client, room) = (node.clone(), client.clone(), room.clone());
        async move { node.try_join(&client, &room).await }
    });
    race(joins).await
}

async fn connect_spread(nodes: &[Peer], clients: &[ClientKey]) {
    for (client, node) in clients.iter().zip(nodes.iter().cycle()) {
        node.connect(client).await;
    }
}

async fn create(peer: &Peer, room: &RoomKey, capacity: u32) {
    peer.state.create_room(room, &NewRoom::with_capacity(capacity)).await.expect("creates");
}

/// Of 200 joins from three nodes that race for 10 places exactly 10 succeed, in every round.
pub async fn racing_joins_fill_a_room_exactly(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let clients = clients(200);
    connect_spread(&nodes, &clients).await;
    for round in 0..20 {
        let room = room(&format!("r{round}"));
        create(&nodes[0], &room, 10).await;
        let outcomes = join_at_once(&nodes, &clients, &room).await;
        let mut admitted = Vec::new();
        for (outcome, client) in outcomes.into_iter().zip(&clients) {
            match outcome {
                Ok(joined) if joined.newly_joined => admitted.push(client.client.clone()),
                Err(StateError::RoomFull) => {}
                other => panic!("neither in nor full: {other:?}"),
            }
        }
        admitted.sort();
        assert_eq!(admitted.len(), 10, "in round {round}");
        assert_eq!(nodes[1].members(&room).await, admitted, "in round {round}");
    }
}

/// The last place goes to one, also when all ask for it at the same moment.
pub async fn racing_joins_share_no_place(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let clients = clients(8);
    connect_spread(&nodes, &clients).await;
    for round in 0..300 {
        let room = room(&format!("r{round}"));
        create(&nodes[0], &room, 1).await;
        let outcomes = join_at_once(&nodes, &clients, &room).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "in round {round}");
        assert_eq!(nodes[1].members(&room).await.len(), 1, "in round {round}");
    }
}

/// Nobody is refused while there is a place.
pub async fn fewer_joins_than_places_all_succeed(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let clients = clients(60);
    connect_spread(&nodes, &clients).await;
    create(&nodes[0], &room("exact"), 60).await;
    for name in ["exact", "no bound"] {
        let outcomes = join_at_once(&nodes, &clients, &room(name)).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(nodes[2].members(&room(name)).await.len(), 60);
    }
}

/// Whoever looks never sees more members than the room may have.
pub async fn joins_and_leaves_at_once_never_exceed_the_capacity(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let clients = clients(30);
    connect_spread(&nodes, &clients).await;
    create(&nodes[0], &room("r"), 5).await;

    let done = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn({
        let (node, done) = (nodes[0].clone(), done.clone());
        async move {
            let mut most = 0;
            while !done.load(Ordering::Acquire) {
                most = most.max(node.state.member_count(&room("r")).await.expect("reads"));
                tokio::task::yield_now().await;
            }
            most
        }
    });
    let visits = clients.iter().zip(nodes.iter().cycle()).map(|(client, node)| {
        let (node, client) = (node.clone(), client.clone());
        async move {
            for _ in 0..40 {
                if node.try_join(&client, &room("r")).await.is_ok() {
                    tokio::task::yield_now().await;
                    assert!(node.leave(&client, &room("r")).await, "who was admitted is a member");
                }
            }
        }
    });
    race(visits).await;
    done.store(true, Ordering::Release);
    let most = watcher.await.expect("does not panic");
    assert!(most <= 5, "{most} members in a room for 5");
    assert_eq!(nodes[1].members(&room("r")).await, [""; 0]);
}

/// Who is in already is not asked for a place again.
pub async fn a_full_room_refuses_whoever_is_no_member(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    create(&first, &room("r"), 1).await;
    first.enter(&client("in"), &room("r")).await;
    second.connect(&client("out")).await;
    assert_refused!(second.try_join(&client("out"), &room("r")).await, RoomFull);
    assert_eq!(second.rooms_of(&client("out")).await, [""; 0]);
    assert!(!first.join(&client("in"), &room("r")).await.newly_joined);
    assert_eq!(second.members(&room("r")).await, ["in"]);
}

/// A leave, a disconnect, a client that moves and a lost node each make room for one.
pub async fn a_place_that_was_left_is_given_again(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    let place = room("r");
    create(&peer, &place, 1).await;
    for name in ["next", "moves"] {
        peer.connect(&client(name)).await;
    }

    peer.enter(&client("leaves"), &place).await;
    peer.leave(&client("leaves"), &place).await;
    other.enter(&client("disconnects"), &place).await;
    assert_refused!(peer.try_join(&client("next"), &place).await, RoomFull);
    other.disconnect(&client("disconnects")).await;
    peer.join(&client("moves"), &place).await;
    other.connect(&client("moves")).await;
    lost.enter(&client("lost"), &place).await;
    assert_refused!(peer.try_join(&client("next"), &place).await, RoomFull);
    lost.state.end_lease(&lost.life).await.expect("ends");
    peer.reap_all(&lost.life, 10).await;
    peer.join(&client("next"), &place).await;
    assert_eq!(peer.members(&place).await, ["next"]);
}

/// Members beyond a lowered capacity stay; joins wait until there are fewer.
pub async fn a_lowered_capacity_keeps_the_members_and_admits_nobody(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    for name in ["a", "b", "c"] {
        peer.enter(&client(name), &room("r")).await;
    }
    peer.connect(&client("d")).await;
    let record = peer.change(&room("r"), RoomChange::Capacity(Some(2))).await;
    assert_eq!((record.capacity, record.clients.len()), (Some(2), 3));
    for leaver in ["a", "b"] {
        assert_refused!(peer.try_join(&client("d"), &room("r")).await, RoomFull);
        assert!(peer.leave(&client(leaver), &room("r")).await);
    }
    peer.join(&client("d"), &room("r")).await;
    assert_refused!(peer.try_join(&client("a"), &room("r")).await, RoomFull);
    assert_eq!(peer.members(&room("r")).await, ["c", "d"]);
}

/// More places are there at once.
pub async fn a_raised_or_removed_capacity_admits_again(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    create(&peer, &room("r"), 1).await;
    peer.enter(&client("a"), &room("r")).await;
    for (name, capacity) in [("b", Some(2)), ("c", None)] {
        peer.connect(&client(name)).await;
        assert_refused!(peer.try_join(&client(name), &room("r")).await, RoomFull);
        for _ in 0..2 {
            assert_eq!(peer.change(&room("r"), RoomChange::Capacity(capacity)).await.capacity, capacity);
        }
        peer.join(&client(name), &room("r")).await;
    }
    assert_eq!(peer.members(&room("r")).await, ["a", "b", "c"]);
}

/// Zero is a capacity, not the lack of one.
pub async fn a_room_for_nobody_admits_nobody(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    create(&peer, &room("r"), 0).await;
    peer.connect(&client("c")).await;
    assert_refused!(peer.try_join(&client("c"), &room("r")).await, RoomFull);
    assert_eq!(peer.room(&room("r")).await.expect("stays").capacity, Some(0));
}
