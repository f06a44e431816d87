//! Capacity: exact, at every instant, for all nodes together.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::{
    Cluster,
    fixture::{Peer, assert_refused, client, clients, room},
    race::{lane, race},
};
use crate::{ClientId, ClientKey, NewRoom, RoomChange, RoomKey, StateError};

/// Registers clients, each on one of the nodes in turn.
async fn connect_spread(nodes: &[Peer], clients: &[ClientKey]) {
    for (client, node) in clients.iter().zip(nodes.iter().cycle()) {
        node.connect(client).await;
    }
}

async fn create(peer: &Peer, room: &RoomKey, capacity: u32) {
    peer.state.create_room(room, &NewRoom::with_capacity(capacity)).await.expect("creates");
}

/// Lets these clients, spread over three nodes, race for one room in each round. Returns the accepted clients by round.
async fn race_for_rooms(
    cluster: &dyn Cluster,
    clients: &[ClientKey],
    capacity: u32,
    rounds: usize,
) -> Vec<Vec<ClientId>> {
    let (nodes, rounds) = (Peer::three(cluster).await, cluster.rounds(rounds));
    connect_spread(&nodes, clients).await;
    for round in 0..rounds {
        create(&nodes[0], &room(&format!("r{round}")), capacity).await;
    }
    let lanes = (0..4).map(|number| {
        let joins = clients.iter().zip(nodes.iter().cycle()).skip(number).step_by(4);
        let joins = Vec::from_iter(joins.map(|(client, node)| (client.clone(), node.clone())));
        lane(move |round| {
            let joins = joins.clone();
            async move {
                let room = room(&format!("r{round}"));
                let joins = joins.iter().map(async |(client, node)| match node.try_join(client, &room).await {
                    Ok(joined) if joined.newly_joined => Some(client.client.clone()),
                    Err(StateError::RoomFull) => None,
                    other => panic!("neither in nor full: {other:?}"),
                });
                join_all(joins).await
            }
        })
    });
    let outcomes = race(rounds, lanes.collect()).await;
    let mut admitted = Vec::new();
    for outcomes in outcomes {
        admitted.push(outcomes.into_iter().flatten().flatten().collect::<BTreeSet<_>>().into_iter().collect());
    }
    for (round, admitted) in admitted.iter().enumerate() {
        assert_eq!(nodes[1].members(&room(&format!("r{round}"))).await, *admitted, "in round {round}");
    }
    admitted
}

/// Of 200 concurrent joins from three nodes for 10 places exactly 10 succeed, in every round.
pub async fn racing_joins_fill_a_room_exactly(cluster: &dyn Cluster) {
    for admitted in race_for_rooms(cluster, &clients(200), 10, 20).await {
        assert_eq!(admitted.len(), 10, "{admitted:?}");
    }
}

/// Exactly one of several concurrent joins gets the last place.
pub async fn racing_joins_share_no_place(cluster: &dyn Cluster) {
    for admitted in race_for_rooms(cluster, &clients(4), 1, 500).await {
        assert_eq!(admitted.len(), 1, "{admitted:?}");
    }
}

/// No client is refused while there is a place.
pub async fn fewer_joins_than_places_all_succeed(cluster: &dyn Cluster) {
    for admitted in race_for_rooms(cluster, &clients(60), 60, 10).await {
        assert_eq!(admitted.len(), 60, "{admitted:?}");
    }
}

/// No reader ever sees more members than the capacity.
pub async fn joins_and_leaves_at_once_never_exceed_the_capacity(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let clients = clients(30);
    connect_spread(&nodes, &clients).await;
    create(&nodes[0], &room("r"), 5).await;
    let visitors = nodes.iter().enumerate().map(|(number, node)| {
        let (node, clients) = (node.clone(), Vec::from_iter(clients.iter().skip(number).step_by(3).cloned()));
        lane(move |_| {
            let (node, clients) = (node.clone(), clients.clone());
            async move {
                let visits = clients.iter().map(async |client| {
                    if node.try_join(client, &room("r")).await.is_ok() {
                        tokio::task::yield_now().await;
                        assert!(node.leave(client, &room("r")).await, "who was admitted is a member");
                    }
                });
                join_all(visits).await;
                0
            }
        })
    });
    let watcher = nodes[0].clone();
    let watcher = lane(move |_| {
        let watcher = watcher.clone();
        async move {
            let mut most = 0;
            for _ in 0..20 {
                most = most.max(watcher.state.member_count(&room("r")).await.expect("reads"));
            }
            most
        }
    });
    let seen = race(cluster.rounds(100), visitors.chain([watcher]).collect()).await;
    assert!(seen.iter().flatten().all(|members| *members <= 5), "{seen:?}");
    assert_eq!(nodes[1].members(&room("r")).await, [""; 0]);
}

/// A member that joins again does not need a second place.
pub async fn a_full_room_refuses_clients_that_are_no_members(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    create(&first, &room("r"), 1).await;
    first.enter(&client("in"), &room("r")).await;
    second.connect(&client("out")).await;
    assert_refused!(second.try_join(&client("out"), &room("r")).await, RoomFull);
    assert_eq!(second.rooms_of(&client("out")).await, [""; 0]);
    assert!(!first.join(&client("in"), &room("r")).await.newly_joined);
    assert_eq!(second.members(&room("r")).await, ["in"]);
}

/// A leave, a disconnect, a client that moves and a lost node each free one place.
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
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    peer.reap_all(&lost.incarnation, 10).await;
    peer.join(&client("next"), &place).await;
    assert_eq!(peer.members(&place).await, ["next"]);
}

/// Members beyond a lowered capacity stay; joins wait until there are fewer.
pub async fn a_lowered_capacity_keeps_the_members_and_accepts_no_other_client(cluster: &dyn Cluster) {
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

/// A raised capacity is effective at once.
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

/// Zero is a capacity, not the absence of one.
pub async fn a_room_with_capacity_zero_accepts_no_client(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    create(&peer, &room("r"), 0).await;
    peer.connect(&client("c")).await;
    assert_refused!(peer.try_join(&client("c"), &room("r")).await, RoomFull);
    assert_eq!(peer.room(&room("r")).await.expect("stays").capacity, Some(0));
}
