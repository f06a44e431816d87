//! A room that was deleted is told from memberships that the store has lost.

use std::time::Duration;

use roomwire_core::BackplaneEvent;
use roomwire_service::ErrorCode;
use tokio::time::{Instant, sleep};

use super::{CERTAIN, cluster, compared, compared_without_gap, key, member, resurrect_in, room, rooms_of};
use crate::fixture::{Moment, eventually};

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
    let (store, incarnation) = node.store.behind_its_back();
    assert!(store.leave(&incarnation, &key("c"), &room("own")).await.expect("leaves"));
    sleep(CERTAIN).await;
    assert_eq!(rooms_of(&other.service, "c").await, ["own", "r"]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_with_a_late_message_is_no_loss() {
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

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_before_a_late_deletion_message_is_reported_by_the_deletion_alone() {
    for goes in [true, false] {
        let (cluster, ledger) = cluster().await;
        let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
        let client = member(node, "c").await;
        let told = other.bus.hold(Moment::Before, "publish");
        let service = other.service.clone();
        let deleting = tokio::spawn(async move { service.delete_room("own").await });
        told.reached().await;
        if goes {
            client.disconnect();
            eventually("it is gone", async || !client.handle().is_connected()).await;
        } else {
            node.service.leave_room(client.handle(), "own").await.expect("leaves");
        }
        sleep(Duration::from_millis(500)).await;
        told.release();
        deleting.await.expect("no panic").expect("deletes");
        sleep(CERTAIN).await;
        assert_eq!(ledger.left("own").len(), 1);
        assert!(!cluster.hears("own"));
        client.disconnect();
        ledger.gone(1).await;
        ledger.assert_all_left().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_room_that_came_back_with_older_data_can_be_joined() {
    let (cluster, ledger) = cluster().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = member(node, "c").await;
    let (store, incarnation) = node.store.behind_its_back();
    let uid = store.join(&incarnation, &key("c"), &room("r")).await.expect("is a member").uid;
    other.service.delete_room("r").await.expect("deletes");
    eventually("the deletion is known", async || client.handle().rooms() == ["own"]).await;
    resurrect_in(node, "ghost", vec![(room("r"), uid)]).await;
    for joins in [node, other] {
        let newcomer = joins.server.connect().await.expect("connects");
        joins.service.join_room(newcomer.handle(), "r").await.expect("joins");
        newcomer.disconnect();
    }
    ledger.gone(2).await;
}
