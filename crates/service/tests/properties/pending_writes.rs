//! An end that the store could not be told of is reported when the store has confirmed it, once.

use std::{sync::Arc, time::Duration};

use roomwire_service::{
    Client, Error, ErrorCode, Gateway, LeaveReason, State, WebSocketConfig, WebSocketService, testing::TestClient,
};
use roomwire_state_memory::MemoryState;
use tokio::{sync::Notify, time::Instant};

use crate::fixture::{Ledger, Moment, Node, Stay, config, eventually, watched};

/// A node whose calls are not repeated, and a member of the room `r`.
async fn member() -> (Node, TestClient, Ledger) {
    let mut config = config();
    config.retry_config.attempts = 0;
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    let client = node.server.connect().await.expect("connects");
    let ledger = Ledger::of([node.service.clone()]);
    node.service.join_room(client.handle(), "r").await.expect("joins");
    (node, client, ledger)
}

/// Time for several heartbeats, by a clock that stands still otherwise.
async fn heartbeats() {
    tokio::time::sleep(3 * WebSocketConfig::default().lease.heartbeat + Duration::from_millis(1)).await;
}

async fn stay(ledger: &Ledger) -> Stay {
    ledger.complete().await;
    ledger.stays().into_values().next().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_leave_during_an_outage_is_told_to_the_store_when_it_is_back() {
    let (node, client, ledger) = member().await;
    node.store.go_down();
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    assert!(!client.handle().is_in(&"r".parse().expect("valid")));
    heartbeats().await;
    assert_eq!(ledger.left("r"), [], "the store has not confirmed it");
    node.store.come_back();
    eventually("the store knows", async || node.service.member_count("r").await.expect("answers") == 0).await;
    assert_eq!(stay(&ledger).await, Stay { joined: 1, left: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_during_an_outage_is_told_to_the_store_when_it_is_back() {
    let (node, client, ledger) = member().await;
    node.store.go_down();
    client.disconnect();
    heartbeats().await;
    assert_eq!((client.handle().is_connected(), ledger.disconnected().len()), (false, 0));
    node.store.come_back();
    eventually("the store knows", async || node.service.client_count().await.expect("answers") == 0).await;
    ledger.gone(1).await;
    assert_eq!(node.service.member_count("r").await.expect("answers"), 0);
    assert_eq!(stay(&ledger).await, Stay { joined: 1, left: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnected_during_an_outage_is_not_restored_by_a_late_join() {
    let (node, client, ledger) = member().await;
    node.store.go_down();
    client.disconnect();
    eventually("it is gone", async || !client.handle().is_connected()).await;
    node.store.come_back();
    let refused = node.service.join_room(client.handle(), "r").await.expect_err("it is gone");
    assert_eq!(refused.code(), ErrorCode::ClientNotFound);
    heartbeats().await;
    assert_eq!(node.service.member_count("r").await.expect("answers"), 0);
    assert_eq!(stay(&ledger).await, Stay { joined: 1, left: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_client_that_rejoins_before_its_leave_is_stored_stays_a_member() {
    let (node, client, ledger) = member().await;
    node.store.go_down();
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    node.store.come_back();
    node.service.join_room(client.handle(), "r").await.expect("joins again");
    heartbeats().await;
    assert_eq!(node.service.member_count("r").await.expect("answers"), 1);
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    assert_eq!(stay(&ledger).await, Stay { joined: 2, left: 2 });
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_ended_during_an_outage_does_not_end_again_with_the_client() {
    let (node, client, ledger) = member().await;
    node.store.go_down();
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    node.store.come_back();
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(stay(&ledger).await, Stay { joined: 1, left: 1 });
    assert_eq!(ledger.left("r"), [(client.id().clone(), LeaveReason::Left)]);
    heartbeats().await;
    assert_eq!(node.service.member_count("r").await.expect("answers"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_join_with_a_lost_answer_does_not_occupy_a_place_forever() {
    let (node, client, ledger) = member().await;
    node.store.fail(Moment::After, "join");
    let refused = node.service.join_room(client.handle(), "r2").await.expect_err("its answer was lost");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    assert_eq!(node.service.member_count("r2").await.expect("answers"), 1, "the store did it");
    heartbeats().await;
    assert_eq!(node.service.member_count("r2").await.expect("answers"), 0);
    assert!(ledger.left("r2").is_empty(), "nobody joined, nobody left");
}

#[tokio::test(start_paused = true)]
async fn a_join_with_a_lost_answer_is_not_reported_as_left_when_the_client_disconnects() {
    let (node, client, ledger) = member().await;
    node.store.fail(Moment::After, "join");
    node.service.join_room(client.handle(), "r2").await.expect_err("its answer was lost");
    client.disconnect();
    ledger.gone(1).await;
    assert!(ledger.left("r2").is_empty(), "it never joined as far as anybody was told");
    assert_eq!(ledger.assert_all_left().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_join_with_a_lost_answer_can_be_repeated() {
    let (node, client, ledger) = member().await;
    node.store.fail(Moment::After, "join");
    node.service.join_room(client.handle(), "r2").await.expect_err("its answer was lost");
    node.service.join_room(client.handle(), "r2").await.expect("joins");
    heartbeats().await;
    assert_eq!(node.service.member_count("r2").await.expect("answers"), 1);
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(ledger.assert_all_left().await, 2);
}

#[tokio::test(start_paused = true)]
async fn retries_of_one_client_during_an_outage_cost_the_store_one_call_afterwards() {
    let (node, client, _) = member().await;
    node.store.go_down();
    for _ in 0..100 {
        node.service.join_room(client.handle(), "r2").await.expect_err("the store is away");
    }
    node.store.take_log();
    node.store.come_back();
    heartbeats().await;
    assert_eq!(node.store.take_log(), ["leave"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_was_not_told_of_is_told_before_a_shutdown_ends() {
    let (node, client, ledger) = member().await;
    node.store.fail(Moment::Before, "leave");
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    node.service.shutdown().await;
    assert!(node.store.take_log().ends_with(&["leave", "disconnect", "end_lease"]), "then the lease is given back");
    ledger.gone(1).await;
    assert_eq!(ledger.left("r"), [(client.id().clone(), LeaveReason::Left)]);
}

#[tokio::test(start_paused = true)]
async fn an_end_with_a_lost_answer_is_reported_once_with_its_own_reason() {
    let (node, client, ledger) = member().await;
    node.service.join_room(client.handle(), "r2").await.expect("joins");
    node.store.fail(Moment::After, "leave");
    node.service.leave_room(client.handle(), "r").await.expect("leaves");
    heartbeats().await;
    assert_eq!(ledger.left("r"), [(client.id().clone(), LeaveReason::Left)]);
    node.store.fail(Moment::After, "disconnect");
    client.disconnect();
    eventually("it is gone", async || !client.handle().is_connected()).await;
    ledger.gone(1).await;
    assert_eq!(ledger.left("r2"), [(client.id().clone(), LeaveReason::Disconnected(ledger.disconnected()[0].1))]);
    heartbeats().await;
    assert_eq!((ledger.assert_all_left().await, ledger.disconnected().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_and_its_handler_runs_without_waiting_for_the_store_to_come_back() {
    async fn leave(service: WebSocketService, client: Client) -> Result<(), Error> {
        service.leave_room(&client, "r").await
    }
    async fn gone(State(ran): State<Arc<Notify>>) -> Result<(), Error> {
        ran.notify_one();
        Ok(())
    }
    let ran = Arc::new(Notify::new());
    let gateway = Gateway::new().with_state(ran.clone()).on("leave", leave).on_disconnect(gone);
    let mut config = config();
    config.state = WebSocketConfig::default().state;
    let node = watched(MemoryState::new(), config, gateway).await;
    let ledger = Ledger::of([node.service.clone()]);
    let (mut leaves, goes) =
        (node.server.connect().await.expect("connects"), node.server.connect().await.expect("connects"));
    for client in [&leaves, &goes] {
        node.service.join_room(client.handle(), "r").await.expect("joins");
    }
    for hangs in [false, true] {
        if hangs {
            node.store.hang();
        } else {
            node.store.go_down();
        }
        let began = Instant::now();
        if hangs {
            goes.disconnect();
            ran.notified().await;
        } else {
            leaves.emit_with_ack::<()>("leave", &()).await.expect("leaves");
        }
        assert!(began.elapsed() <= node.service.config().state.timeout, "{:?}", began.elapsed());
    }
    node.service.broadcast_to_room("r", "news", &1).await.expect("sends");
    node.service.send_to_client(leaves.id(), "end", &2).await.expect("sends");
    assert_eq!(leaves.expect::<i32>("end").await, 2, "it hears the room no more");
    assert_eq!(ledger.left("r"), []);
    node.store.come_back();
    ledger.gone(1).await;
    assert_eq!(ledger.assert_all_left().await, 2);
}

#[tokio::test(start_paused = true)]
async fn clients_that_are_refused_during_an_outage_cost_bounded_memory_and_the_store_few_calls_afterwards() {
    const REFUSED: usize = 10_000;
    let (node, _client, ledger) = member().await;
    node.store.go_down();
    for _ in 0..REFUSED {
        node.server.connect().await.expect_err("the store is away");
    }
    node.store.take_log();
    node.store.come_back();
    heartbeats().await;
    let calls = node.store.take_log().into_iter().filter(|call| *call == "disconnect").count();
    assert!((1000..5000).contains(&calls), "{calls} calls");
    heartbeats().await;
    assert_eq!(node.store.take_log(), Vec::<&str>::new(), "nothing is tried again");
    assert_eq!(ledger.disconnected(), [], "no client came or went");
}

#[tokio::test(start_paused = true)]
async fn clients_that_the_store_registered_though_they_were_refused_are_removed_however_many_there_are() {
    let (node, _client, _) = member().await;
    for _ in 0..6000 {
        node.store.fail(Moment::After, "connect");
        node.server.connect().await.expect_err("its answer was lost");
    }
    eventually("one is left", async || node.service.client_count().await.expect("answers") == 1).await;
}
