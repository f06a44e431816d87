//! A node that the store does not answer while others clean up after it: what ends on it meanwhile is reported once, by
//! one of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roomwire_core::Namespace;
use roomwire_service::{
    ClientId, DisconnectReason, ErrorCode, Gateway, Handshake, LeaveReason, ServiceEvent, testing::TestClient,
};
use roomwire_state_memory::MemoryHub;
use tokio::{task::JoinSet, time::Instant};

use crate::fixture::{Cluster, Leases, Ledger, Moment, Node, Stay, WatchedStore, config, eventually, yield_randomly};

/// Of each kind.
const ROUNDS: usize = 5;
const NODE_LOST: LeaveReason = LeaveReason::Disconnected(DisconnectReason::NodeLost);

async fn member(node: &Node) -> TestClient {
    let client = node.server.connect().await.expect("connects");
    for room in ["r", "own"] {
        node.service.join_room(client.handle(), room).await.expect("joins");
    }
    client
}

/// The client goes, or it leaves one of its rooms.
async fn end(node: &Node, client: &TestClient, goes: bool) {
    if goes {
        client.disconnect();
        eventually("it is gone", async || !client.handle().is_connected()).await;
    } else {
        node.service.leave_room(client.handle(), "r").await.expect("leaves");
    }
}

/// Lets the lease of the first node run out, and the second clean up after it.
async fn lose(leases: &Leases) {
    let survivor = &leases.cluster.nodes[1];
    leases.run_out(&[survivor]).await;
    eventually("all is cleaned up", async || survivor.service.client_count().await.expect("answers") == 0).await;
}

/// Each membership and each client ended once: with its node, as others saw it, or by itself.
async fn assert_each_end_once(ledger: &Ledger, with_its_node: bool) {
    ledger.assert_all_left().await;
    ledger.assert_all_gone().await;
    let reasons = ledger.left("r");
    assert_eq!(reasons.len(), ROUNDS);
    assert!(reasons.iter().all(|(_, reason)| (*reason == NODE_LOST) == with_its_node), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_ends_on_a_node_that_is_cut_off_is_reported_once() {
    for goes in [true, false] {
        for late in [true, false] {
            let leases = Leases::of(2).await;
            let cut_off = &leases.cluster.nodes[0];
            let ledger = Ledger::of(leases.cluster.services());
            for round in 1..=ROUNDS {
                let client = member(cut_off).await;
                cut_off.store.go_down();
                if late {
                    lose(&leases).await;
                }
                end(cut_off, &client, goes).await;
                if !late {
                    lose(&leases).await;
                }
                cut_off.store.come_back();
                cut_off.store.heartbeat().await;
                if !goes {
                    // It is back with the other room.
                    client.disconnect();
                }
                ledger.gone(if goes { round } else { 2 * round }).await;
            }
            assert_each_end_once(&ledger, true).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_end_with_an_answer_lost_before_the_cleanup_is_reported_by_the_node_that_ended_it() {
    for goes in [true, false] {
        let leases = Leases::of(2).await;
        let cut_off = &leases.cluster.nodes[0];
        let ledger = Ledger::of(leases.cluster.services());
        for round in 1..=ROUNDS {
            let client = member(cut_off).await;
            cut_off.store.fail(Moment::After, if goes { "disconnect" } else { "leave" });
            // The heartbeat has no time to ask again.
            let pause = cut_off.store.hold(Moment::Before, "renew_lease");
            pause.reached().await;
            end(cut_off, &client, goes).await;
            let other = &leases.cluster.nodes[1].service;
            eventually("the store did it", async || other.member_count("r").await.expect("answers") == 0).await;
            cut_off.store.go_down();
            pause.release();
            lose(&leases).await;
            cut_off.store.come_back();
            cut_off.store.heartbeat().await;
            if !goes {
                client.disconnect();
            }
            ledger.gone(if goes { round } else { 2 * round }).await;
        }
        assert_each_end_once(&ledger, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_room_that_is_deleted_while_its_member_leaves_on_a_node_that_is_cut_off_is_left_once() {
    for goes in [true, false] {
        let leases = Leases::of(2).await;
        let [cut_off, other] = &leases.cluster.nodes[..] else { panic!("two nodes") };
        let ledger = Ledger::of(leases.cluster.services());
        let client = member(cut_off).await;
        cut_off.store.go_down();
        cut_off.bus.be_deaf(true);
        end(cut_off, &client, goes).await;
        other.service.delete_room("r").await.expect("deletes");
        cut_off.store.come_back();
        cut_off.store.heartbeat().await;
        client.disconnect();
        ledger.gone(1).await;
        ledger.assert_all_left().await;
        assert_eq!(ledger.left("r"), [(client.id().clone(), LeaveReason::RoomDeleted)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_of_a_node_that_stops_while_it_is_cut_off_are_reported_by_the_node_that_cleans_up() {
    let leases = Leases::of(2).await;
    let [stops, survivor] = &leases.cluster.nodes[..] else { panic!("two nodes") };
    let ledger = Ledger::of(leases.cluster.services());
    let (goes, stays) = (member(stops).await, member(stops).await);
    stops.store.go_down();
    goes.disconnect();
    eventually("it is gone", async || !goes.handle().is_connected()).await;
    stops.service.shutdown().await;
    assert!(!stays.handle().is_connected());
    leases.run_out(&[survivor]).await;
    ledger.gone(2).await;
    stops.store.come_back();
    assert_eq!(ledger.assert_all_left().await, 4);
    assert_eq!(ledger.assert_all_gone().await, 2);
    assert!(ledger.left("r").iter().all(|(_, reason)| *reason == NODE_LOST));
}

#[tokio::test]
async fn a_client_that_comes_back_after_an_outage_is_reported_gone_before_it_is_reported_back() {
    let mut config = config();
    // No heartbeat comes in between.
    config.lease.heartbeat = Duration::from_secs(60);
    config.lease.duration = Duration::from_secs(180);
    config.retry_config.attempts = 0;
    let cluster = Cluster::configured(MemoryHub::new(), config, 1, Gateway::new).await;
    let node = &cluster.nodes[0];
    let ledger = Ledger::of(cluster.services());
    let enter = async || {
        let handshake = Handshake::new(ClientId::new("c").expect("valid"));
        let client = node.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        client
    };
    let client = enter().await;
    node.store.go_down();
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    node.service.join_room(client.handle(), "r").await.expect_err("the store is away");
    node.store.come_back();
    node.service.join_room(client.handle(), "r").await.expect("joins again");
    node.store.go_down();
    end(node, &client, true).await;
    node.store.come_back();
    let client = enter().await;
    end(node, &client, true).await;
    ledger.gone(2).await;
    ledger.complete().await;
    let story: Vec<&str> = ledger
        .events()
        .iter()
        .filter_map(|event| match event {
            ServiceEvent::ClientConnected { .. } => Some("connected"),
            ServiceEvent::Joined { .. } => Some("joined"),
            ServiceEvent::Left { .. } => Some("left"),
            ServiceEvent::ClientDisconnected { .. } => Some("gone"),
            _ => None,
        })
        .collect();
    let once = ["connected", "joined", "left", "joined", "left", "gone"];
    assert_eq!(story, [&once[..], &["connected", "joined", "left", "gone"]].concat());
}

/// Takes the store away from a node, loses answers, and takes the node for lost, until it is over.
async fn disturb(cluster: &Cluster, over: &AtomicBool) {
    let [disturbed, other] = &cluster.nodes[..] else { panic!("two nodes") };
    while !over.load(Ordering::Relaxed) {
        match rand::random_range(0..7) {
            0 => disturbed.store.fence().await,
            1 => {
                disturbed.store.go_down();
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..20))).await;
                if rand::random() {
                    disturbed.store.fence().await;
                    other.store.heartbeat().await;
                }
                disturbed.store.come_back();
            }
            2 => disturbed.store.fail(Moment::After, "removed_by_others"),
            3 | 4 => disturbed.store.fail(Moment::After, "disconnect"),
            _ => disturbed.store.fail(Moment::After, "leave"),
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..6))).await;
    }
}

/// Clients come, join, leave, join again and go; returns the joins that were refused without an answer of the store.
async fn come_and_go(cluster: Arc<Cluster>, worker: usize) -> Vec<(String, ClientId)> {
    let mut refused = Vec::new();
    for round in 0..200 {
        let node = &cluster.nodes[usize::from((worker + round).is_multiple_of(4))];
        let Ok(client) = node.server.connect().await else {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        };
        for room in ["a", "b", "c", "", "b"] {
            if room.is_empty() {
                if let Err(error) = node.service.leave_room(client.handle(), "b").await {
                    assert_eq!(error.code(), ErrorCode::NotInRoom);
                }
            } else if let Err(error) = node.service.join_room(client.handle(), room).await {
                match error.code() {
                    ErrorCode::StateUnavailable => refused.push((room.to_owned(), client.id().clone())),
                    code => assert_eq!(code, ErrorCode::RoomNotFound, "it was deleted at that moment"),
                }
            }
            yield_randomly().await;
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..3))).await;
        client.disconnect();
        while client.handle().is_connected() {
            tokio::task::yield_now().await;
        }
    }
    refused
}

/// Whether each join was left once. One that was refused may have been left, too: the store may have done it, and a
/// node that cleans up cannot know that it was refused. So may one of a client that was put back without an answer.
fn is_even(ledger: &Ledger, refused: &[(String, ClientId)], disturbed: &WatchedStore) -> Result<usize, String> {
    let mut joins = 0;
    let put_back = disturbed.unanswered_restores();
    for ((room, client), Stay { joined, left }) in ledger.stays() {
        let attempts = refused.iter().filter(|(of, member)| *of == *room.room && *member == client).count();
        let unanswered = put_back.iter().filter(|(of, member)| *of == room && *member == client).count();
        if left < joined || left > joined + attempts + unanswered {
            let about = ledger.about(&client);
            return Err(format!("{client} joined {room:?} {joined} times and left {left} times: {about:?}"));
        }
        joins += joined;
    }
    Ok(joins)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_becomes_of_the_store_while_clients_come_and_go_each_end_is_reported_once() {
    let mut config = config();
    config.lease.heartbeat = Duration::from_millis(10);
    config.lease.duration = Duration::from_secs(180);
    config.retry_config.attempts = 0;
    let cluster = Arc::new(Cluster::configured(MemoryHub::new(), config, 2, Gateway::new).await);
    let ledger = Ledger::of(cluster.services());
    cluster.nodes[0].store.yield_randomly();
    let over = AtomicBool::new(false);
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        workers.spawn(come_and_go(cluster.clone(), worker));
    }
    let ((), refused) = tokio::join!(disturb(&cluster, &over), async {
        let refused = workers.join_all().await.concat();
        over.store(true, Ordering::Relaxed);
        refused
    });
    eventually("no client is left", async || cluster.nodes[1].service.client_count().await.expect("answers") == 0)
        .await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_even = || is_even(&ledger, &refused, &cluster.nodes[0].store);
    while is_even().is_err() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for node in &cluster.nodes {
        node.store.heartbeat().await;
    }
    ledger.complete().await;
    let joins = is_even().unwrap_or_else(|uneven| panic!("{uneven}"));
    assert!(joins > 1000 && refused.len() > 10, "{joins} joins, {} refused", refused.len());
    assert!(ledger.assert_all_gone().await > 100);
}
