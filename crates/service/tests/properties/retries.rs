//! `retryConfig`: which calls of the store are repeated, how often, with which pauses and for how long.

use std::{sync::Arc, time::Duration};

use roomwire_service::{ErrorCode, Gateway, NewRoom, WebSocketConfig, WebSocketService, testing::TestClient};
use roomwire_state_memory::MemoryState;
use tokio::time::Instant;

use crate::fixture::{Log, Moment, Node, WatchedBus, WatchedStore, watched};

/// A node whose callers have all the time that `retryConfig` gives them, unless it is set otherwise.
async fn node(set: impl FnOnce(&mut WebSocketConfig)) -> (Node, TestClient) {
    let mut config = WebSocketConfig::default();
    config.state.timeout = Duration::from_secs(600);
    set(&mut config);
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    let client = node.server.connect().await.expect("connects");
    node.store.take_log();
    (node, client)
}

#[tokio::test(start_paused = true)]
async fn a_join_is_tried_once_and_repeated_as_often_as_attempts_says() {
    for attempts in [0, 1, 4] {
        let (node, client) = node(|config| {
            (config.retry_config.attempts, config.retry_config.timeout) = (attempts, Duration::from_secs(600));
        })
        .await;
        node.store.go_down();
        let refused = node.service.join_room(client.handle(), "r").await.expect_err("the store is away");
        assert_eq!(refused.code(), ErrorCode::StateUnavailable);
        assert_eq!(node.store.take_log(), vec!["join"; attempts as usize + 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_succeeds_when_the_store_is_back_in_time() {
    let (node, client) = node(|config| config.retry_config.timeout = Duration::from_secs(600)).await;
    (0..3).for_each(|_| node.store.fail(Moment::Before, "join"));
    node.service.join_room(client.handle(), "r").await.expect("the fourth try succeeds");
    assert_eq!(node.store.take_log(), ["join"; 4]);
}

#[tokio::test(start_paused = true)]
async fn pauses_begin_with_delay_and_grow_to_max_delay() {
    let (node, client) = node(|config| {
        let retry = &mut config.retry_config;
        (retry.attempts, retry.timeout) = (5, Duration::from_secs(600));
        (retry.delay, retry.max_delay) = (Duration::from_secs(1), Duration::from_secs(4));
    })
    .await;
    node.store.go_down();
    let began = Instant::now();
    node.service.join_room(client.handle(), "r").await.expect_err("the store is away");
    // 1 + 2 + 4 + 4 + 4 seconds; by chance the first two last longer, so that nodes do not return all at once.
    let (least, most) = (Duration::from_secs(15), Duration::from_secs(20));
    assert!((least..=most).contains(&began.elapsed()), "it took {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_never_takes_longer_than_the_shorter_of_both_timeouts() {
    for (retry, state, most) in [(3, 600, 3), (600, 3, 3), (1, 2, 1), (2, 1, 1)] {
        let (node, client) = node(|config| {
            (config.retry_config.attempts, config.retry_config.timeout) = (20, Duration::from_secs(retry));
            config.state.timeout = Duration::from_secs(state);
        })
        .await;
        let hold = node.store.hold(Moment::Before, "join");
        let began = Instant::now();
        let refused = node.service.join_room(client.handle(), "r").await.expect_err("the store hangs");
        assert_eq!((refused.code(), began.elapsed().as_secs()), (ErrorCode::StateUnavailable, most));
        drop(hold);

        node.store.go_down();
        let began = Instant::now();
        let refused = node.service.join_room(client.handle(), "r").await.expect_err("the store is away");
        assert_eq!(refused.code(), ErrorCode::StateUnavailable);
        assert!(began.elapsed() < Duration::from_secs(most), "a pause that leaves no time is not waited for");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_repeated() {
    let (node, client) = node(|config| config.retry_config.attempts = 3).await;
    node.service.create_room("r", NewRoom::with_capacity(0)).await.expect("created");
    node.store.take_log();
    let refused = node.service.join_room(client.handle(), "r").await.expect_err("no place");
    assert_eq!(refused.code(), ErrorCode::RoomFull);
    assert_eq!(node.store.take_log(), ["join"]);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_happen_twice_is_not_repeated() {
    let (node, _client) = node(|config| {
        // The pauses of three repeats may take longer than the default of 10 s.
        (config.retry_config.attempts, config.retry_config.timeout) = (3, Duration::from_secs(600));
    })
    .await;
    node.store.go_down();
    let refused = node.service.create_room("r", NewRoom::default()).await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    let refused = node.service.delete_room("r").await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    let log = node.store.take_log();
    assert_eq!(log.iter().filter(|call| **call == "create_room").count(), 1);
    // A deletion that is repeated is the same one.
    assert_eq!(log.iter().filter(|call| **call == "delete_room").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_its_backend_says_what_for_and_fails_with_the_reason_on_one_line() {
    let log = Log::capture();
    let state = Arc::new(MemoryState::new());
    let (store, bus) = (WatchedStore::new(state.clone()), WatchedBus::new(state));
    store.go_down();
    let builder = WebSocketService::builder(WebSocketConfig::default()).state_and_backplane(store, bus);
    let error = builder.build().await.expect_err("the store is away");
    let lines = log.take_lines();
    assert!(!lines.is_empty() && lines.len() <= 3, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with("WARN service cannot start yet, trying again error=")),
        "{lines:?}"
    );
    assert!(lines[0].contains("attempt=1 attempts=4 delay="), "{lines:?}");
    let printed = format!("{error:?}");
    assert!(printed.starts_with("STATE_UNAVAILABLE: Shared state cannot be reached"), "{printed}");
    assert!(!printed.contains('{') && printed.lines().count() == 1, "{printed}");
}
