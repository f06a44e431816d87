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

#[tokio::test]
async fn a_room_that_is_deleted_while_a_join_is_on_its_way_is_not_joined() {
    for from in [0, 1] {
        let cluster = Cluster::of(2, Gateway::new).await;
        let ledger = Ledger::of(cluster.services());
        let [here, _] = &cluster.nodes[..] else { panic!("two nodes") };
        let client = here.server.connect().await.expect("connects");
        let answer = here.store.hold(Moment::After, "join");
        let (service, handle) = (here.service.clone(), client.handle().clone());
        let joining = tokio::spawn(async move { service.join_room(&handle, "hall").await });
        answer.reached().await;
        let service = cluster.nodes[from].service.clone();
        let deleting = tokio::spawn(async move { service.delete_room("hall").await });
        // Everything that does not wait for the join is done by then.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        answer.release();
        let refused = joining.await.expect("no panic").expect_err("there is no such room");
        assert_eq!(refused.code(), ErrorCode::RoomNotFound);
        deleting.await.expect("no panic").expect("deleted");
        assert!(client.handle().rooms().is_empty() && !cluster.hears("hall"));
        assert_eq!(ledger.assert_all_left().await, 1, "the store had it for a moment");
    }
}

#[tokio::test]
async fn the_next_life_of_a_room_is_not_ended_by_the_deletion_of_the_last() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (near, mut far) =
        (here.server.connect().await.expect("connects"), there.server.connect().await.expect("connects"));
    let watcher = here.server.connect().await.expect("connects");
    here.service.join_room(watcher.handle(), "hall").await.expect("joins");
    here.service.join_room(near.handle(), "hall").await.expect("joins");
    // The other node deletes the room; before this node hears of it, a client leaves and joins the next one.
    let told = there.bus.hold(Moment::Before, "publish");
    let service = there.service.clone();
    let deleting = tokio::spawn(async move { service.delete_room("hall").await });
    told.reached().await;
    here.service.leave_room(near.handle(), "hall").await.expect("leaves");
    here.service.join_room(near.handle(), "hall").await.expect("joins the next one");
    told.release();
    deleting.await.expect("no panic").expect("deleted");
    eventually("who stayed is out", async || watcher.handle().rooms().is_empty()).await;
    assert_eq!(near.handle().rooms(), ["hall"]);
    assert_eq!(there.service.room("hall").await.expect("exists").clients, [near.id().clone()]);
    here.service.broadcast_to_room("hall", "n", &1).await.expect("sends");
    there.service.send_to_client(far.id(), "end", &1).await.expect("sends");
    assert_eq!(far.expect::<i32>("end").await, 1);
}
