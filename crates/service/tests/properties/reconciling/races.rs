//! A node that compares itself with the store all the time, while clients connect, join, leave and disconnect: it gets
//! in no client's way, and what it mends is right.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roomwire_core::{
    BackplaneEvent, ClientKey, LiveClient, Metadata, Namespace, NewClient, RoomKey, RoomUid, Timestamp,
};
use roomwire_service::{ErrorCode, Gateway, testing::TestClient};
use roomwire_state_memory::{ManualClock, MemoryHub};
use tokio::task::{JoinHandle, JoinSet};

use crate::fixture::{Cluster, Ledger, Node, config, eventually, yield_randomly};

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
        node.store.yield_randomly();
        node.bus.yield_randomly();
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

/// The store calls of clients that connect and disconnect.
#[derive(Debug, Default, PartialEq, Eq)]
struct Calls {
    leave: usize,
    disconnect: usize,
    restore: usize,
    refused: usize,
}

impl Calls {
    fn of(nodes: &[Node]) -> Self {
        let mut calls = HashMap::new();
        for call in nodes.iter().flat_map(|node| node.store.take_log()) {
            *calls.entry(call).or_default() += 1;
        }
        let mut count = |call| calls.remove(call).unwrap_or_default();
        Self { leave: count("leave"), disconnect: count("disconnect"), restore: count("restore"), refused: 0 }
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
                if let Err(error) = node.service.join_room(client, room).await {
                    assert_eq!(error.code(), ErrorCode::ClientNotFound, "lost twice during one call");
                    calls.refused += 1;
                }
            } else {
                node.service.leave_room(client, room).await.expect("leaves");
                calls.leave += 1;
            }
            yield_randomly().await;
        }
    }
    comes.disconnect();
    calls
}

/// Waits until the store holds of these clients what they know themselves, and of no others.
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
                calls.refused += round.refused;
            }
            (node, stays, calls)
        });
    }
    let mut expected = Calls::default();
    let mut stay = Vec::new();
    for (node, stays, calls) in workers.join_all().await {
        expected.leave += calls.leave;
        expected.disconnect += calls.disconnect;
        expected.refused += calls.refused;
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

/// Damages the store's entries of clients that stay, and restores those of clients that are gone, until it is over.
fn sabotage(cluster: &Cluster, stay: &[(Node, TestClient)], over: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let stay = Vec::from_iter(stay.iter().map(|(node, client)| (node.clone(), client.handle().clone())));
    let (nodes, over) = (cluster.nodes.clone(), over.clone());
    tokio::spawn(async move {
        let mut broken = 0;
        while !over.load(Ordering::Relaxed) {
            let (node, client) = &stay[rand::random_range(0..stay.len())];
            let (store, incarnation) = node.store.behind_its_back();
            let key = ClientKey::new(Namespace::root(), client.id().clone());
            let room = RoomKey::new(Namespace::root(), ROOMS[rand::random_range(0..4)].parse().expect("valid"));
            match rand::random_range(0..4) {
                0 => drop(store.leave(&incarnation, &key, &room).await.expect("leaves")),
                1 => drop(store.disconnect(&incarnation, &key).await.expect("disconnects")),
                2 => drop(store.join(&incarnation, &key, &room).await),
                _ => {
                    let went = ClientKey::new(Namespace::root(), "went".parse().expect("valid"));
                    let connected_at = Timestamp::default();
                    let client = NewClient { key: went, user: None, metadata: Metadata::new(), connected_at };
                    let rooms = vec![(room, RoomUid::random())];
                    let (store, incarnation) = nodes[rand::random_range(0..2)].store.behind_its_back();
                    store.restore(&incarnation, &[LiveClient { client, rooms }]).await.expect("restores");
                }
            }
            broken += 1;
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..4))).await;
        }
        broken
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_breaks_while_clients_move_about_is_right_in_the_end_and_reported_once() {
    const ROUNDS: usize = 300;
    let (cluster, ledger) = cluster().await;
    let over = Arc::new(AtomicBool::new(false));
    let mut stay = Vec::new();
    for worker in 0..WORKERS {
        let node = cluster.nodes[worker % 2].clone();
        let client = node.server.connect().await.expect("connects");
        stay.push((node, client));
    }
    let breaking = sabotage(&cluster, &stay, &over);
    let comparing = {
        let (nodes, over) = (cluster.nodes.clone(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                // Without a gap, after which a room that is gone may have been deleted.
                nodes.iter().for_each(|node| node.store.fall_behind());
                tokio::time::sleep(Duration::from_millis(rand::random_range(10..50))).await;
            }
        })
    };
    let mut workers = JoinSet::new();
    for (node, client) in stay {
        workers.spawn(async move {
            for _ in 0..ROUNDS {
                round(&node, &client).await;
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..3))).await;
            }
            (node, client)
        });
    }
    let stay = workers.join_all().await;
    over.store(true, Ordering::Relaxed);
    comparing.await.expect("no panic");
    let broken = breaking.await.expect("no panic");
    assert!(broken > 100, "only {broken} times");
    cluster.nodes.iter().for_each(|node| node.store.fall_behind());
    assert_equal(&stay).await;
    for (_, client) in &stay {
        client.disconnect();
    }
    ledger.gone(WORKERS * ROUNDS + WORKERS).await;
    ledger.assert_paired().await;
    eventually("no room is left", async || cluster.nodes[0].service.room_count().await.expect("answers") == 0).await;
}
