//! What the store was not told of a former stay, or has lost of it.

use std::time::Duration;

use roomwire_core::{ClientKey, Namespace, RoomId, RoomKey};
use roomwire_service::{Gateway, WebSocketConfig, testing::TestClient};
use roomwire_state_memory::MemoryState;
use tokio::time::{Instant, sleep};

use super::{connect, id, told};
use crate::fixture::{Ledger, Moment, Node, config, eventually, watched};

/// A node whose calls are not repeated, and a member of the room `r`.
async fn member() -> (Node, TestClient, Ledger) {
    let mut config = config();
    config.retry_config.attempts = 0;
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    let ledger = Ledger::of([node.service.clone()]);
    let client = connect(&node.server).await;
    node.service.join_room(client.handle(), "r").await.expect("joins");
    (node, client, ledger)
}

async fn heartbeats() {
    sleep(3 * WebSocketConfig::default().lease.heartbeat + Duration::from_millis(1)).await;
}

/// The rooms of the client, and the members of the room `r`, as the store knows them.
async fn stored(node: &Node) -> (Vec<RoomId>, u64) {
    let rooms = node.service.client(id()).await.expect("known").rooms;
    (rooms, node.service.member_count("r").await.expect("answers"))
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_that_the_store_was_not_told_of_is_told_before_the_client_is_back() {
    let (node, former, ledger) = member().await;
    node.store.go_down();
    former.disconnect();
    eventually("it is gone here", async || node.service.local_client_count() == 0).await;
    heartbeats().await;
    node.store.come_back();
    let client = connect(&node.server).await;
    assert_eq!(stored(&node).await, (vec![], 0), "no room of the former stay");
    node.service.join_room(client.handle(), "r").await.expect("joins");
    heartbeats().await;
    assert_eq!(stored(&node).await, (client.handle().rooms(), 1), "what was owed is not told again");
    assert_eq!(told(&ledger).await, ["connected", "joined", "left", "disconnected", "connected", "joined"]);
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_the_store_is_being_told_of_does_not_end_the_membership_of_the_next_stay() {
    let (node, former, _) = member().await;
    node.store.fail(Moment::Before, "leave");
    node.service.leave_room(former.handle(), "r").await.expect("leaves");
    let told_again = node.store.hold(Moment::Before, "leave");
    told_again.reached().await;
    former.disconnect();
    let next = tokio::spawn({
        let node = node.clone();
        async move {
            let client = connect(&node.server).await;
            node.service.join_room(client.handle(), "r").await.expect("joins");
            client
        }
    });
    sleep(Duration::from_millis(1)).await;
    told_again.release();
    let client = next.await.expect("no panic");
    heartbeats().await;
    assert_eq!(stored(&node).await, (client.handle().rooms(), 1));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_membership_that_is_in_doubt_is_reported_before_the_client_is_back() {
    for leaves in [false, true] {
        let (node, former, ledger) = member().await;
        let (store, incarnation) = node.store.behind_its_back();
        let room = RoomKey::new(Namespace::root(), "r".parse().expect("valid"));
        let key = ClientKey::new(Namespace::root(), id());
        assert!(store.leave(&incarnation, &key, &room).await.expect("answers"));
        let began = Instant::now();
        if leaves {
            node.service.leave_room(former.handle(), "r").await.expect("leaves");
        }
        former.disconnect();
        connect(&node.server).await;
        assert!(began.elapsed() <= WebSocketConfig::default().lease.duration + Duration::from_millis(1));
        let told = told(&ledger).await;
        let last = told.iter().position(|event| *event == "left").expect("reported");
        assert_eq!(told.iter().rposition(|event| *event == "connected"), Some(4), "{told:?}");
        assert!(last < 4, "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_ended_with_a_lost_lease_is_reported_before_the_client_is_back() {
    let (node, former, ledger) = member().await;
    node.store.fence().await;
    // The clean-up after the lost lease is interrupted, and would find nothing once the client is registered again.
    node.store.fail(Moment::Before, "reap");
    former.disconnect();
    let client = connect(&node.server).await;
    heartbeats().await;
    assert_eq!(told(&ledger).await, ["connected", "joined", "left", "disconnected", "connected"]);
    assert_eq!(stored(&node).await, (vec![], 0));
    assert!(client.handle().is_connected());
}
