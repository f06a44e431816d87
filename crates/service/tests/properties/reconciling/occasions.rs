//! When it is compared, and what is left alone.

use std::{sync::Arc, time::Duration};

use roomwire_core::{BackplaneEvent, Namespace};
use roomwire_service::{DisconnectReason, Dispatcher, ErrorCode, Gateway, Handshake};
use roomwire_state_memory::MemoryHub;
use tokio::time::{Instant, sleep};

use super::{cluster, compared, id, member, resurrect};
use crate::fixture::{Moment, Wire, eventually};

#[tokio::test(start_paused = true)]
async fn a_gap_an_outage_and_a_loss_are_followed_by_a_comparison_at_once() {
    for fault in ["gap", "outage", "loss"] {
        let (cluster, _ledger) = cluster().await;
        let node = &cluster.nodes[0];
        let _client = member(node, "c").await;
        sleep(Duration::from_secs(1)).await;
        let before = node.store.comparisons();
        match fault {
            "gap" => node.bus.say(BackplaneEvent::Gap),
            "outage" => {
                node.store.go_down();
                sleep(Duration::from_secs(5)).await;
                node.store.come_back();
            }
            _ => node.store.replace(Arc::new(MemoryHub::new().node())),
        }
        let began = Instant::now();
        eventually("it is compared", async || node.store.comparisons() > before).await;
        let most = Duration::from_millis(if fault == "loss" { 2010 } else { 450 });
        assert!(began.elapsed() <= most, "{fault}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_connecting_or_disconnecting_is_not_repaired() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let dispatcher = Dispatcher::new(node.service.clone(), Gateway::new()).expect("mounts");
    let session =
        dispatcher.admit(&Namespace::root(), Handshake::new(id("early")), Wire::unused()).await.expect("admitted");
    // The store knows it, and the node does not know that.
    let answer = node.store.hold(Moment::After, "connect");
    let server = node.server.clone();
    let connecting =
        tokio::spawn(async move { server.connect_with(&Namespace::root(), Handshake::new(id("late"))).await });
    answer.reached().await;
    for _ in 0..2 {
        compared(node).await;
    }
    answer.release();
    let _late = connecting.await.expect("no panic").expect("connects");
    session.opened();
    for name in ["early", "late"] {
        assert!(other.service.client(id(name)).await.is_ok(), "{name}");
    }
    // It is out here, and the store is not told yet.
    let leaving = node.store.hold(Moment::Before, "disconnect");
    let client = member(node, "leaves").await;
    let (service, handle) = (node.service.clone(), client.handle().clone());
    let going = tokio::spawn(async move { service.handle_disconnect(&handle, DisconnectReason::PingTimeout).await });
    leaving.reached().await;
    node.store.take_log();
    compared(node).await;
    assert_eq!(node.store.take_log(), Vec::<&str>::new(), "who goes tells the store itself");
    leaving.release();
    going.await.expect("no panic");
    ledger.gone(1).await;
    session.closed(DisconnectReason::ConnectionLost);
    ledger.assert_all_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_registered_and_never_came_is_taken_out() {
    let (cluster, _ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    // Its answer was lost.
    node.store.fail(Moment::After, "connect");
    let refused = node.server.connect().await.expect_err("is not answered");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    eventually("it is out", async || other.service.client_count().await.expect("answers") == 0).await;
    // No caller waited for its end.
    let answer = node.store.hold(Moment::After, "connect");
    let connecting = node.service.handle_connection(Handshake::new(id("c")), Wire::unused());
    tokio::select! {
        _ = connecting => panic!("is held"),
        () = answer.reached() => {}
    }
    assert_eq!(other.service.client_count().await.expect("answers"), 1);
    eventually("it is out", async || other.service.client_count().await.expect("answers") == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_comparison_that_hangs_delays_no_heartbeat_and_is_done_again() {
    let (cluster, _ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let _client = member(node, "c").await;
    let hold = node.store.hold(Moment::Before, "stored_clients");
    node.bus.say(BackplaneEvent::Gap);
    hold.reached().await;
    resurrect(node, "went", &[]).await;
    let before = node.store.heartbeats();
    let began = Instant::now();
    eventually("it is out", async || other.service.client(id("went")).await.is_err()).await;
    let heartbeats = u32::try_from(node.store.heartbeats() - before).expect("few");
    assert!(heartbeats >= began.elapsed().as_secs() as u32 / 2, "{heartbeats} in {:?}", began.elapsed());
    assert!(began.elapsed() <= Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_admitted_before_the_store_lost_everything_and_opens_after_it_is_restored() {
    let (cluster, _ledger) = cluster().await;
    let node = &cluster.nodes[0];
    let dispatcher = Dispatcher::new(node.service.clone(), Gateway::new()).expect("mounts");
    let session =
        dispatcher.admit(&Namespace::root(), Handshake::new(id("early")), Wire::unused()).await.expect("admitted");
    node.store.replace(Arc::new(MemoryHub::new().node()));
    node.store.heartbeat().await;
    session.opened();
    let began = Instant::now();
    eventually("it is known", async || node.service.client(id("early")).await.is_ok()).await;
    assert!(began.elapsed() <= Duration::from_millis(500), "{:?}", began.elapsed());
}
