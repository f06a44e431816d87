//! A room that is deleted while clients come and go: no member is left in it, and every `Joined` has one `Left`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roomwire_core::{ClientKey, Namespace, RoomKey};
use roomwire_service::{ErrorCode, Gateway, LeaveReason, testing::TestClient};
use roomwire_state_memory::MemoryHub;
use tokio::task::JoinSet;

use crate::fixture::{Cluster, Ledger, Moment, Node, Stay, config, eventually, yield_randomly};

const ROUNDS: usize = 10_000;
const AT_ONCE: usize = 12;

async fn member_of_hall(node: &Node) -> TestClient {
    let client = node.server.connect().await.expect("connects");
    node.service.join_room(client.handle(), "hall").await.expect("joins");
    client
}

/// One client of this node joins, leaves or disconnects while others delete the room.
async fn round(node: &Node, number: usize) {
    let client = node.server.connect().await.expect("connects");
    yield_randomly().await;
    if let Err(error) = node.service.join_room(client.handle(), "hall").await {
        assert_eq!(error.code(), ErrorCode::RoomNotFound, "it was deleted at that moment");
    }
    yield_randomly().await;
    if number.is_multiple_of(3)
        && let Err(error) = node.service.leave_room(client.handle(), "hall").await
    {
        assert_eq!(error.code(), ErrorCode::NotInRoom);
    }
    yield_randomly().await;
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
                yield_randomly().await;
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
async fn a_deletion_that_races_joins_leaves_no_member_behind_on_one_node() {
    let cluster = Cluster::of(1, Gateway::new).await;
    cluster.nodes[0].store.yield_randomly();
    run(cluster, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_races_joins_leaves_no_member_behind_on_three_nodes() {
    let cluster = Cluster::of(3, Gateway::new).await;
    for node in &cluster.nodes {
        node.store.yield_randomly();
        node.bus.yield_randomly();
    }
    run(cluster, ROUNDS).await;
}

#[tokio::test]
async fn members_are_out_of_a_deleted_room_also_when_the_other_nodes_cannot_be_told() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (near, _far) = (member_of_hall(here).await, member_of_hall(there).await);
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

/// The client is a member; its room is deleted while its node has lost its lease, and again while it joins the next
/// room of that name.
#[tokio::test]
async fn a_member_that_joins_again_is_reported_in_each_room_that_the_store_put_it_in() {
    for from in [0, 1] {
        let cluster = Cluster::of(2, Gateway::new).await;
        let ledger = Ledger::of(cluster.services());
        let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
        let client = member_of_hall(here).await;
        let before = here.store.hold(Moment::Before, "join");
        let (service, handle) = (here.service.clone(), client.handle().clone());
        let joining = tokio::spawn(async move { service.join_room(&handle, "hall").await });
        before.reached().await;
        here.store.fence().await;
        there.service.delete_room("hall").await.expect("deleted");
        let joined = here.store.hold(Moment::After, "join");
        before.release();
        joined.reached().await;
        let service = cluster.nodes[from].service.clone();
        let deleting = tokio::spawn(async move { service.delete_room("hall").await });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        joined.release();
        // Refused if the deletion came first.
        let _ = joining.await.expect("no panic");
        deleting.await.expect("no panic").expect("deleted");
        client.disconnect();
        ledger.gone(1).await;
        ledger.assert_all_left().await;
    }
}

#[tokio::test]
async fn the_next_incarnation_of_a_room_is_not_ended_by_the_deletion_of_the_last() {
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

/// Two nodes with a member each; the first was taken for lost and is about to put its clients back without having heard
/// of the deletion that comes first.
async fn deletion_before_restore() -> (Cluster, [TestClient; 2], Ledger) {
    let mut config = config();
    config.lease.heartbeat = Duration::from_millis(10);
    let cluster = Cluster::configured(MemoryHub::new(), config, 2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let mut clients = Vec::new();
    for node in &cluster.nodes {
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "hall").await.expect("joins");
        clients.push(client);
    }
    let clients: [TestClient; 2] = clients.try_into().expect("two");
    cluster.nodes[0].bus.be_deaf(true);
    (cluster, clients, ledger)
}

async fn assert_deleted_everywhere(cluster: &Cluster, clients: &[TestClient; 2], ledger: &Ledger) {
    eventually("both are out", async || clients.iter().all(|client| client.handle().rooms().is_empty())).await;
    let service = &cluster.nodes[1].service;
    assert_eq!(service.room_count().await.expect("answers"), 0, "the room does not come back");
    ledger.assert_paired().await;
    service.join_room(clients[1].handle(), "hall").await.expect("the next room of this name is another one");
    assert_eq!(service.member_count("hall").await.expect("answers"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_puts_its_clients_back_does_not_bring_a_deleted_room_back() {
    let (cluster, clients, ledger) = deletion_before_restore().await;
    let restoring = cluster.nodes[0].store.hold(Moment::Before, "restore");
    cluster.nodes[0].store.fence().await;
    restoring.reached().await;
    cluster.nodes[1].service.delete_room("hall").await.expect("deleted");
    restoring.release();
    assert_deleted_everywhere(&cluster, &clients, &ledger).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_a_store_without_these_members_carried_out_is_reported_for_them_all_the_same() {
    let (cluster, clients, ledger) = deletion_before_restore().await;
    let (store, incarnation) = cluster.nodes[0].store.behind_its_back();
    let client = ClientKey::new(Namespace::root(), clients[0].id().clone());
    let room = RoomKey::new(Namespace::root(), "hall".parse().expect("valid"));
    assert!(store.leave(&incarnation, &client, &room).await.expect("leaves"), "as a store with older data");
    cluster.nodes[1].service.delete_room("hall").await.expect("deleted");
    cluster.nodes[0].store.fall_behind();
    assert_deleted_everywhere(&cluster, &clients, &ledger).await;
    let reasons = ledger.left("hall").into_iter().map(|(_, reason)| reason);
    assert_eq!(Vec::from_iter(reasons), [LeaveReason::RoomDeleted; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_joins_again_after_a_deletion_it_has_not_heard_of_is_a_member_of_the_next_room() {
    let (cluster, clients, ledger) = deletion_before_restore().await;
    let [here, there] = [&cluster.nodes[0].service, &cluster.nodes[1].service];
    there.delete_room("hall").await.expect("deleted");
    assert!(clients[0].handle().is_in(&"hall".parse().expect("valid")), "the news are lost");
    here.join_room(clients[0].handle(), "hall").await.expect("joins");
    assert_eq!(there.member_count("hall").await.expect("answers"), 1);
    ledger.complete().await;
    let room = RoomKey::new(Namespace::root(), "hall".parse().expect("valid"));
    let stay = ledger.stays()[&(room, clients[0].id().clone())];
    assert_eq!(stay, Stay { joined: 2, left: 1 });
    let [mut ada, _] = clients;
    cluster.nodes[0].bus.be_deaf(false);
    there.broadcast_to_room("hall", "news", &2).await.expect("sent");
    assert_eq!(ada.expect::<u32>("news").await, 2);
    here.leave_room(ada.handle(), "hall").await.expect("leaves");
    ledger.assert_paired().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_joins_again_while_the_store_is_away_is_a_member_still() {
    let node = Cluster::of(1, Gateway::new).await.nodes.remove(0);
    let client = node.server.connect().await.expect("connects");
    node.service.join_room(client.handle(), "hall").await.expect("joins");
    node.store.go_down();
    node.service.join_room(client.handle(), "hall").await.expect("is a member as far as this node knows");
    node.store.come_back();
    assert_eq!(node.service.member_count("hall").await.expect("answers"), 1);
}

#[tokio::test]
async fn a_deletion_with_a_lost_answer_is_repeated_as_the_same_deletion() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (near, far) = (member_of_hall(here).await, member_of_hall(there).await);
    here.store.fail(Moment::After, "delete_room");
    here.service.delete_room("hall").await.expect("the second call gets the answer");
    assert_eq!(ledger.assert_all_left().await, 2);
    eventually("both are out", async || near.handle().rooms().is_empty() && far.handle().rooms().is_empty()).await;
}

#[tokio::test]
async fn a_deletion_that_was_never_answered_is_resolved_when_the_store_answers_again() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (near, far) = (member_of_hall(here).await, member_of_hall(there).await);
    let answer = here.store.hold(Moment::After, "delete_room");
    let refused = here.service.delete_room("hall").await.expect_err("nothing answers in time");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    answer.release();
    eventually("both are out", async || near.handle().rooms().is_empty() && far.handle().rooms().is_empty()).await;
    assert_eq!(ledger.assert_all_left().await, 2);
}
