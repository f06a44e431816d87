//! A backend that can be reached and refuses something: it shows, and is not taken for an outage.

use std::time::Duration;

use roomwire_core::{BackplaneEvent, Refusal, StateError};
use roomwire_service::{ErrorCode, Gateway, Health, ServiceEvent, WebSocketConfig};
use roomwire_state_memory::MemoryState;
use tokio::time::sleep;

use crate::fixture::{Counters, Ledger, Log, Moment, watched};

fn refusal(what: &'static str, room: &str) -> Refusal {
    Refusal {
        what: what.into(),
        code: "NOPERM".to_owned(),
        meaning: "the user lacks a right",
        words: format!("NOPERM no permission (SPUBLISH {room})"),
    }
}

fn refusals(ledger: &Ledger) -> Vec<ServiceEvent> {
    ledger.events().into_iter().filter(|event| matches!(event, ServiceEvent::StateRefused { .. })).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_once_a_minute_for_each_kind_and_counted_each_time() {
    let (log, counters) = (Log::capture(), Counters::default());
    let _counting = counters.count();
    let node = watched(MemoryState::new(), WebSocketConfig::default(), Gateway::new()).await;
    let ledger = Ledger::of([node.service.clone()]);
    for second in 0..150 {
        // Many rooms are one kind.
        node.bus.say(BackplaneEvent::Refused(refusal("SPUBLISH", &format!("room-{second}"))));
        node.bus.say(BackplaneEvent::Refused(refusal("SSUBSCRIBE", "room")));
        sleep(Duration::from_secs(1)).await;
    }
    let lines = log.take_lines();
    let of = |what: &str| lines.iter().filter(|line| line.contains(&format!("what={what} "))).count();
    assert_eq!((lines.len(), of("SPUBLISH"), of("SSUBSCRIBE")), (6, 3, 3), "{lines:#?}");
    assert!(lines[0].starts_with("WARN shared state refused an operation: the user lacks a right"), "{}", lines[0]);
    assert!(lines[0].contains("NOPERM no permission (SPUBLISH room-0)"), "{}", lines[0]);
    let told = refusals(&ledger);
    assert_eq!(told.len(), 6);
    let first = ServiceEvent::StateRefused {
        what: "SPUBLISH".to_owned(),
        code: "NOPERM".to_owned(),
        words: "NOPERM no permission (SPUBLISH room-0)".to_owned(),
    };
    assert_eq!(told[0], first);
    assert_eq!(counters.of("roomwire_state_refused_total(NOPERM)"), 300);
}

#[tokio::test(start_paused = true)]
async fn health_says_in_words_what_is_refused_until_a_minute_has_passed_without_it() {
    let node = watched(MemoryState::new(), WebSocketConfig::default(), Gateway::new()).await;
    for _ in 0..3 {
        node.bus.say(BackplaneEvent::Refused(refusal("SPUBLISH", "secret-room")));
        sleep(Duration::from_secs(59)).await;
        let health: Health = node.service.health();
        assert!(!health.is_healthy() && health.state.available && health.backplane.available, "{health:?}");
        let refused = health.refused.clone().expect("is said");
        assert_eq!((&*refused.what, &*refused.code), ("SPUBLISH", "NOPERM"));
        assert_eq!(refused.reason, "the user lacks a right");
        let json = serde_json::to_string(&health).expect("serializes");
        assert!(!json.contains("secret-room"), "an endpoint shows no names: {json}");
    }
    sleep(Duration::from_secs(2)).await;
    assert!(node.service.health().is_healthy());
    assert!(!serde_json::to_string(&node.service.health()).expect("serializes").contains("refused"));
}

#[tokio::test]
async fn a_member_that_joins_again_stays_a_member_though_the_store_refuses_the_join() {
    let node = watched(MemoryState::new(), WebSocketConfig::default(), Gateway::new()).await;
    let client = node.server.connect().await.expect("connects");
    node.service.join_room(client.handle(), "r").await.expect("joins");
    for error in [StateError::Refused(refusal("script join", "r")), StateError::OutOfMemory] {
        node.store.fail_with(Moment::Before, "join", error);
        node.service.join_room(client.handle(), "r").await.expect("is a member");
    }
    node.store.fail_with(Moment::Before, "join", StateError::Refused(refusal("script join", "other")));
    let refused = node.service.join_room(client.handle(), "other").await.expect_err("no member");
    assert_eq!(refused.code(), ErrorCode::StateRefused);
    assert_eq!(client.handle().rooms(), ["r"]);
}
