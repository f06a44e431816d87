//! A node compares itself with the store and mends what differs, both ways, and nobody hears of it.

use std::{sync::Arc, time::Duration};

use roomwire_core::{
    BackplaneEvent, ClientKey, LiveClient, Metadata, Namespace, NewClient, RoomKey, RoomUid, Timestamp,
};
use roomwire_service::{
    ClientId, DisconnectReason, Dispatcher, ErrorCode, Gateway, Handshake, WebSocketConfig, WebSocketService,
    testing::TestClient,
};
use roomwire_state_memory::MemoryHub;
use tokio::time::{Instant, sleep};

use crate::stage::{Cluster, Ledger, Moment, Node, eventually};

/// Two nodes on one store that compare twice a minute; the clock jumps ahead whenever nobody works.
async fn cluster() -> (Cluster, Ledger) {
    let mut config = WebSocketConfig::default();
    config.lease.reconcile = Duration::from_secs(30);
    let cluster = Cluster::configured(MemoryHub::new(), config, 2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    (cluster, ledger)
}

/// A client of this name in `r` and `own`, with a note.
async fn member(node: &Node, name: &str) -> TestClient {
    let metadata = Metadata::from_iter([("note".to_owned(), "kept".into())]);
    let handshake = Handshake { metadata, ..Handshake::new(id(name)) };
    let client = node.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    for room in ["r", "own"] {
        node.service.join_room(client.handle(), room).await.expect("joins");
    }
    client
}

fn id(name: &str) -> ClientId {
    ClientId::new(name).expect("valid")
}

fn key(name: &str) -> ClientKey {
    ClientKey::new(Namespace::root(), id(name))
}

fn room(name: &str) -> RoomKey {
    RoomKey::new(Namespace::root(), name.parse().expect("valid"))
}

async fn rooms_of(service: &WebSocketService, name: &str) -> Vec<String> {
    let client = service.client(id(name)).await;
    client.map(|client| client.rooms.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// The longest time between two comparisons, and until a difference that may have been news on its way is mended.
const ROUND: Duration = Duration::from_secs(36);
const CERTAIN: Duration = Duration::from_secs(36 + 10);

/// Makes up a client in the store, as data from before it went would.
async fn resurrect(node: &Node, name: &str, rooms: &[&str]) {
    let (store, life) = node.store.behind_its_back();
    let client =
        NewClient { key: key(name), user: None, metadata: Metadata::new(), connected_at: Timestamp::default() };
    let rooms = rooms.iter().map(|name| (room(name), RoomUid::random())).collect();
    store.restore(&life, &[LiveClient { client, rooms }]).await.expect("restores");
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_the_store_lost_is_put_back() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut client = member(node, "c").await;
    ledger.complete().await;
    let before = ledger.stays();
    let (store, life) = node.store.behind_its_back();
    assert!(store.leave(&life, &key("c"), &room("own")).await.expect("leaves"));
    let began = Instant::now();
    eventually("it is back", async || rooms_of(&other.service, "c").await == ["own", "r"]).await;
    assert!(began.elapsed() <= CERTAIN, "{:?}", began.elapsed());
    ledger.complete().await;
    assert_eq!(ledger.stays(), before, "nobody heard of it");
    other.service.broadcast_to_room("own", "news", &1).await.expect("sends");
    assert_eq!(client.expect::<i32>("news").await, 1);
    node.service.leave_room(client.handle(), "own").await.expect("leaves");
    assert!(other.service.room("own").await.is_err());
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(ledger.assert_all_left().await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_the_store_lost_is_put_back_with_all_it_had() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut clients = Vec::new();
    for number in 0..250 {
        clients.push(member(node, &format!("c{number}")).await);
    }
    ledger.complete().await;
    let before = ledger.stays();
    let (store, life) = node.store.behind_its_back();
    for number in 0..250 {
        store.disconnect(&life, &key(&format!("c{number}"))).await.expect("disconnects");
    }
    let began = Instant::now();
    eventually("they are back", async || other.service.client_count().await.expect("answers") == 250).await;
    assert!(began.elapsed() <= ROUND, "{:?}", began.elapsed());
    for number in 0..250 {
        let known = other.service.client(id(&format!("c{number}"))).await.expect("is back");
        assert_eq!((known.rooms.len(), &known.metadata["note"]), (2, &"kept".into()));
    }
    ledger.complete().await;
    assert_eq!(ledger.stays(), before, "nobody heard of it");
    clients.iter().for_each(TestClient::disconnect);
    ledger.gone(250).await;
    assert_eq!(ledger.assert_all_left().await, 500);
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_ended_and_came_back_in_the_store_is_ended_again() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = member(node, "c").await;
    node.service.leave_room(client.handle(), "own").await.expect("leaves");
    let (store, life) = node.store.behind_its_back();
    store.join(&life, &key("c"), &room("own")).await.expect("joins");
    let began = Instant::now();
    eventually("it is ended", async || rooms_of(&other.service, "c").await == ["r"]).await;
    assert!(began.elapsed() <= ROUND, "{:?}", began.elapsed());
    assert_eq!(ledger.left("own").len(), 1, "nobody heard of it");
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(ledger.assert_all_left().await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_went_and_came_back_in_the_store_is_taken_out_again() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = member(node, "c").await;
    client.disconnect();
    ledger.gone(1).await;
    resurrect(node, "c", &["r", "own", "another"]).await;
    let began = Instant::now();
    eventually("it is out", async || other.service.client_count().await.expect("answers") == 0).await;
    assert!(began.elapsed() <= ROUND, "{:?}", began.elapsed());
    assert_eq!(other.service.room_count().await.expect("answers"), 0);
    assert_eq!((ledger.assert_all_left().await, ledger.disconnected().len()), (2, 1), "nobody heard of it");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fell_behind_is_told_everything_at_once_and_what_it_should_have_forgotten_goes() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let (_stays, client) = (member(node, "stays").await, member(node, "lost").await);
    member(node, "went").await.disconnect();
    ledger.gone(1).await;
    node.service.leave_room(client.handle(), "own").await.expect("leaves");
    ledger.complete().await;
    let before = ledger.stays();

    let (store, life) = node.store.behind_its_back();
    resurrect(node, "went", &["r"]).await;
    store.join(&life, &key("lost"), &room("own")).await.expect("joins");
    store.leave(&life, &key("lost"), &room("r")).await.expect("leaves");
    store.disconnect(&life, &key("stays")).await.expect("disconnects");
    node.store.fall_behind();
    let began = Instant::now();
    eventually("the store is right", async || {
        rooms_of(&other.service, "stays").await == ["own", "r"]
            && rooms_of(&other.service, "lost").await == ["r"]
            && other.service.client(id("went")).await.is_err()
    })
    .await;
    assert!(
        began.elapsed() <= node.service.config().lease.heartbeat + Duration::from_millis(10),
        "{:?}",
        began.elapsed()
    );
    ledger.complete().await;
    assert_eq!(ledger.stays(), before, "nobody heard of it");
}

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
async fn who_is_on_the_way_in_or_out_is_left_alone() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let dispatcher = Dispatcher::new(node.service.clone(), Gateway::new()).expect("mounts");
    let session = dispatcher.admit(&Namespace::root(), Handshake::new(id("early")), None).await.expect("admitted");
    // The store knows it, and the node does not know that.
    let answer = node.store.hold(Moment::After, "connect");
    let server = node.server.clone();
    let connecting =
        tokio::spawn(async move { server.connect_with(&Namespace::root(), Handshake::new(id("late"))).await });
    answer.reached().await;
    for _ in 0..3 {
        compared(node).await;
    }
    answer.release();
    connecting.await.expect("no panic").expect("connects");
    session.opened();
    for name in ["early", "late"] {
        assert!(other.service.client(id(name)).await.is_ok(), "{name}");
    }
    // It is out here, and the store is not told yet.
    let leaving = node.bus.hold(Moment::Before, "unsubscribe");
    let client = member(node, "leaves").await;
    let (service, handle) = (node.service.clone(), client.handle().clone());
    let going = tokio::spawn(async move { service.handle_disconnect(&handle, DisconnectReason::PingTimeout).await });
    leaving.reached().await;
    node.store.take_log();
    compared(node).await;
    assert_eq!(node.store.take_log(), Vec::<&str>::new(), "who goes is told by itself");
    leaving.release();
    going.await.expect("no panic");
    ledger.gone(1).await;
    session.closed(DisconnectReason::ConnectionLost);
    ledger.assert_all_left().await;
}

/// Returns when a comparison has begun and ended from now on, after a gap.
async fn compared(node: &Node) {
    node.bus.say(BackplaneEvent::Gap);
    compared_soon(node).await;
}

/// Returns when a comparison has begun and ended from now on, after a heartbeat that failed.
async fn compared_without_gap(node: &Node) {
    node.store.fail(Moment::Before, "renew_lease");
    compared_soon(node).await;
}

async fn compared_soon(node: &Node) {
    let before = node.store.comparisons();
    eventually("a comparison", async || node.store.comparisons() > before).await;
    sleep(Duration::from_millis(200)).await;
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
    // Nobody waited for it to the end.
    let answer = node.store.hold(Moment::After, "connect");
    let connecting = node.service.handle_connection(Handshake::new(id("c")));
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
    let hold = node.store.hold(Moment::Before, "held");
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
async fn a_client_that_another_node_has_is_left_to_that_one() {
    let (cluster, _ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let _here = member(node, "c").await;
    let handshake = Handshake::new(id("c"));
    let _there = other.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    for _ in 0..3 {
        sleep(ROUND).await;
        assert_eq!(node.service.client(id("c")).await.expect("is known").node, *other.service.node_id());
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_deleted_during_a_gap_is_forgotten_and_not_brought_back() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = member(node, "c").await;
    node.bus.be_deaf(true);
    node.bus.say(BackplaneEvent::Interrupted);
    other.service.delete_room("r").await.expect("deletes");
    // As long as it does not hear the other nodes, it cannot tell why the room is gone.
    sleep(2 * CERTAIN).await;
    assert!(client.handle().is_in(&"r".parse().expect("valid")) && other.service.room("r").await.is_err());
    node.bus.be_deaf(false);
    node.bus.say(BackplaneEvent::Gap);
    let began = Instant::now();
    eventually("it is out", async || client.handle().rooms() == ["own"]).await;
    assert!(began.elapsed() <= Duration::from_secs(11), "{:?}", began.elapsed());
    sleep(CERTAIN).await;
    assert!(other.service.room("r").await.is_err() && !cluster.hears("r"));
    assert_eq!(ledger.left("r").len(), 1);
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(ledger.assert_all_left().await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_was_seen_after_a_gap_and_is_lost_later_is_put_back() {
    let (cluster, _ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let _client = member(node, "c").await;
    compared(node).await;
    let (store, life) = node.store.behind_its_back();
    assert!(store.leave(&life, &key("c"), &room("own")).await.expect("leaves"));
    sleep(CERTAIN).await;
    assert_eq!(rooms_of(&other.service, "c").await, ["own", "r"]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_news_are_late_is_no_loss() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = member(node, "c").await;
    compared(node).await;
    // The first attempt to pass it on fails, and so do some more.
    other.bus.go_down();
    let told = other.service.delete_room("r").await.expect_err("the others do not know");
    assert_eq!(told.code(), ErrorCode::StateUnavailable);
    sleep(Duration::from_secs(5)).await;
    node.store.take_log();
    compared_without_gap(node).await;
    assert_eq!(node.store.take_log(), Vec::<&str>::new(), "it is only in doubt");
    assert_eq!(client.handle().rooms().len(), 2);
    other.bus.come_back();
    eventually("it is passed on", async || client.handle().rooms() == ["own"]).await;
    sleep(2 * CERTAIN).await;
    assert!(other.service.room("r").await.is_err());
    assert_eq!(ledger.left("r").len(), 1);
}
