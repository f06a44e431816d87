//! Handlers of a former stay: the next waits for them, and not for ever.

use std::{sync::Arc, time::Duration};

use roomwire_core::Namespace;
use roomwire_service::{
    DisconnectReason, Dispatcher, Error, ErrorCode, Gateway, Handshake, LeaveReason, State, WebSocketConfig,
    WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryState;
use tokio::time::{Instant, sleep};

use super::{HandlerLog, connect, connected, disconnected, gateway, id, told, try_to_connect};
use crate::fixture::{Ledger, Log, Wire, config, server, within};

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_while_its_handler_works_is_told_apart_from_its_former_stay() {
    let diary = HandlerLog::default();
    let server = server(gateway(&diary).on_connect(connected).on_disconnect(disconnected)).await;
    let service = server.service().clone();
    let ledger = Ledger::of([service.clone()]);
    let former = connect(&server).await;
    former.emit_with_ack::<()>("join", &"r").await.expect("joins");
    former.emit("slow", &50);
    let began = Instant::now();
    former.disconnect();
    let client = connect(&server).await;
    assert_eq!(began.elapsed(), Duration::from_millis(50), "it waits for the handler, and for no longer");
    drop(former);

    assert_eq!(diary.entries()[..3], ["on_connect", "slow", "on_disconnect"]);
    let known = service.client(client.id()).await.expect("the store knows it");
    assert!(known.rooms.is_empty() && client.handle().rooms().is_empty(), "its rooms went with its former stay");
    assert_eq!(service.member_count("r").await.expect("answers"), 0);
    client.emit_with_ack::<()>("join", &"r").await.expect("joins");
    assert_eq!(service.client_count().await.expect("answers"), 1);
    assert_eq!(service.client(client.id()).await.expect("known").rooms, ["r"]);
    assert_eq!(service.member_count("r").await.expect("answers"), 1);
    assert_eq!(service.local_client_count(), 1);
    assert_eq!(told(&ledger).await, ["connected", "joined", "left", "disconnected", "connected", "joined"]);
    let reason = LeaveReason::Disconnected(DisconnectReason::ClientDisconnected);
    assert_eq!(ledger.left("r"), [(id(), reason)]);
}

/// The next stay, which begins so many seconds after the end of this one.
async fn next_stay(server: &TestServer, former: &TestClient, seconds: u64) -> TestClient {
    let began = Instant::now();
    former.disconnect();
    let client = connect(server).await;
    assert_eq!(began.elapsed(), Duration::from_secs(seconds));
    client
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_twelve_seconds_holds_the_next_stay_up_for_five_and_answers_it_nothing() {
    async fn fail_late() -> Result<(), Error> {
        sleep(Duration::from_secs(12)).await;
        Err(Error::application("LATE", "of the former stay"))
    }
    let diary = HandlerLog::default();
    let server = server(gateway(&diary).on("fail-late", fail_late).on_disconnect(disconnected)).await;
    let ledger = Ledger::of([server.service().clone()]);

    // Both stays call their first question 0.
    let former = Arc::new(connect(&server).await);
    let asking = tokio::spawn({
        let former = former.clone();
        async move { former.emit_with_ack::<u64>("slow", &12_000).await }
    });
    tokio::task::yield_now().await;
    let client = next_stay(&server, &former, 5).await;
    assert!(diary.entries().is_empty(), "the former handler is still at work");
    assert_eq!(asking.await.expect("no panic").expect_err("it is gone").code(), ErrorCode::ClientNotFound);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(client.emit_with_ack::<u64>("slow", &4_000).await.expect("answers"), 4_000);
    assert_eq!(diary.entries(), ["slow", "on_disconnect", "slow"]);

    client.emit("fail-late", &());
    tokio::task::yield_now().await;
    let mut last = next_stay(&server, &client, 5).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(last.drain().len(), 0, "errors of the former stay are not told to the next");
    last.disconnect();
    ledger.gone(3).await;
    let pair = ["connected", "disconnected"];
    assert_eq!(told(&ledger).await, [pair, pair, pair].concat());
}

#[tokio::test(start_paused = true)]
async fn an_on_connect_that_fails_late_does_not_disconnect_the_next_stay() {
    async fn fails_the_first_time(State(diary): State<HandlerLog>) -> Result<(), Error> {
        if diary.entries().is_empty() {
            diary.note("first");
            sleep(Duration::from_secs(12)).await;
            return Err(ErrorCode::Forbidden.into());
        }
        Ok(())
    }
    let server = server(gateway(&HandlerLog::default()).on_connect(fails_the_first_time)).await;
    let former = connect(&server).await;
    tokio::task::yield_now().await;
    let client = next_stay(&server, &former, 5).await;
    sleep(Duration::from_secs(10)).await;
    assert!(client.handle().is_connected());
    client.emit_with_ack::<()>("join", &"r").await.expect("joins");
}

#[tokio::test(start_paused = true)]
async fn an_on_disconnect_that_hangs_holds_the_next_stay_up_for_five_seconds_and_one_that_panics_not_at_all() {
    async fn hangs() -> Result<(), Error> {
        std::future::pending().await
    }
    async fn panics() -> Result<(), Error> {
        panic!("as the test wants")
    }
    for (gateway, seconds) in [(Gateway::new().on_disconnect(hangs), 5), (Gateway::new().on_disconnect(panics), 0)] {
        let server = server(gateway).await;
        let ledger = Ledger::of([server.service().clone()]);
        let former = connect(&server).await;
        // Only of a client that took part.
        tokio::task::yield_now().await;
        let client = next_stay(&server, &former, seconds).await;
        assert_eq!(server.service().client_count().await.expect("answers"), 1);
        client.disconnect();
        ledger.gone(2).await;
        assert_eq!(told(&ledger).await, ["connected", "disconnected", "connected", "disconnected"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_refused_because_its_former_handler_takes_longer_than_the_store_may() {
    let config = WebSocketConfig::default();
    assert!(config.state.timeout < Duration::from_secs(3));
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let server = TestServer::new(service, gateway(&HandlerLog::default())).expect("mounts");
    let former = connect(&server).await;
    former.emit("slow", &3_000);
    tokio::task::yield_now().await;
    next_stay(&server, &former, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_with_an_id_that_stays_in_use_is_refused_in_the_end_and_the_log_says_why_once() {
    let log = Log::capture();
    let server = server(gateway(&HandlerLog::default())).await;
    let stays = connect(&server).await;
    let began = Instant::now();
    let (one, other) = tokio::join!(try_to_connect(&server), try_to_connect(&server));
    for refused in [one, other] {
        let refused = refused.expect_err("the id is in use");
        assert_eq!(refused.code(), ErrorCode::Timeout);
        assert!(refused.to_string().contains("former connection"), "{refused}");
    }
    // Handlers, the store, and news of a deletion: each has its time.
    let longest = Duration::from_secs(10) + config().state.timeout + config().lease.duration;
    assert_eq!(began.elapsed(), longest);
    let lines = log.take_lines();
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("WARN") && line.contains("refused")).count(),
        1,
        "{lines:?}"
    );
    assert!(stays.handle().is_connected());
    drop(stays);
    connect(&server).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_refuses_a_client_that_waits_for_its_former_stay() {
    let server = server(gateway(&HandlerLog::default())).await;
    let former = connect(&server).await;
    former.emit("slow", &1_000);
    tokio::task::yield_now().await;
    former.disconnect();
    let next = tokio::spawn({
        let server = server.clone();
        async move { try_to_connect(&server).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(within("the stop", server.service().shutdown()).await, 0);
    assert_eq!(next.await.expect("no panic").expect_err("it stops").code(), ErrorCode::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_never_opened_and_a_client_without_a_session_make_way_too() {
    let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
    let dispatcher = Dispatcher::new(service.clone(), Gateway::new()).expect("mounts");
    let began = Instant::now();
    for _ in 0..3 {
        drop(dispatcher.admit(&Namespace::root(), Handshake::new(id()), Wire::unused()).await.expect("admitted"));
    }
    let ledger = Ledger::of([service.clone()]);
    for _ in 0..3 {
        let client = service.handle_connection(Handshake::new(id()), Wire::unused()).await.expect("connects");
        let reason = DisconnectReason::ClientDisconnected;
        tokio::join!(service.handle_disconnect(&client, reason), async {
            let next = service.handle_connection(Handshake::new(id()), Wire::unused()).await.expect("connects");
            service.handle_disconnect(&next, reason).await;
        });
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(service.client_count().await.expect("answers"), 0);
    let pair = ["connected", "disconnected"];
    assert_eq!(told(&ledger).await, [pair; 6].concat());
}
