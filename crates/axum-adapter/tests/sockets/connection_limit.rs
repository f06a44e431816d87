//! How many TCP connections there may be: enough for the app's own routes whatever sockets do, and some for each
//! address.

use roomwire_service::{Gateway, WebSocketConfig};
use tokio::net::TcpStream;

use crate::support::{Counters, Fixture, Http, Log, WebSocket, allow_many_files, config, eventually};

async fn is_served(http: &mut Http) -> bool {
    http.send("GET", "/hello", "", "").await;
    http.answer().await.is_some_and(|answer| answer.status == 200)
}

#[tokio::test]
async fn the_apps_own_routes_are_served_when_an_address_has_all_sessions_that_it_may_have() {
    let mut config = config();
    config.limits.connections_per_address = Some(3);
    let fixture = Fixture::new(config, Gateway::new()).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(WebSocket::connect(fixture.address).await);
    }
    let (status, text) = WebSocket::ask(fixture.address, "").await.expect_err("refused");
    assert!(status == 503 && text.contains("limits.connectionsPerAddress"), "{status} {text}");
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(Http::connect(fixture.address).await);
        assert!(is_served(held.last_mut().expect("pushed")).await);
    }
    for session in &mut sessions {
        assert!(session.ask_for(1, r#"["unknown"]"#).await.contains("UNKNOWN_EVENT"), "sessions go on");
    }
    sessions.pop().expect("one of them").close().await;
    eventually("its place is free", async || WebSocket::ask(fixture.address, "").await.is_ok()).await;
}

/// 514 of 1026: two for the one client that may be connected, and half of the spare ones.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_never_has_all_connections_and_a_trusted_proxy_may() {
    allow_many_files();
    let (log, counters) = (Log::capture(), Counters::default());
    let _counting = counters.count();
    let trusted_proxies = vec!["127.0.0.3/32".parse().expect("a network")];
    let fixture =
        Fixture::new(WebSocketConfig { max_connections: 1, trusted_proxies, ..config() }, Gateway::new()).await;
    let mut held = Vec::new();
    for _ in 0..514 {
        held.push(Http::connect_from("127.0.0.2", fixture.address).await);
    }
    for _ in 0..3 {
        let answer = Http::connect_from("127.0.0.2", fixture.address).await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""code":"MAX_CONNECTIONS""#), "{answer}");
        assert!(answer.contains("access-control-allow-origin: *\r\n"), "a page can read it: {answer}");
    }
    assert_eq!(log.lines_with(&["WARN", r#"cause="connections of an address""#, "127.0.0.2"]), 1, "{}", log.text());
    assert_eq!(counters.of("roomwire_connections_refused_total(address)"), 3);
    assert_eq!(counters.of("roomwire_limited_total(maxConnections)"), 3);
    let mut proxied = Vec::new();
    for _ in 0..512 {
        proxied.push(Http::connect_from("127.0.0.3", fixture.address).await);
    }
    assert!(is_served(proxied.last_mut().expect("pushed")).await);
}

/// Two for each client, and 1024.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_all_connections_the_response_is_503_without_a_request_being_read() {
    allow_many_files();
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let fixture =
        Fixture::new(WebSocketConfig { max_connections: 1, trusted_proxies, ..config() }, Gateway::new()).await;
    let mut held = Vec::new();
    for _ in 0..1026 {
        held.push(TcpStream::connect(fixture.address).await.expect("connects"));
    }
    let mut refused = Http::connect(fixture.address).await;
    let answer = refused.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""code":"MAX_CONNECTIONS""#), "{answer}");
    held.pop();
    eventually("one is free", async || is_served(&mut Http::connect(fixture.address).await).await).await;
}
