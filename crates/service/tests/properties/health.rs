//! A store or a backplane that goes away and comes back: it shows, once each time.

use std::{sync::Arc, time::Duration};

use roomwire_core::{BackplaneEvent, Clock, Timestamp};
use roomwire_service::{Availability, ErrorCode, Gateway, Health, ServiceEvent, WebSocketConfig, WebSocketService};
use roomwire_state_memory::{ManualClock, MemoryHub, MemoryState};
use tokio::time::{Instant, sleep};

use crate::fixture::{Ledger, Log, Moment, Node, WatchedBus, WatchedStore, eventually, watched};

async fn node() -> Node {
    watched(MemoryState::new(), WebSocketConfig::default(), Gateway::new()).await
}

/// What was reported of the store and the backplane.
fn changes(ledger: &Ledger) -> Vec<ServiceEvent> {
    let is_change = |event: &ServiceEvent| {
        use ServiceEvent::*;
        matches!(event, StateUnavailable | StateRecovered | BackplaneInterrupted | BackplaneGap)
    };
    ledger.events().into_iter().filter(is_change).collect()
}

/// Long enough for many heartbeats.
async fn a_while() {
    sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn health_says_what_can_be_reached_and_since_when() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let state = Arc::new(MemoryHub::new().node());
    let (store, bus) = (WatchedStore::new(state.clone()), WatchedBus::new(state));
    let mut config = WebSocketConfig::default();
    config.lease.heartbeat = Duration::from_millis(10);
    let builder = WebSocketService::builder(config).state_and_backplane(store.clone(), bus.clone());
    let service = builder.clock(clock.clone()).build().await.expect("builds");
    let since_start = Availability { available: true, since: clock.now() };
    assert_eq!(service.health(), Health { state: since_start, backplane: since_start, refused: None, data_lost: None });
    assert!(service.health().is_healthy());

    clock.advance(Duration::from_secs(5));
    store.go_down();
    eventually("it is noticed", async || !service.health().is_healthy()).await;
    let away = Availability { available: false, since: clock.now() };
    assert_eq!(service.health(), Health { state: away, backplane: since_start, refused: None, data_lost: None });
    clock.advance(Duration::from_secs(2));
    bus.say(BackplaneEvent::Interrupted);
    eventually("it is noticed", async || !service.health().backplane.available).await;
    assert_eq!(
        serde_json::to_value(service.health()).expect("serializes"),
        serde_json::json!({
            "state": {"available": false, "since": "1970-01-01T00:00:05.000Z"},
            "backplane": {"available": false, "since": "1970-01-01T00:00:07.000Z"},
        })
    );
    clock.advance(Duration::from_secs(1));
    store.come_back();
    bus.say(BackplaneEvent::Gap);
    eventually("it is noticed", async || service.health().is_healthy()).await;
    let back = Availability { available: true, since: clock.now() };
    assert_eq!(service.health(), Health { state: back, backplane: back, refused: None, data_lost: None });
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_reported_once_and_logged_once_however_long_it_lasts() {
    let log = Log::capture();
    let node = node().await;
    let ledger = Ledger::of([node.service.clone()]);
    let client = node.server.connect().await.expect("connects");
    assert_eq!(log.take_lines(), Vec::<String>::new());
    for _ in 0..2 {
        node.store.go_down();
        for _ in 0..20 {
            a_while().await;
            let refused = node.service.join_room(client.handle(), "r").await.expect_err("the store is away");
            assert_eq!(refused.code(), ErrorCode::StateUnavailable);
        }
        assert_eq!(changes(&ledger).pop(), Some(ServiceEvent::StateUnavailable));
        let lines = log.take_lines();
        assert!(matches!(&lines[..], [line] if line.starts_with("WARN shared state cannot be reached")), "{lines:?}");
        node.store.come_back();
        a_while().await;
        assert_eq!(changes(&ledger).pop(), Some(ServiceEvent::StateRecovered));
        let lines = log.take_lines();
        assert!(matches!(&lines[..], [line] if line.starts_with("INFO shared state is back")), "{lines:?}");
    }
    assert_eq!(changes(&ledger).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_not_answered_has_the_outage_noticed_at_once() {
    for hangs in [false, true] {
        let node = node().await;
        let timeout = node.service.config().state.timeout;
        // Right after a heartbeat.
        sleep(Duration::from_millis(10)).await;
        if hangs {
            node.store.hang();
        } else {
            node.store.go_down();
        };
        let began = Instant::now();
        node.service.room("r").await.expect_err("is not answered");
        assert!(node.service.health().is_healthy(), "one answer that is missing proves nothing");
        eventually("it is noticed", async || !node.service.health().is_healthy()).await;
        let most = if hangs { 2 * timeout } else { Duration::ZERO } + Duration::from_millis(260);
        assert!(began.elapsed() <= most, "{hangs}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn one_operation_that_fails_while_the_lease_is_renewed_is_no_outage() {
    let node = node().await;
    let ledger = Ledger::of([node.service.clone()]);
    for _ in 0..50 {
        node.store.fail(Moment::Before, "room");
        node.service.room("r").await.expect_err("is not answered");
    }
    let before = node.store.heartbeats();
    a_while().await;
    assert!(node.service.health().is_healthy());
    assert_eq!(changes(&ledger), []);
    assert!(node.store.heartbeats() - before <= 35, "it is looked at once, not once for each");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_noticed_soon() {
    for hangs in [false, true] {
        let node = node().await;
        if hangs {
            node.store.hang();
        } else {
            node.store.go_down();
        };
        a_while().await;
        assert!(!node.service.health().is_healthy());
        node.store.come_back();
        let began = Instant::now();
        eventually("it is noticed", async || node.service.health().is_healthy()).await;
        let most =
            Duration::from_millis(450) + if hangs { node.service.config().state.timeout } else { Duration::ZERO };
        assert!(began.elapsed() <= most, "{hangs}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_empty_is_back_as_soon_as_it_was_told() {
    let node = node().await;
    let ledger = Ledger::of([node.service.clone()]);
    let client = node.server.connect().await.expect("connects");
    node.service.join_room(client.handle(), "r").await.expect("joins");
    node.store.go_down();
    a_while().await;
    node.store.replace(Arc::new(MemoryState::new()));
    node.store.come_back();
    let began = Instant::now();
    eventually("it is noticed", async || node.service.health().is_healthy()).await;
    assert!(began.elapsed() <= Duration::from_millis(450), "{:?}", began.elapsed());
    assert_eq!(node.service.room("r").await.expect("is back").clients, [client.id().clone()]);
    assert_eq!(changes(&ledger), [ServiceEvent::StateUnavailable, ServiceEvent::StateRecovered]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_backplane_is_reported_once_when_it_goes_and_once_when_it_is_back() {
    let log = Log::capture();
    let node = node().await;
    let ledger = Ledger::of([node.service.clone()]);
    for _ in 0..3 {
        node.bus.say(BackplaneEvent::Interrupted);
    }
    a_while().await;
    assert_eq!(changes(&ledger), [ServiceEvent::BackplaneInterrupted]);
    assert!(!node.service.health().backplane.available && node.service.health().state.available);
    node.bus.say(BackplaneEvent::Gap);
    a_while().await;
    assert_eq!(changes(&ledger), [ServiceEvent::BackplaneInterrupted, ServiceEvent::BackplaneGap]);
    assert!(node.service.health().is_healthy());
    let lines = log.take_lines();
    let [gone, back] = &lines[..] else { panic!("{lines:?}") };
    assert!(gone.starts_with("WARN other nodes cannot be reached"), "{gone}");
    assert!(back.starts_with("INFO other nodes are reached again"), "{back}");
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_was_over_when_it_was_noticed_is_reported_as_a_gap() {
    let log = Log::capture();
    let node = node().await;
    let ledger = Ledger::of([node.service.clone()]);
    node.bus.say(BackplaneEvent::Gap);
    a_while().await;
    assert_eq!(changes(&ledger), [ServiceEvent::BackplaneGap]);
    assert!(node.service.health().is_healthy());
    assert_eq!(log.take_lines(), ["WARN messages of other nodes may have been missed"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_has_the_lease_renewed_at_once() {
    let node = node().await;
    sleep(Duration::from_millis(300)).await;
    let before = node.store.heartbeats();
    let began = Instant::now();
    node.bus.say(BackplaneEvent::Gap);
    eventually("a heartbeat", async || node.store.heartbeats() > before).await;
    assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_backplane_that_ends_by_itself_is_away() {
    let state = Arc::new(MemoryState::new());
    let service =
        WebSocketService::builder(WebSocketConfig::default()).state_and_backplane(state.clone(), state.clone());
    let service = service.build().await.expect("builds");
    let ledger = Ledger::of([service.clone()]);
    roomwire_core::Backplane::close(&*state).await;
    eventually("it is noticed", async || !service.health().backplane.available).await;
    a_while().await;
    assert_eq!(changes(&ledger), [ServiceEvent::BackplaneInterrupted]);
}
