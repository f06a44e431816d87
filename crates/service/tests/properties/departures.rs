//! However a join, a leave and a disconnect of one client meet, no member is left behind and every `Joined` has one
//! `Left`.

use roomwire_service::{ErrorCode, Gateway};
use tokio::task::JoinSet;

use crate::fixture::{Cluster, Ledger, Node, yield_randomly};

const ROUNDS: usize = 10_000;
const AT_ONCE: usize = 16;
const ROOMS: usize = 4;

/// Connects a client, lets its join, leave and disconnect race, and returns when they have returned.
async fn round(node: &Node, number: usize) {
    let client = node.server.connect().await.expect("connects");
    let room = format!("room-{}", number % ROOMS);
    let mut race = JoinSet::new();
    let (service, handle, name) = (node.service.clone(), client.handle().clone(), room.clone());
    race.spawn(async move {
        yield_randomly().await;
        if let Err(error) = service.join_room(&handle, &name).await {
            assert_eq!(error.code(), ErrorCode::ClientNotFound);
        }
    });
    if number.is_multiple_of(2) {
        let (service, handle) = (node.service.clone(), client.handle().clone());
        race.spawn(async move {
            yield_randomly().await;
            if let Err(error) = service.leave_room(&handle, &room).await {
                assert_eq!(error.code(), ErrorCode::NotInRoom);
            }
        });
    }
    race.spawn(async move {
        yield_randomly().await;
        client.disconnect();
    });
    while let Some(ended) = race.join_next().await {
        ended.expect("no panic");
    }
}

async fn run(cluster: Cluster, rounds: usize) {
    let ledger = Ledger::of(cluster.services());
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let nodes = cluster.nodes.clone();
        workers.spawn(async move {
            for number in (worker..rounds).step_by(AT_ONCE) {
                round(&nodes[rand::random_range(0..nodes.len())], number).await;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("no panic");
    }
    ledger.gone(rounds).await;
    let stays = ledger.assert_all_left().await;
    assert!(stays > rounds / 100 && stays < rounds, "the race always ended the same way: {stays} joins");
    for room in (0..ROOMS).map(|number| format!("room-{number}")) {
        assert_eq!(cluster.nodes[0].service.member_count(&room).await.expect("answers"), 0, "nobody in the store");
        cluster.hears_no_more_of(&room).await;
    }
    assert_eq!(cluster.nodes[0].service.client_count().await.expect("answers"), 0);
    assert!(cluster.nodes.iter().all(|node| node.service.local_client_count() == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_join_that_races_a_disconnect_leaves_no_member_behind_10000_times() {
    run(Cluster::of(1, Gateway::new).await, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_join_that_races_a_disconnect_leaves_no_member_behind_10000_times_on_three_nodes() {
    let cluster = Cluster::of(3, Gateway::new).await;
    for node in &cluster.nodes {
        node.store.yield_randomly();
        node.bus.yield_randomly();
    }
    run(cluster, ROUNDS).await;
}
