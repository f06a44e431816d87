//! CORS: a page of an allowed origin can read every response, and any page can read why it is refused.

use std::time::Duration;

use roomwire_service::{Gateway, WebSocketConfig};

use super::{OPEN, ask_with_head};
use crate::support::{Fixture, Http, Polling, WebSocket, config, eventually};

const PAGE: &str = "origin: https://app.example.com\r\n";
const FOREIGN: &str = "origin: https://evil.example\r\n";

fn listing() -> WebSocketConfig {
    WebSocketConfig { allowed_origins: vec!["https://app.example.com".to_owned()], ..config() }
}

#[track_caller]
fn is_readable(head: &str) {
    assert!(head.contains("access-control-allow-origin: https://app.example.com\r\n"), "{head}");
    assert!(head.contains("access-control-allow-credentials: true\r\n"), "{head}");
    assert!(head.contains("access-control-expose-headers: retry-after"), "{head}");
    assert!(head.contains("vary: origin"), "{head}");
}

async fn status(fixture: &Fixture, method: &str, target: &str, lines: &str, body: &str) -> u16 {
    let (head, answer) = ask_with_head(fixture.address, method, target, &format!("{PAGE}{lines}"), body).await;
    is_readable(&head);
    answer.status
}

#[tokio::test]
async fn an_allowed_page_can_read_every_response() {
    let mut config = listing();
    config.limits.payload = 4096;
    config.limits.handshake_timeout = Duration::from_millis(300);
    let fixture = Fixture::new(config, Gateway::new()).await;
    assert_eq!(status(&fixture, "GET", OPEN, "", "").await, 200);
    assert_eq!(status(&fixture, "GET", "/socket.io/?EIO=3&transport=polling", "", "").await, 400);
    for method in ["GET", "POST"] {
        let unknown = format!("{OPEN}&sid=AAAAAAAAAAAAAAAA");
        assert_eq!(status(&fixture, method, &unknown, "", "").await, 400, "an unknown session");
    }
    let many: String = (0..70).map(|number| format!("x-{number}: 1\r\n")).collect();
    let foreign = Fixture::foreign(listing(), Gateway::new()).await;
    assert_eq!(status(&foreign, "GET", OPEN, &many, "").await, 431);

    let polling = Polling::connect(fixture.address).await;
    let session = format!("{OPEN}&sid={}", polling.session);
    let mut post = Http::connect(fixture.address).await;
    let head = format!("POST {session} HTTP/1.1\r\nhost: a\r\n{PAGE}content-length: 9\r\n\r\n4");
    post.write(head.as_bytes()).await;
    let (head, answer) = post.answer_with_head().await.expect("an answer");
    assert_eq!(answer.status, 408);
    is_readable(&head.to_ascii_lowercase());

    let polling = Polling::connect(fixture.address).await;
    let session = format!("{OPEN}&sid={}", polling.session);
    let large = format!(r#"42["e","{}"]"#, "x".repeat(10_000));
    assert_eq!(status(&fixture, "POST", &session, "", &large).await, 413);
}

#[tokio::test]
async fn an_allowed_page_can_read_that_it_comes_too_often_and_when_to_come_again() {
    let mut config = listing();
    config.limits.reconnects_per_second = 1;
    config.limits.reconnect_burst = 1;
    let fixture = Fixture::new(config, Gateway::new()).await;
    eventually("it reconnects too often", async || match WebSocket::ask(fixture.address, "").await {
        Ok(socket) => {
            socket.close().await;
            false
        }
        Err((status, _)) => status == 429,
    })
    .await;
    let (head, answer) = ask_with_head(fixture.address, "GET", OPEN, PAGE, "").await;
    assert!(answer.status == 429 && head.contains("retry-after: 1\r\n"), "{head}");
    is_readable(&head);
}

#[tokio::test]
async fn an_allowed_page_can_read_that_the_server_is_full_stopping_or_switched_off() {
    let fixture = Fixture::new(WebSocketConfig { max_connections: 1, ..listing() }, Gateway::new()).await;
    let _held = WebSocket::connect(fixture.address).await;
    assert_eq!(status(&fixture, "GET", OPEN, "", "").await, 503);

    let off = Fixture::new(WebSocketConfig { enabled: false, ..listing() }, Gateway::new()).await;
    assert_eq!(status(&off, "GET", OPEN, "", "").await, 503);
    let (head, answer) = ask_with_head(off.address, "GET", OPEN, FOREIGN, "").await;
    assert!(answer.status == 503 && answer.body.contains("enabled: false"), "{answer:?}");
    assert!(head.contains("access-control-allow-origin: *\r\n"), "{head}");

    let stopping = Fixture::foreign(listing(), Gateway::new()).await;
    stopping.service.shutdown().await;
    assert_eq!(status(&stopping, "GET", OPEN, "", "").await, 503);
}

#[tokio::test]
async fn a_refused_page_can_read_why_and_gets_no_credentials() {
    let fixture = Fixture::new(listing(), Gateway::new()).await;
    let own = Polling::connect(fixture.address).await;
    for (method, target) in [("GET", OPEN.to_owned()), ("POST", format!("{OPEN}&sid={}", own.session))] {
        let (head, answer) = ask_with_head(fixture.address, method, &target, FOREIGN, "").await;
        assert!(answer.status == 403 && answer.body.contains("allowedOrigins"), "{answer:?}");
        assert!(head.contains("access-control-allow-origin: *\r\n"), "{head}");
        assert!(!head.contains("access-control-allow-credentials"), "{head}");
    }
}

#[tokio::test]
async fn a_page_may_send_headers_and_one_without_an_origin_gets_no_cors_headers() {
    let fixture = Fixture::new(listing(), Gateway::new()).await;
    let asking =
        "access-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type\r\n";
    for (page, credentials) in [(PAGE, true), (FOREIGN, false)] {
        let (head, answer) = ask_with_head(fixture.address, "OPTIONS", OPEN, &format!("{page}{asking}"), "").await;
        assert_eq!(answer.status, 204, "{head}");
        for line in
            ["access-control-allow-methods: get,post", "access-control-allow-headers: authorization,content-type"]
        {
            assert!(head.contains(line), "{line}: {head}");
        }
        assert_eq!(head.contains("access-control-allow-credentials"), credentials, "{head}");
        assert_eq!(head.contains("access-control-max-age: 600"), credentials, "{head}");
    }
    let (head, answer) = ask_with_head(fixture.address, "GET", OPEN, "", "").await;
    assert!(answer.status == 200 && !head.contains("access-control"), "{head}");
}
