//! A client that takes nothing for too long is gone, with the reason; one that reads slowly stays.

use std::time::{Duration, Instant};

use roomwire_service::{Client, ClientId, DisconnectReason, Error, Gateway, RoomId, WebSocketConfig, WebSocketService};
use tokio::io::AsyncReadExt;

use crate::support::{Departures, Fixture, Polling, WebSocket, config, connected_id, eventually};

const PATIENCE: Duration = Duration::from_secs(1);
const ROOM: &str = "room";
const MESSAGE: usize = 65_536;

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, ROOM).await
}

/// Of clients that may take nothing for so long, and for which much may wait.
async fn fixture(foreign: bool) -> (Fixture, Departures) {
    let (gateway, departures) = Departures::of(Gateway::new().on_connect(enter));
    let mut config: WebSocketConfig = config();
    config.limits.write_timeout = PATIENCE;
    config.limits.send_buffer_bytes = 64_000_000;
    config.max_connections = 1;
    // Not everybody here answers a ping.
    config.ping_timeout = Duration::from_secs(120);
    let fixture = if foreign { Fixture::foreign(config, gateway).await } else { Fixture::new(config, gateway).await };
    (fixture, departures)
}

/// The store has the membership a moment before the node delivers to it.
async fn is_in(fixture: &Fixture, client: &str) {
    let (client, room) = (ClientId::new(client).expect("valid"), RoomId::new(ROOM).expect("valid"));
    let is_in = async || fixture.service.local_client(&client).is_some_and(|client| client.is_in(&room));
    eventually("it is in", is_in).await;
}

async fn a_websocket_that_takes_nothing(foreign: bool) {
    let (fixture, mut departures) = fixture(foreign).await;
    let mut slow = WebSocket::open_narrow(fixture.address).await.joined().await;
    is_in(&fixture, &slow.id).await;
    let text = "x".repeat(MESSAGE);
    let began = Instant::now();
    // More than the system takes for it, less than may wait.
    for _ in 0..400 {
        fixture.service.broadcast_to_room(ROOM, "said", &text).await.expect("sent");
    }
    assert_eq!(departures.reason_of(&slow.id).await, DisconnectReason::SlowConsumer);
    assert!((PATIENCE..PATIENCE * 15).contains(&began.elapsed()), "after {:?}", began.elapsed());
    eventually("its place is free", async || WebSocket::ask(fixture.address, "").await.is_ok()).await;
    slow.closed_by_server().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_takes_nothing_is_gone_in_time() {
    a_websocket_that_takes_nothing(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_takes_nothing_is_gone_in_time_in_a_foreign_server_too() {
    a_websocket_that_takes_nothing(true).await;
}

async fn a_session_that_does_not_poll(foreign: bool) {
    let (fixture, mut departures) = fixture(foreign).await;
    let mut slow = Polling::connect(fixture.address).await;
    is_in(&fixture, &slow.id).await;
    let began = Instant::now();
    fixture.service.broadcast_to_room(ROOM, "said", &1).await.expect("sent");
    assert_eq!(departures.reason_of(&slow.id).await, DisconnectReason::SlowConsumer);
    assert!((PATIENCE..PATIENCE * 15).contains(&began.elapsed()), "after {:?}", began.elapsed());
    eventually("the session is over", async || slow.post("3").await.status == 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_leaves_one_message_where_it_is_is_gone_in_time() {
    a_session_that_does_not_poll(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_leaves_one_message_where_it_is_is_gone_in_time_in_a_foreign_server_too() {
    a_session_that_does_not_poll(true).await;
}

/// It begins its upgrade before it connects to a namespace: what it is sent is counted as written all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_moved_to_a_websocket_before_anything_else_stays_and_is_gone_when_it_stalls() {
    let (fixture, mut departures) = fixture(false).await;
    let polling = Polling::open(fixture.address).await;
    let mut socket = polling.upgraded(fixture.address).await;
    socket.send("40").await;
    let id = connected_id(&socket.message().await);
    is_in(&fixture, &id).await;
    let text = "x".repeat(MESSAGE);
    // More than may wait.
    for number in 0..1100 {
        fixture.service.broadcast_to_room(ROOM, "said", &(number, &text)).await.expect("sent");
        assert!(socket.message().await.starts_with(&format!(r#"42["said",[{number},"#)));
    }
    assert!(departures.is_empty());
    for _ in 0..400 {
        fixture.service.broadcast_to_room(ROOM, "said", &text).await.expect("sent");
    }
    assert_eq!(departures.next().await.reason, DisconnectReason::SlowConsumer);
    socket.closed_by_server().await;
}

/// Several times as long as it may take nothing, it takes a little at a time: too little for the system to call the
/// connection writable within that time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_reads_slowly_but_steadily_stays_and_gets_everything() {
    const MESSAGES: usize = 60;
    let (fixture, mut departures) = fixture(false).await;
    let socket = WebSocket::open_with_window(fixture.address, 65_536).await.joined().await;
    is_in(&fixture, &socket.id).await;
    let text = "x".repeat(MESSAGE);
    for number in 0..MESSAGES {
        fixture.service.broadcast_to_room(ROOM, "said", &(number, &text)).await.expect("sent");
    }
    let began = Instant::now();
    let mut stream = socket.into_stream();
    let mut buffer = vec![0; 16_384];
    let mut pace = tokio::time::interval(Duration::from_millis(25));
    let mut got = Vec::new();
    while got.iter().filter(|byte| **byte == b'x').count() < MESSAGES * MESSAGE {
        pace.tick().await;
        let read = stream.read(&mut buffer).await.expect("the connection stands");
        assert!(read > 0, "the connection was closed after {} bytes", got.len());
        got.extend_from_slice(&buffer[..read]);
    }
    let got = String::from_utf8_lossy(&got);
    let mut numbers = got.split(r#"42["said",["#).skip(1).map(|rest| rest.split(',').next());
    assert!((0..MESSAGES).all(|number| numbers.next().flatten() == Some(&*number.to_string())), "in order");
    assert!(began.elapsed() > PATIENCE * 4, "it read for {:?} only", began.elapsed());
    assert_eq!(departures.try_next(), None);
}
