//! Capacity under load: many rounds, several nodes, several threads.

use std::{sync::Arc, time::Duration};

use roomwire_core::{
    ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NewRoom, NodeId, RoomId, RoomKey, StateError,
    StateStore, Timestamp,
};
use roomwire_state_memory::{MemoryHub, MemoryState};
use tokio::sync::Barrier;

const ROUNDS: usize = 1000;
const JOINS: usize = 200;
const PLACES: u32 = 10;
const WORKERS: usize = 6;

struct Node {
    state: MemoryState,
    incarnation: Incarnation,
}

async fn begin(hub: &MemoryHub) -> Node {
    let node = Node { state: hub.node(), incarnation: Incarnation::begin(NodeId::random()) };
    node.state.begin_lease(&node.incarnation, Duration::from_secs(60)).await.expect("begins");
    node
}

fn room(round: usize) -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new(format!("room {round}")).expect("valid"))
}

/// The clients of one worker: those whose number leaves its own number behind.
async fn connect(node: &Node, worker: usize) -> Vec<ClientKey> {
    let mut clients = Vec::new();
    for number in (worker..JOINS).step_by(WORKERS) {
        let key = ClientKey::new(Namespace::root(), ClientId::new(format!("client {number}")).expect("valid"));
        let connected_at = Timestamp::default();
        let client = NewClient { key: key.clone(), user: None, metadata: Metadata::new(), connected_at };
        node.state.connect(&node.incarnation, &client).await.expect("connects");
        clients.push(key);
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn of_200_joins_from_three_nodes_10_get_a_place_1000_times_over() {
    let hub = MemoryHub::new();
    let nodes = [begin(&hub).await, begin(&hub).await, begin(&hub).await].map(Arc::new);
    for round in 0..ROUNDS {
        nodes[0].state.create_room(&room(round), &NewRoom::with_capacity(PLACES)).await.expect("creates");
    }
    let start = Arc::new(Barrier::new(WORKERS));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (node, start) = (nodes[worker % nodes.len()].clone(), start.clone());
            tokio::spawn(async move {
                let clients = connect(&node, worker).await;
                let mut admitted = vec![0; ROUNDS];
                for (round, admitted) in admitted.iter_mut().enumerate() {
                    // All begin each round together, so that every round is a race.
                    start.wait().await;
                    for client in &clients {
                        match node.state.join(&node.incarnation, client, &room(round)).await {
                            Ok(_) => *admitted += 1,
                            Err(StateError::RoomFull) => {}
                            Err(other) => panic!("neither in nor full: {other}"),
                        }
                    }
                }
                admitted
            })
        })
        .collect();
    let mut admitted = vec![0; ROUNDS];
    for worker in workers {
        for (sum, own) in admitted.iter_mut().zip(worker.await.expect("does not panic")) {
            *sum += own;
        }
    }
    for (round, admitted) in admitted.into_iter().enumerate() {
        let members = nodes[1].state.member_count(&room(round)).await.expect("reads");
        assert_eq!((admitted, members), (PLACES, u64::from(PLACES)), "in round {round}");
    }
}
