//! A node that compares itself with the store all the time, while clients come, join, leave and go: it gets in nobody's
//! way, and what it mends is right.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roomwire_core::BackplaneEvent;
use roomwire_service::{Gateway, testing::TestClient};
use roomwire_state_memory::{ManualClock, MemoryHub};
use tokio::task::{JoinHandle, JoinSet};

use crate::stage::{Cluster, Ledger, Node, config, eventually, stumble};

const ROOMS: [&str; 4] = ["a", "b", "c", "d"];
const WORKERS: usize = 8;

/// Two nodes whose calls take their time, and whose leases never run out.
async fn cluster() -> (Cluster, Ledger) {
    let mut config = config();
    config.lease.heartbeat = Duration::from_millis(10);
    config.lease.duration = Duration::from_millis(300);
    let hub = MemoryHub::with_clock(Arc::new(ManualClock::new()));
    let cluster = Cluster::configured(hub, config, 2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    for node in &cluster.nodes {
        node.store.stumble();
        node.bus.stumble();
    }
    (cluster, ledger)
}

/// Has the nodes compare themselves with the store all the time, until it is over.
fn compare_all_the_time(cluster: &Cluster, over: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (nodes, over) = (cluster.nodes.clone(), over.clone());
    tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            nodes.iter().for_each(|node| node.bus.say(BackplaneEvent::Gap));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// What was done to the store by those who come and go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Calls {
    leave: usize,
    disconnect: usize,
    restore: usize,
}

impl Calls {
    fn of(nodes: &[Node]) -> Self {
        let mut calls = HashMap::new();
        for call in nodes.iter().flat_map(|node| node.store.take_log()) {
            *calls.entry(call).or_default() += 1;
        }
        let mut count = |call| calls.remove(call).unwrap_or_default();
        Self { leave: count("leave"), disconnect: count("disconnect"), restore: count("restore") }
    }
}

/// A client comes, moves about and goes; another one moves about and stays.
async fn round(node: &Node, stays: &TestClient) -> Calls {
    let mut calls = Calls { disconnect: 1, ..Calls::default() };
    let comes = node.server.connect().await.expect("connects");
    for _ in 0..4 {
        for client in [comes.handle(), stays.handle()] {
            let room = ROOMS[rand::random_range(0..ROOMS.len())];
            if !client.is_in(&room.parse().expect("valid")) {
                node.service.join_room(client, room).await.expect("joins");
            } else {
                node.service.leave_room(client, room).await.expect("leaves");
                calls.leave += 1;
            }
            stumble().await;
        }
    }
    comes.disconnect();
    calls
}

/// Waits until the store holds of these clients what they know themselves, and of nobody else.
async fn assert_equal(clients: &[(Node, TestClient)]) {
    let service = &clients[0].0.service;
    eventually("nobody else is known", async || service.client_count().await.expect("answers") == clients.len() as u64)
        .await;
    for (node, client) in clients {
        eventually("the store holds what the client knows", async || {
            service.client(client.id()).await.is_ok_and(|known| known.rooms == client.handle().rooms())
        })
        .await;
        assert_eq!(service.client(client.id()).await.expect("known").node, *node.service.node_id());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_fault_there_is_nothing_to_mend_however_often_it_is_looked() {
    const ROUNDS: usize = 1000;
    let (cluster, ledger) = cluster().await;
    let over = Arc::new(AtomicBool::new(false));
    let comparing = compare_all_the_time(&cluster, &over);
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let node = cluster.nodes[worker % 2].clone();
        workers.spawn(async move {
            let stays = node.server.connect().await.expect("connects");
            let mut calls = Calls::default();
            for _ in 0..ROUNDS {
                let round = round(&node, &stays).await;
                calls.leave += round.leave;
                calls.disconnect += round.disconnect;
            }
            (node, stays, calls)
        });
    }
    let mut expected = Calls::default();
    let mut stay = Vec::new();
    for (node, stays, calls) in workers.join_all().await {
        expected.leave += calls.leave;
        expected.disconnect += calls.disconnect;
        stay.push((node, stays));
    }
    ledger.gone(WORKERS * ROUNDS).await;
    let compared: usize = cluster.nodes.iter().map(|node| node.store.comparisons()).sum();
    assert!(compared > 50, "compared {compared} times");
    over.store(true, Ordering::Relaxed);
    comparing.await.expect("no panic");
    assert_equal(&stay).await;
    for (_, client) in &stay {
        client.disconnect();
    }
    ledger.gone(WORKERS * ROUNDS + WORKERS).await;
    expected.disconnect += WORKERS;
    let calls = Calls::of(&cluster.nodes);
    assert_eq!(calls, expected, "nothing was mended");
    assert!(ledger.assert_all_left().await > WORKERS * ROUNDS);
    assert_eq!(cluster.nodes[0].service.room_count().await.expect("answers"), 0);
}
