//! The table of origins, on every kind of request. `docs/security.md` shows it.

use roomwire_service::{Gateway, WebSocketConfig};

use super::{OPEN, UPGRADE, ask};
use crate::support::{Fixture, Polling, config};

fn listing(origins: &[&str]) -> WebSocketConfig {
    WebSocketConfig { allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(), ..config() }
}

/// What a page of this origin gets: the statuses of opening a session, of sending to one and of a websocket.
async fn statuses(fixture: &Fixture, origins: &[&str]) -> [u16; 3] {
    let lines: String = origins.iter().map(|origin| format!("origin: {origin}\r\n")).collect();
    let polling = Polling::open(fixture.address).await;
    let target = format!("{OPEN}&sid={}", polling.session);
    let socket = "/socket.io/?EIO=4&transport=websocket";
    let mut all = Vec::new();
    for (method, target, headers, body) in [
        ("GET", OPEN, lines.clone(), ""),
        ("POST", target.as_str(), lines.clone(), "40"),
        ("GET", socket, format!("{lines}{UPGRADE}"), ""),
    ] {
        let answer = ask(fixture.address, method, target, &headers, body).await;
        if answer.status == 403 {
            assert!(
                answer.body.contains(r#""code":"FORBIDDEN""#) && answer.body.contains("allowedOrigins"),
                "{answer:?}"
            );
        }
        all.push(answer.status);
    }
    all.try_into().expect("three")
}

const IN: [u16; 3] = [200, 200, 101];
const OUT: [u16; 3] = [403, 403, 403];

#[tokio::test]
async fn the_table_of_origins_holds_for_polling_get_and_post_and_for_websockets() {
    let fixture = Fixture::new(listing(&["https://app.example.com", "capacitor://localhost"]), Gateway::new()).await;
    let own = format!("http://{}", fixture.address);
    let own_by_tls = format!("https://{}", fixture.address);
    for (origins, expected) in [
        (&[][..], IN),
        (&[own.as_str()], IN),
        (&[own_by_tls.as_str()], IN),
        (&["https://app.example.com"], IN),
        (&["capacitor://localhost"], IN),
        (&["https://evil.example"], OUT),
        (&["http://app.example.com"], OUT),
        (&["https://app.example.com:8443"], OUT),
        (&["https://sub.app.example.com"], OUT),
        (&["null"], OUT),
        (&["https://app.example.com/path"], OUT),
        (&["nonsense"], OUT),
        (&["https://app.example.com", "https://app.example.com"], OUT),
        (&["https://app.example.com", "https://evil.example"], OUT),
    ] {
        assert_eq!(statuses(&fixture, origins).await, expected, "{origins:?}");
    }
}

#[tokio::test]
async fn by_default_no_other_page_may_connect_and_with_a_star_every_page_may() {
    let by_default = Fixture::new(listing(&[]), Gateway::new()).await;
    assert_eq!(statuses(&by_default, &["https://app.example.com"]).await, OUT);
    assert_eq!(statuses(&by_default, &["null"]).await, OUT);
    assert_eq!(statuses(&by_default, &[]).await, IN);
    let open = Fixture::new(listing(&["*"]), Gateway::new()).await;
    for origin in ["https://app.example.com", "null", "file://"] {
        assert_eq!(statuses(&open, &[origin]).await, IN, "{origin}");
    }
    // In a server of the app's own it is the same.
    let foreign = Fixture::foreign(listing(&[]), Gateway::new()).await;
    assert_eq!(statuses(&foreign, &["https://app.example.com"]).await, OUT);
}

#[tokio::test]
async fn a_refused_origin_is_shown_escaped_and_cut() {
    let fixture = Fixture::new(config(), Gateway::new()).await;
    let long = format!("origin: https://\"{}\r\n", "x".repeat(1000));
    let answer = ask(fixture.address, "GET", OPEN, &long, "").await;
    assert!(answer.status == 403 && answer.body.len() < 1000, "{answer:?}");
    serde_json::from_str::<serde_json::Value>(&answer.body).expect("JSON");
}

#[tokio::test]
async fn the_text_of_a_refusal_says_what_to_add_to_the_configuration_or_to_the_proxy() {
    let fixture = Fixture::new(config(), Gateway::new()).await;
    let listed = ask(fixture.address, "GET", OPEN, "origin: https://app.example.com\r\n", "").await;
    assert!(listed.body.contains(r#"allowedOrigins = [\"https://app.example.com\"]"#), "{listed:?}");
    // nginx with `proxy_set_header Host $host` on port 8080.
    let mut http = crate::support::Http::connect(fixture.address).await;
    let request =
        format!("GET {OPEN} HTTP/1.1\r\nhost: chat.example.com\r\norigin: http://chat.example.com:8080\r\n\r\n");
    http.write(request.as_bytes()).await;
    let proxied = http.answer().await.expect("an answer");
    assert_eq!(proxied.status, 403);
    assert!(proxied.body.contains("proxy_set_header Host $http_host;"), "{proxied:?}");
    assert!(proxied.body.contains("Host: chat.example.com"), "{proxied:?}");
}
