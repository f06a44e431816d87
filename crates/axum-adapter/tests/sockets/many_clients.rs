//! Many honest clients behind one address, on defaults.

use roomwire_service::{Gateway, WebSocketConfig};
use tokio::task::JoinSet;

use crate::support::{Fixture, Http, Log, Polling, WebSocket, allow_many_files, defaults};

/// Clients of one address that connect at once and stay, with these header lines.
async fn connect(fixture: &Fixture, clients: usize, lines: &'static str) -> Vec<WebSocket> {
    let (mut connecting, address) = (JoinSet::new(), fixture.address);
    for _ in 0..clients {
        connecting.spawn(async move {
            let socket = WebSocket::ask_with(address, lines).await.unwrap_or_else(|refused| panic!("{refused:?}"));
            socket.opened().await.joined().await
        });
    }
    connecting.join_all().await
}

#[tokio::test]
async fn four_hundred_clients_of_one_address_connect_and_its_requests_to_the_app_are_served() {
    allow_many_files();
    let log = Log::capture();
    let fixture = Fixture::new(defaults(), Gateway::new()).await;
    let clients = connect(&fixture, 400, "").await;
    fixture.holds(400).await;
    for _ in 0..50 {
        assert_eq!(Http::once(fixture.address, "GET", "/hello", "").await.status, 200);
    }
    assert_eq!(log.lines_with(&["WARN"]), 0, "{}", log.text());
    assert_eq!(clients.len(), 400);
}

#[tokio::test]
async fn clients_behind_a_proxy_on_this_machine_that_is_not_trusted_connect_and_the_proxy_is_named_once() {
    allow_many_files();
    let log = Log::capture();
    // Fewer clients than by default, so that a limit by address would refuse most of them.
    let fixture = Fixture::new(WebSocketConfig { max_connections: 310, ..defaults() }, Gateway::new()).await;
    let clients = connect(&fixture, 300, "x-forwarded-for: 203.0.113.7\r\n").await;
    fixture.holds(300).await;
    for _ in 0..50 {
        assert_eq!(Http::once(fixture.address, "GET", "/hello", "").await.status, 200);
    }
    assert_eq!(log.lines_with(&["WARN"]), 1, "{}", log.text());
    assert_eq!(log.lines_with(&["WARN", r#"trustedProxies = ["127.0.0.1"]"#]), 1, "{}", log.text());
    assert_eq!(clients.len(), 300);
}

#[tokio::test]
async fn a_page_that_is_reloaded_and_a_component_that_is_mounted_twice_are_never_refused() {
    let log = Log::capture();
    let fixture = Fixture::new(defaults(), Gateway::new()).await;
    for _ in 0..20 {
        // A reload: the old session goes as the new one comes.
        let old = WebSocket::connect(fixture.address).await;
        let polling = Polling::connect(fixture.address).await;
        old.reset();
        drop(polling);
        // React's StrictMode: connect, disconnect, connect.
        WebSocket::open(fixture.address).await.close().await;
        WebSocket::connect(fixture.address).await.close().await;
    }
    let mut tabs = connect(&fixture, 12, "").await;
    for tab in tabs.drain(..6) {
        tab.close().await;
    }
    for tab in &mut tabs {
        assert!(tab.ask_for(1, r#"["unknown"]"#).await.contains("UNKNOWN_EVENT"));
    }
    assert_eq!(log.lines_with(&["WARN"]), 0, "{}", log.text());
}
