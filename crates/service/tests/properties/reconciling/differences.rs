//! What only one side knows is mended, whichever side it is.

use std::time::Duration;

use roomwire_core::Namespace;
use roomwire_service::{Handshake, ServiceEvent, testing::TestClient};
use tokio::time::{Instant, sleep};

use super::{CERTAIN, ROUND, cluster, id, key, member, resurrect, room, rooms_of};
use crate::fixture::{Log, eventually};

#[tokio::test(start_paused = true)]
async fn a_membership_that_the_store_lost_is_put_back() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut client = member(node, "c").await;
    ledger.complete().await;
    let before = ledger.stays();
    let (store, incarnation) = node.store.behind_its_back();
    assert!(store.leave(&incarnation, &key("c"), &room("own")).await.expect("leaves"));
    let began = Instant::now();
    eventually("it is back", async || rooms_of(&other.service, "c").await == ["own", "r"]).await;
    assert!(began.elapsed() <= CERTAIN, "{:?}", began.elapsed());
    ledger.complete().await;
    assert_eq!(ledger.stays(), before, "no event reports it");
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
    let (store, incarnation) = node.store.behind_its_back();
    for number in 0..250 {
        store.disconnect(&incarnation, &key(&format!("c{number}"))).await.expect("disconnects");
    }
    let began = Instant::now();
    eventually("they are back", async || other.service.client_count().await.expect("answers") == 250).await;
    assert!(began.elapsed() <= ROUND, "{:?}", began.elapsed());
    for number in 0..250 {
        let known = other.service.client(id(&format!("c{number}"))).await.expect("is back");
        assert_eq!((known.rooms.len(), &known.metadata["note"]), (2, &"kept".into()));
    }
    ledger.complete().await;
    assert_eq!(ledger.stays(), before, "no event reports it");
    clients.iter().for_each(TestClient::disconnect);
    ledger.gone(250).await;
    assert_eq!(ledger.assert_all_left().await, 500);
}

#[tokio::test(start_paused = true)]
async fn a_client_of_which_the_store_lost_a_part_is_written_anew_and_warned_of_once_a_minute() {
    let log = Log::capture();
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let _clients = [member(node, "c").await, member(node, "d").await];
    ledger.complete().await;
    let before = ledger.stays();
    log.take_lines();
    for is_warned_of in [true, false, true] {
        node.store.take_log();
        node.store.damage(&key("c"));
        let began = Instant::now();
        eventually("it is written anew", async || !node.store.is_damaged()).await;
        assert!(began.elapsed() <= ROUND, "{:?}", began.elapsed());
        let written = node.store.take_log().into_iter().filter(|call| *call == "restore").count();
        assert_eq!(written, 1, "and no other client is");
        eventually("the warning", async || !is_warned_of || log.contains("WARN")).await;
        let warned = log.take_lines().into_iter().filter(|line| line.contains("the store had lost or changed")).count();
        assert_eq!(warned, usize::from(is_warned_of));
        if !is_warned_of {
            sleep(Duration::from_secs(60)).await;
        }
    }
    assert_eq!(rooms_of(&other.service, "c").await, ["own", "r"]);
    ledger.complete().await;
    assert_eq!(ledger.stays(), before, "no event reports it");
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_ended_and_came_back_in_the_store_is_ended_again() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = member(node, "c").await;
    node.service.leave_room(client.handle(), "own").await.expect("leaves");
    let (store, incarnation) = node.store.behind_its_back();
    store.join(&incarnation, &key("c"), &room("own")).await.expect("joins");
    let began = Instant::now();
    eventually("it is ended", async || rooms_of(&other.service, "c").await == ["r"]).await;
    assert!(began.elapsed() <= ROUND, "{:?}", began.elapsed());
    assert_eq!(ledger.left("own").len(), 1, "no event reports it");
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
    assert_eq!((ledger.assert_all_left().await, ledger.disconnected().len()), (2, 1), "no event reports it");
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

    let (store, incarnation) = node.store.behind_its_back();
    resurrect(node, "went", &["r"]).await;
    store.join(&incarnation, &key("lost"), &room("own")).await.expect("joins");
    store.leave(&incarnation, &key("lost"), &room("r")).await.expect("leaves");
    store.disconnect(&incarnation, &key("stays")).await.expect("disconnects");
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
    assert_eq!(ledger.stays(), before, "no event reports it");
    assert!(ledger.events().contains(&ServiceEvent::StateLost), "but that data was lost is said");
    let health = node.service.health();
    assert!(health.data_lost.is_some() && health.is_healthy(), "{health:?}");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(node.service.health().data_lost, None, "after a minute it is history");
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
async fn a_client_that_leaves_or_disconnects_before_a_loss_is_repaired_is_reported_once() {
    for goes in [true, false] {
        let (cluster, ledger) = cluster().await;
        let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
        let client = member(node, "c").await;
        let (store, incarnation) = node.store.behind_its_back();
        assert!(store.leave(&incarnation, &key("c"), &room("own")).await.expect("leaves"));
        if goes {
            client.disconnect();
        } else {
            node.service.leave_room(client.handle(), "own").await.expect("leaves");
            client.disconnect();
        }
        ledger.gone(1).await;
        assert_eq!(ledger.assert_all_left().await, 2);
        assert!(other.service.room("own").await.is_err());
        cluster.hears_no_more_of("own").await;
    }
}
