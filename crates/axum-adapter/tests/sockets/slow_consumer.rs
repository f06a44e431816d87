//! A client that does not read harms no other client.

use std::time::{Duration, Instant};

use roomwire_service::{Client, DisconnectReason, Error, Gateway, WebSocketService};

use crate::support::{Departures, Fixture, Polling, WebSocket, config, eventually};

const ROOM: &str = "room";

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, ROOM).await
}

async fn fixture(foreign: bool) -> (Fixture, Departures) {
    let (gateway, departures) = Departures::of(Gateway::new().on_connect(enter));
    let mut config = config();
    config.limits.send_buffer = 64;
    config.max_connections = 2;
    let fixture = if foreign { Fixture::foreign(config, gateway).await } else { Fixture::new(config, gateway).await };
    (fixture, departures)
}

async fn members(fixture: &Fixture, expected: usize) {
    eventually("all are in the room", async || fixture.has_members(ROOM, expected).await).await;
}

fn said(number: usize) -> String {
    format!(r#"42["said",[{number},"{}"]]"#, "x".repeat(16_384))
}

/// Broadcasts, in step with `reader`, until a client departs.
async fn broadcast_until_departure(
    fixture: &Fixture,
    departures: &mut Departures,
    reader: &mut WebSocket,
) -> (usize, crate::support::Departure) {
    let filler = "x".repeat(16_384);
    for number in 0..100_000 {
        fixture.service.broadcast_to_room(ROOM, "said", &(number, &filler)).await.expect("sent");
        assert_eq!(reader.message().await, said(number));
        if fixture.service.local_client_count() == 1 {
            return (number, departures.next().await);
        }
    }
    panic!("no client was disconnected");
}

async fn a_websocket_that_does_not_read(foreign: bool) {
    let (fixture, mut departures) = fixture(foreign).await;
    let mut slow = WebSocket::open_narrow(fixture.address).await.joined().await;
    let mut reader = WebSocket::connect(fixture.address).await;
    members(&fixture, 2).await;

    let (last, departure) = broadcast_until_departure(&fixture, &mut departures, &mut reader).await;
    assert_eq!(departure.client.as_str(), slow.id);
    assert_eq!(departure.reason, DisconnectReason::SlowConsumer);
    assert_eq!(departure.rooms.len(), 1);
    members(&fixture, 1).await;

    // The server closed the connection though its writer could not finish: its place is free before anything is read.
    eventually("the connection is over", async || WebSocket::ask(fixture.address, "").await.is_ok()).await;
    // What came through before has no gap.
    let got = slow.rest().await;
    assert!(got.len() <= last + 1, "{} of {}", got.len(), last + 1);
    for (number, message) in got.iter().enumerate() {
        assert!(*message == said(number), "message {number} is another: {}", &message[..40]);
    }
    // A client that reads is served on.
    fixture.service.broadcast_to_room(ROOM, "said", &"after").await.expect("sent");
    assert_eq!(reader.message().await, r#"42["said","after"]"#);
    assert!(departures.is_empty());
    reader.close().await;
    fixture.empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_does_not_read_is_closed_after_a_gapless_prefix() {
    a_websocket_that_does_not_read(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_does_not_read_is_closed_in_a_foreign_server_too() {
    a_websocket_that_does_not_read(true).await;
}

async fn a_polling_client_that_does_not_poll(foreign: bool) {
    let (fixture, mut departures) = fixture(foreign).await;
    let mut slow = Polling::connect(fixture.address).await;
    let mut reader = WebSocket::connect(fixture.address).await;
    members(&fixture, 2).await;

    let (_, departure) = broadcast_until_departure(&fixture, &mut departures, &mut reader).await;
    assert_eq!(departure.client.as_str(), slow.id);
    assert_eq!(departure.reason, DisconnectReason::SlowConsumer);
    members(&fixture, 1).await;
    eventually("the session is over", async || slow.post("3").await.status == 400).await;
    assert!(departures.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_does_not_poll_is_disconnected() {
    a_polling_client_that_does_not_poll(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_does_not_poll_is_disconnected_in_a_foreign_server_too() {
    a_polling_client_that_does_not_poll(true).await;
}

/// Sends more than the network holds and less than may wait, so that only time tells.
async fn a_websocket_that_takes_nothing(foreign: bool) {
    let (gateway, mut departures) = Departures::of(Gateway::new().on_connect(enter));
    let mut config = config();
    config.limits.write_timeout = Duration::from_millis(500);
    config.limits.send_buffer_bytes = 100_000_000;
    config.limits.send_buffer = 65_536;
    let fixture = if foreign { Fixture::foreign(config, gateway).await } else { Fixture::new(config, gateway).await };
    let mut deaf = WebSocket::open_narrow(fixture.address).await.joined().await;
    let mut reader = WebSocket::connect(fixture.address).await;
    members(&fixture, 2).await;
    let filler = "x".repeat(1_000_000);
    let began = Instant::now();
    for number in 0..20 {
        fixture.service.broadcast_to_room(ROOM, "said", &(number, &filler)).await.expect("sent");
        assert!(reader.message().await.starts_with(&format!(r#"42["said",[{number},"#)));
    }
    assert_eq!(departures.reason_of(&deaf.id).await, DisconnectReason::SlowConsumer);
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_millis(500), "{elapsed:?}");
    members(&fixture, 1).await;
    deaf.closed_by_server().await;
    assert!(reader.ask_for(1, r#"["nothing"]"#).await.contains("UNKNOWN_EVENT"));
    assert!(departures.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_takes_nothing_is_given_up_in_time() {
    a_websocket_that_takes_nothing(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_takes_nothing_is_given_up_in_a_foreign_server_too() {
    a_websocket_that_takes_nothing(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_for_which_too_many_bytes_wait_is_disconnected_however_few_messages_they_are() {
    let (gateway, mut departures) = Departures::of(Gateway::new().on_connect(enter));
    let mut config = config();
    config.limits.send_buffer_bytes = 1_000_000;
    let fixture = Fixture::new(config, gateway).await;
    let socket = WebSocket::open_narrow(fixture.address).await.joined().await;
    let polling = Polling::connect(fixture.address).await;
    members(&fixture, 2).await;
    let filler = "x".repeat(400_000);
    let mut reasons = Vec::new();
    // A few more than fit into the network's own buffers.
    for _ in 0..30 {
        fixture.service.broadcast_to_room(ROOM, "said", &filler).await.expect("sent");
    }
    for _ in 0..2 {
        let departure = departures.next().await;
        reasons.push((departure.client.to_string(), departure.reason));
    }
    for session in [&socket.id, &polling.id] {
        assert!(reasons.contains(&(session.clone(), DisconnectReason::SlowConsumer)), "{reasons:?}");
    }
}

/// A client that reads slowly has all the time that it needs: what was written no longer waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_up_gets_far_more_than_the_send_buffer_over_both_transports() {
    let (gateway, mut departures) = Departures::of(Gateway::new().on_connect(enter));
    let mut config = config();
    config.limits.send_buffer_bytes = 100_000;
    let fixture = Fixture::new(config, gateway).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut polling = Polling::connect(fixture.address).await;
    members(&fixture, 2).await;
    let filler = "x".repeat(40_000);
    for number in 0..200 {
        fixture.service.broadcast_to_room(ROOM, "said", &(number, &filler)).await.expect("sent");
        let expected = format!(r#"42["said",[{number},"#);
        assert!(socket.message().await.starts_with(&expected));
        assert!(polling.poll().await[0].starts_with(&expected));
    }
    assert!(departures.is_empty());
}
