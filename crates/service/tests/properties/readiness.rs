//! A node is not ready for new clients while it drains, and after a long outage; a short one changes nothing.

use std::{sync::Arc, time::Duration};

use roomwire_core::BackplaneEvent;
use roomwire_service::{NotReady, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use tokio::time::sleep;

use crate::fixture::{WatchedBus, WatchedStore};

const LIMIT: Duration = Duration::from_secs(60);

async fn service(outage_limit: Duration) -> (WebSocketService, Arc<WatchedStore>, Arc<WatchedBus>) {
    let state = Arc::new(MemoryState::new());
    let (store, bus) = (WatchedStore::new(state.clone()), WatchedBus::new(state));
    let mut config = WebSocketConfig::default();
    config.health.outage_limit = outage_limit;
    let builder = WebSocketService::builder(config).state_and_backplane(store.clone(), bus.clone());
    (builder.build().await.expect("builds"), store, bus)
}

fn codes(service: &WebSocketService) -> Vec<&'static str> {
    let readiness = service.readiness();
    assert_eq!(readiness.ready, readiness.reasons.is_empty());
    readiness.reasons.iter().map(NotReady::code).collect()
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_of_the_state_leaves_a_node_ready_and_a_long_one_does_not() {
    let (service, store, _bus) = service(LIMIT).await;
    assert_eq!(codes(&service), Vec::<&str>::new());
    store.go_down();
    sleep(LIMIT - Duration::from_secs(1)).await;
    assert!(!service.health().state.available);
    assert_eq!(codes(&service), Vec::<&str>::new());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(codes(&service), ["stateUnavailable"]);
    let json = serde_json::to_value(service.readiness()).expect("serializes");
    let message = json["reasons"][0]["message"].as_str().expect("text");
    assert!(message.starts_with("The shared state has been out of reach for 6"), "{message}");
    assert!(message.ends_with("longer than health.outageLimit (60 s)"), "{message}");
    assert_eq!((&json["ready"], &json["state"]["available"]), (&false.into(), &false.into()));
    store.come_back();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(codes(&service), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_not_heard_others_for_long_is_not_ready() {
    let (service, _store, bus) = service(LIMIT).await;
    bus.say(BackplaneEvent::Interrupted);
    sleep(LIMIT / 2).await;
    assert_eq!(codes(&service), Vec::<&str>::new());
    sleep(LIMIT).await;
    assert_eq!(codes(&service), ["backplaneUnavailable"]);
    bus.say(BackplaneEvent::Gap);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(codes(&service), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_ignores_outages() {
    let (service, store, _bus) = service(Duration::ZERO).await;
    store.go_down();
    sleep(LIMIT * 10).await;
    assert!(!service.health().state.available);
    assert_eq!(codes(&service), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_is_not_ready() {
    let (service, ..) = service(LIMIT).await;
    service.shutdown().await;
    assert_eq!(codes(&service), ["draining"]);
}
