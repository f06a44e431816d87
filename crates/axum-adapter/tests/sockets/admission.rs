//! A client is admitted before it is told so, or it is not, and nothing is left of it.

use std::sync::atomic::Ordering;

use roomwire_service::{Client, DisconnectReason, Error, Gateway, WebSocketService};

use crate::support::{Departures, Fixture, GatedStore, Polling, WebSocket, config, eventually};

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "room").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_that_drop_while_they_are_admitted_leave_nothing_behind() {
    let store = GatedStore::new();
    let (gateway, mut departures) = Departures::of(Gateway::new().on_connect(enter));
    let fixture = Fixture::with_store(config(), gateway, store.clone()).await;
    for round in 0..200 {
        let mut client = WebSocket::open(fixture.address).await;
        client.send("40").await;
        eventually("the client is at the gate", async || store.arrived() == round + 1).await;
        // Some are let in before their end is noticed, some at about the same time, some after.
        match round % 4 {
            0 => {
                store.let_in(1);
                client.reset();
            }
            1 => {
                client.reset();
                store.let_in(1);
            }
            2 => {
                client.close().await;
                store.let_in(1);
            }
            _ => {
                client.send("41").await;
                store.let_in(1);
                client.close().await;
            }
        }
    }
    fixture.empty().await;
    assert_eq!(fixture.service.member_count("room").await.expect("counts"), 0);
    // No client is waited for, and each active one departed once.
    let mut departed = std::collections::HashSet::new();
    assert_eq!(fixture.service.shutdown().await, 0);
    while let Some(departure) = departures.try_next() {
        assert!(departed.insert(departure.client), "departed twice");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_client_that_cannot_be_registered_gets_the_reason_and_can_retry() {
    let store = GatedStore::new();
    store.let_in(1000);
    store.fails.store(true, Ordering::Release);
    let (gateway, mut departures) = Departures::of(Gateway::new());
    let mut config = config();
    config.retry_config.attempts = 0;
    let fixture = Fixture::with_store(config, gateway, store.clone()).await;
    let mut socket = WebSocket::open(fixture.address).await;
    socket.send("40").await;
    let refused = socket.message().await;
    assert!(refused.starts_with("44{") && refused.contains(r#""code":"STATE_UNAVAILABLE""#), "{refused}");
    let mut polling = Polling::open(fixture.address).await;
    polling.post("40").await;
    let refused = polling.poll().await;
    assert!(refused[0].starts_with("44{") && refused[0].contains(r#""code":"STATE_UNAVAILABLE""#), "{refused:?}");
    fixture.empty().await;
    assert!(departures.is_empty());

    store.fails.store(false, Ordering::Release);
    let socket = socket.joined().await;
    fixture.holds(1).await;
    socket.close().await;
    fixture.empty().await;
}

#[tokio::test]
async fn a_second_connect_to_a_namespace_ends_the_session_as_in_the_reference_server() {
    let (gateway, mut departures) = Departures::of(Gateway::new());
    let fixture = Fixture::new(config(), gateway).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    socket.send("40{}").await;
    assert_eq!(departures.reason_of(&socket.id.clone()).await, DisconnectReason::ProtocolError);
    socket.closed_by_server().await;
    fixture.empty().await;
}

#[tokio::test]
async fn a_connect_that_is_repeated_before_it_was_answered_is_answered_once_and_leaves_nothing_behind() {
    const TIMES: usize = 5;
    let store = GatedStore::new();
    let (gateway, mut departures) = Departures::of(Gateway::new().on_connect(enter));
    let fixture = Fixture::with_store(config(), gateway, store.clone()).await;
    let mut socket = WebSocket::open(fixture.address).await;
    for time in 1..=TIMES {
        socket.send("40").await;
        eventually("the client is at the gate", async || store.arrived() == time).await;
    }
    store.let_in(TIMES);
    let connected = socket.message().await;
    assert!(connected.starts_with("40{"), "{connected}");
    socket.send(r#"421["unknown"]"#).await;
    let answer = socket.message().await;
    assert!(answer.starts_with("431["), "one CONNECT alone is answered: {answer}");
    fixture.holds(1).await;
    eventually("it is in the room", async || fixture.service.member_count("room").await.expect("counts") == 1).await;
    assert!(departures.is_empty(), "the others were never active");
    socket.close().await;
    fixture.empty().await;
}

#[tokio::test]
async fn a_client_that_left_a_namespace_may_come_back_on_the_same_connection() {
    let (gateway, mut departures) = Departures::of(Gateway::new().on_connect(enter));
    let fixture = Fixture::new(config(), gateway).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    for _ in 0..20 {
        socket.send("41").await;
        departures.reason_of(&socket.id.clone()).await;
        socket = socket.joined().await;
    }
    eventually("it is in the room", async || fixture.service.member_count("room").await.expect("counts") == 1).await;
    socket.close().await;
    fixture.empty().await;
}
