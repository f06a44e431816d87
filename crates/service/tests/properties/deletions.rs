//! A room that is deleted while clients come and go: nobody is left in it, and every `Joined` has one `Left`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use roomwire_service::{ErrorCode, Gateway};
use tokio::task::JoinSet;

use crate::stage::{Cluster, Ledger, Moment, Node, eventually, stumble};

const ROUNDS: usize = 10_000;
const AT_ONCE: usize = 12;

/// One client of this node joins, leaves or disconnects while others delete the room.
async fn round(node: &Node, number: usize) {
    let client = node.server.connect().await.expect("connects");
    stumble().await;
    if let Err(error) = node.service.join_room(client.handle(), "hall").await {
        assert_eq!(error.code(), ErrorCode::RoomNotFound, "it was deleted at that moment");
    }
    stumble().await;
    if number.is_multiple_of(3)
        && let Err(error) = node.service.leave_room(client.handle(), "hall").await
    {
        assert_eq!(error.code(), ErrorCode::NotInRoom);
    }
    stumble().await;
    client.disconnect();
}

async fn run(cluster: Cluster, rounds: usize) {
    let ledger = Ledger::of(cluster.services());
    let over = Arc::new(AtomicBool::new(false));
    let mut deleters = JoinSet::new();
    for node in cluster.nodes.clone() {
        let over = over.clone();
        deleters.spawn(async move {
            let mut deleted = 0;
            while !over.load(Ordering::Relaxed) {
                match node.service.delete_room("hall").await {
                    Ok(()) => deleted += 1,
                    Err(error) => assert_eq!(error.code(), ErrorCode::RoomNotFound),
                }
                stumble().await;
                tokio::task::yield_now().await;
            }
            deleted
        });
    }
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
    over.store(true, Ordering::Relaxed);
    let deleted: usize = deleters.join_all().await.into_iter().sum();
    assert!(deleted > rounds / 100, "the room was deleted only {deleted} times");
    ledger.assert_all_left().await;
    assert_eq!(cluster.nodes[0].service.member_count("hall").await.expect("answers"), 0);
    eventually("no node hears the room", async || !cluster.hears("hall")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_races_joins_leaves_nobody_behind_on_one_node() {
    let cluster = Cluster::of(1, Gateway::new).await;
    cluster.nodes[0].store.stumble();
    run(cluster, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_races_joins_leaves_nobody_behind_on_three_nodes() {
    let cluster = Cluster::of(3, Gateway::new).await;
    for node in &cluster.nodes {
        node.store.stumble();
        node.bus.stumble();
    }
    run(cluster, ROUNDS).await;
}

#[tokio::test]
async fn members_are_out_of_a_deleted_room_also_when_the_other_nodes_cannot_be_told() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (near, far) = (here.server.connect().await.expect("connects"), there.server.connect().await.expect("connects"));
    here.service.join_room(near.handle(), "hall").await.expect("joins");
    there.service.join_room(far.handle(), "hall").await.expect("joins");
    here.bus.fail(Moment::Before, "publish");
    let told = here.service.delete_room("hall").await.expect_err("the other node does not know");
    assert_eq!(told.code(), ErrorCode::StateUnavailable);
    assert!(near.handle().rooms().is_empty(), "its own member is out");
}
