//! What is refused because there may not be so much of it is counted under the key that says how much that is.

use std::time::Duration;

use roomwire_service::{Gateway, WebSocketConfig};

use crate::support::{Counters, Fixture, Http, Polling, WebSocket, config, eventually};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// What was counted for one limit.
fn limited(counters: &Counters, key: &str) -> u64 {
    counters.of(&format!("roomwire_limited_total({key})"))
}

async fn get(fixture: &Fixture, target: &str, headers: &str) -> u16 {
    let mut http = Http::connect(fixture.address).await;
    http.send("GET", target, headers, "").await;
    http.answer().await.expect("an answer").status
}

#[tokio::test]
async fn a_post_that_is_too_large_is_counted_and_so_is_an_event() {
    let counters = Counters::default();
    let _counting = counters.count();
    let mut config = config();
    config.limits.payload = 4096;
    let fixture = Fixture::new(config, Gateway::new()).await;
    let mut polling = Polling::connect(fixture.address).await;
    let event = |bytes: usize| format!(r#"42["e","{}"]"#, "x".repeat(bytes));
    assert_eq!(polling.post(&event(4096)).await.status, 200, "its answer says that it is too large");
    polling.poll().await;
    assert_eq!(limited(&counters, "payload"), 1);
    assert_eq!(polling.post(&event(2 * 4096)).await.status, 413);
    assert_eq!(limited(&counters, "payload"), 2);
}

#[tokio::test]
async fn heads_that_are_too_large_are_counted_in_both_kinds_of_server() {
    let many: String = (0..70).map(|number| format!("x-{number}: 1\r\n")).collect();
    for foreign in [false, true] {
        let counters = Counters::default();
        let _counting = counters.count();
        let fixture = if foreign {
            Fixture::foreign(config(), Gateway::new()).await
        } else {
            Fixture::new(config(), Gateway::new()).await
        };
        assert_eq!(get(&fixture, OPEN, &many).await, 431);
        eventually("it is counted", async || limited(&counters, "headers") == 1).await;
        assert_eq!(get(&fixture, "/socket.io/\x01", "").await, 400, "what is wrong in another way");
        assert_eq!(limited(&counters, "headers"), 1);
    }
}

/// Opens a session and says goodbye at once.
async fn come_and_go(fixture: &Fixture, headers: &str) -> u16 {
    let mut http = Http::connect(fixture.address).await;
    http.send("GET", OPEN, headers, "").await;
    let opened = http.answer().await.expect("an answer");
    if opened.status == 200 {
        let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
        let session = format!("{OPEN}&sid={}", open["sid"].as_str().expect("a session"));
        for packet in ["40", "1"] {
            assert_eq!(Http::once(fixture.address, "POST", &session, packet).await.status, 200);
        }
        fixture.empty().await;
    }
    opened.status
}

#[tokio::test]
async fn sessions_that_are_too_many_are_counted_by_what_they_are_too_many_for() {
    let counters = Counters::default();
    let _counting = counters.count();
    let mut config = WebSocketConfig { max_connections: 3, ..config() };
    config.limits.connections_per_address = Some(2);
    config.limits.reconnects_per_second = 1;
    config.limits.reconnect_burst = 1;
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let fixture = Fixture::new(config, Gateway::new()).await;
    let of = |address: &str| format!("x-forwarded-for: {address}\r\n");

    // An end is counted when the engine has forgotten the session, a moment later.
    eventually("it comes and goes too often", async || come_and_go(&fixture, &of("192.0.2.9")).await == 429).await;
    assert_eq!(limited(&counters, "reconnectsPerSecond"), 1);

    for (address, status, key, count) in [
        ("192.0.2.1", 200, "connectionsPerAddress", 0),
        ("192.0.2.1", 200, "connectionsPerAddress", 0),
        ("192.0.2.1", 503, "connectionsPerAddress", 1),
        ("192.0.2.2", 200, "maxConnections", 0),
        ("192.0.2.3", 503, "maxConnections", 1),
    ] {
        assert_eq!(get(&fixture, OPEN, &of(address)).await, status, "{address}");
        assert_eq!(limited(&counters, key), count, "{address}");
    }
}

#[tokio::test]
async fn what_does_not_come_in_time_is_counted() {
    let counters = Counters::default();
    let _counting = counters.count();
    let mut config = config();
    config.limits.handshake_timeout = Duration::from_millis(200);
    let fixture = Fixture::new(config, Gateway::new()).await;
    // A head, a body, and a session that left its last namespace.
    let mut silent = Http::connect(fixture.address).await;
    silent.write(b"GET /hello").await;
    silent.rest().await;
    eventually("the head is counted", async || limited(&counters, "handshakeTimeout") == 1).await;

    let polling = Polling::connect(fixture.address).await;
    let mut post = Http::connect(fixture.address).await;
    let head = format!("POST {OPEN}&sid={} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n4", polling.session);
    post.write(head.as_bytes()).await;
    assert!(post.rest().await.starts_with("HTTP/1.1 408 "));
    let after_the_body = limited(&counters, "handshakeTimeout");
    assert!(after_the_body >= 2, "{after_the_body}");

    let mut socket = WebSocket::connect(fixture.address).await;
    socket.send("41").await;
    socket.closed_by_server().await;
    eventually("the session is counted", async || limited(&counters, "handshakeTimeout") > after_the_body).await;
}
