//! One test for each key or group of keys.

use std::time::Duration;

use roomwire_service::WebSocketService;
use roomwire_state_memory::MemoryHub;

use super::{change, fixture, gateway};
use crate::support::{Fixture, Http, Log, WebSocket, config, within};

/// The keys of this file.
pub(super) const TESTED: [&str; 24] = [
    "pingInterval",
    "pingTimeout",
    "maxConnections",
    "allowedOrigins",
    "trustedProxies",
    "limits.payload",
    "limits.attachments",
    "limits.depth",
    "limits.eventName",
    "limits.roomName",
    "limits.roomsPerClient",
    "limits.metadata",
    "limits.eventsPerSecond",
    "limits.eventBurst",
    "limits.bytesPerSecond",
    "limits.byteBurst",
    "limits.connectionsPerAddress",
    "limits.reconnectsPerSecond",
    "limits.reconnectBurst",
    "limits.headers",
    "limits.headerBytes",
    "limits.handshakeTimeout",
    "drain.delay",
    "drain.spread",
];

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn new_sessions_are_told_the_heartbeat_and_the_size_of_messages() {
    let fixture = fixture(|_| {}).await;
    let mut before = WebSocket::connect(fixture.address).await;
    change(&fixture.service, "pingInterval", |config| config.ping_interval = Duration::from_millis(12_345)).await;
    change(&fixture.service, "pingTimeout", |config| config.ping_timeout = Duration::from_millis(5432)).await;
    change(&fixture.service, "limits.payload", |config| config.limits.payload = 1024).await;
    let open = Http::once(fixture.address, "GET", OPEN, "").await.body;
    assert!(open.contains(r#""pingInterval":12345,"pingTimeout":5432,"maxPayload":"#), "{open}");

    let large = format!(r#"["echo","{}"]"#, "x".repeat(1100));
    let refused = WebSocket::connect(fixture.address).await.ask_for(1, &large).await;
    assert!(refused.contains("PAYLOAD_TOO_LARGE"), "{refused}");
    let echoed = before.ask_for(1, &large).await;
    assert!(echoed.contains("xxx"), "a client that was told another size keeps it: {echoed}");
}

#[tokio::test]
async fn more_and_fewer_clients_may_be_connected_and_none_is_disconnected() {
    let fixture = fixture(|config| config.max_connections = 1).await;
    let ask = async || WebSocket::ask(fixture.address, "").await.map_err(|(status, _)| status);
    let mut first = WebSocket::connect(fixture.address).await;
    assert_eq!(ask().await.expect_err("refused"), 503);
    change(&fixture.service, "maxConnections", |config| config.max_connections = 2).await;
    let second = ask().await.expect("there is room");
    change(&fixture.service, "maxConnections", |config| config.max_connections = 1).await;
    assert_eq!(first.ask_for(1, r#"["echo",7]"#).await, "[7]");
    drop(second);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask().await.expect_err("one is connected"), 503);
}

#[tokio::test]
async fn another_origin_may_connect() {
    let fixture = fixture(|_| {}).await;
    let ask = async || {
        let mut http = Http::connect(fixture.address).await;
        http.send("GET", OPEN, "origin: https://app.example.com\r\n", "").await;
        http.answer().await.expect("an answer").status
    };
    assert_eq!(ask().await, 403);
    let origin = vec!["https://app.example.com".to_owned()];
    change(&fixture.service, "allowedOrigins", |config| config.allowed_origins = origin).await;
    assert_eq!(ask().await, 200);
    change(&fixture.service, "allowedOrigins", |config| config.allowed_origins.clear()).await;
    assert_eq!(ask().await, 403);
}

#[tokio::test]
async fn the_limits_of_an_address_and_the_proxies_that_tell_it() {
    let fixture = fixture(|config| config.limits.connections_per_address = Some(1)).await;
    let ask = async |forwarded: u8| {
        let line = format!("x-forwarded-for: 192.0.2.{forwarded}\r\n");
        WebSocket::ask_with(fixture.address, &line).await.map_err(|(status, _)| status)
    };
    let _first = WebSocket::ask(fixture.address, "").await.expect("the first of its address");
    assert_eq!(WebSocket::ask(fixture.address, "").await.expect_err("the same peer").0, 503);
    change(&fixture.service, "trustedProxies", |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let _second = ask(2).await.expect("another address");
    assert_eq!(ask(2).await.expect_err("it has one"), 503);
    change(&fixture.service, "limits.connectionsPerAddress", |config| {
        config.limits.connections_per_address = Some(2);
    })
    .await;
    let _third = ask(2).await.expect("it may have two");
}

#[tokio::test]
async fn the_rate_of_short_connections() {
    let fixture = fixture(|_| {}).await;
    let short = async || match WebSocket::ask(fixture.address, "").await {
        Ok(socket) => {
            socket.close().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            101
        }
        Err((status, _)) => status,
    };
    assert_eq!([short().await, short().await, short().await], [101; 3]);
    change(&fixture.service, "limits.reconnectsPerSecond", |config| config.limits.reconnects_per_second = 1).await;
    assert_eq!([short().await, short().await], [101; 2], "of the burst");
    change(&fixture.service, "limits.reconnectBurst", |config| config.limits.reconnect_burst = 1).await;
    assert!([short().await, short().await].contains(&429));
}

#[tokio::test]
async fn what_clients_may_send_also_those_that_are_connected() {
    let fixture = fixture(|_| {}).await;
    let (service, mut client) = (&fixture.service, WebSocket::connect(fixture.address).await);
    let mut ask = async |event: &str| client.ask_for(1, event).await;

    assert_eq!(ask(r#"["echo",[[[1]]]]"#).await, "[[[[1]]]]");
    change(service, "limits.depth", |config| config.limits.depth = 2).await;
    assert!(ask(r#"["echo",[[[1]]]]"#).await.contains("INVALID_PAYLOAD"));
    change(service, "limits.depth", |config| config.limits.depth = 32).await;

    assert_eq!(ask(r#"["join","room-1"]"#).await, r#"["joined"]"#);
    change(service, "limits.roomName", |config| config.limits.room_name = 5).await;
    assert!(ask(r#"["join","room-2"]"#).await.contains("INVALID_NAME"));
    change(service, "limits.roomsPerClient", |config| config.limits.rooms_per_client = 1).await;
    assert!(ask(r#"["join","r"]"#).await.contains("LIMIT_EXCEEDED"));

    let note = r#"["note",{"mood":"a long one"}]"#;
    assert_eq!(ask(note).await, r#"["noted"]"#);
    change(service, "limits.metadata", |config| config.limits.metadata = 5).await;
    assert!(ask(note).await.contains("LIMIT_EXCEEDED"));

    change(service, "limits.eventName", |config| config.limits.event_name = 3).await;
    assert!(ask(r#"["echo",1]"#).await.contains("INVALID_NAME"));
}

#[tokio::test]
async fn the_number_of_attachments() {
    let fixture = fixture(|_| {}).await;
    let mut client = WebSocket::connect(fixture.address).await;
    change(&fixture.service, "limits.attachments", |config| config.limits.attachments = 0).await;
    client.send(r#"451-1["echo",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[7]).await;
    assert!(client.message().await.contains("LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn the_rates_of_clients_that_connect_from_now_on() {
    let fixture = fixture(|config| {
        (config.limits.events_per_second, config.limits.event_burst) = (1, 100);
        (config.limits.bytes_per_second, config.limits.byte_burst) = (1024, 1_000_000);
    })
    .await;
    let service = &fixture.service;
    // Two events in a row of a new client: the second answer.
    let second = async |bytes: usize| {
        let mut client = WebSocket::connect(fixture.address).await;
        let event = format!(r#"["echo","{}"]"#, "x".repeat(bytes));
        client.ask_for(1, &event).await;
        client.ask_for(2, &event).await
    };
    let wait = |answer: &str| -> u64 {
        let (_, after) = answer.split_once(r#""retryAfterMs":"#).unwrap_or_else(|| panic!("not refused: {answer}"));
        after.split(|next: char| !next.is_ascii_digit()).next().expect("a number").parse().expect("a number")
    };
    let mut before = WebSocket::connect(fixture.address).await;
    assert!(!second(2000).await.contains("RATE_LIMITED"));
    change(service, "limits.byteBurst", |config| config.limits.byte_burst = 2100).await;
    assert!(wait(&second(2000).await) > 1000);
    change(service, "limits.bytesPerSecond", |config| config.limits.bytes_per_second = 10_240).await;
    assert!(wait(&second(2000).await) < 1000);
    change(service, "limits.eventBurst", |config| config.limits.event_burst = 1).await;
    assert!(wait(&second(1).await) > 500);
    change(service, "limits.eventsPerSecond", |config| config.limits.events_per_second = 10).await;
    assert!(wait(&second(1).await) <= 100);
    for ack in 1..20 {
        assert_eq!(before.ask_for(ack, r#"["echo",1]"#).await, "[1]", "a connected client keeps its burst");
    }
}

#[tokio::test]
async fn the_heads_of_requests_and_the_time_for_them() {
    let fixture = fixture(|_| {}).await;
    let ask = async |headers: &str| {
        let mut http = Http::connect(fixture.address).await;
        http.send("GET", OPEN, headers, "").await;
        http.answer().await.expect("an answer").status
    };
    let (many, long) = ("x: 1\r\n".repeat(20), format!("x: {}\r\n", "1".repeat(9000)));
    assert_eq!((ask(&many).await, ask(&long).await), (200, 200));
    change(&fixture.service, "limits.headers", |config| config.limits.headers = 8).await;
    change(&fixture.service, "limits.headerBytes", |config| config.limits.header_bytes = 8192).await;
    assert_eq!((ask(&many).await, ask(&long).await), (431, 431));

    change(&fixture.service, "limits.handshakeTimeout", |config| {
        config.limits.handshake_timeout = Duration::from_millis(100);
    })
    .await;
    let mut slow = Http::connect(fixture.address).await;
    slow.write(b"GET / HTTP/1.1\r\n").await;
    within("it is closed long before ten seconds", tokio::time::timeout(Duration::from_secs(5), slow.rest()))
        .await
        .expect("closed");
}

#[tokio::test]
async fn the_pace_of_a_drain() {
    let hub = MemoryHub::new();
    let mut config = config();
    (config.drain.timeout, config.drain.delay) = (Duration::from_secs(600), Duration::from_secs(300));
    let _other = WebSocketService::builder(config.clone()).state(hub.node()).build().await.expect("builds");
    let service = WebSocketService::builder(config).state(hub.node()).build().await.expect("builds");
    let mut fixture = Fixture::of(service.clone(), gateway()).await;
    change(&service, "drain.delay", |config| config.drain.delay = Duration::ZERO).await;
    change(&service, "drain.spread", |config| config.drain.spread = Duration::from_millis(123)).await;
    let log = Log::capture();
    fixture.tell_to_stop();
    fixture.ended().await;
    assert_eq!(log.lines_with(&["clients are asked to go", "spread=123ms"]), 1, "{}", log.text());
}
