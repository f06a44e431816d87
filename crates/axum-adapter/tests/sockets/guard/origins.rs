//! The table of origins, on every kind of request. `docs/security.md` shows it.

use roomwire_service::{Gateway, WebSocketConfig};

use super::{OPEN, UPGRADE, ask};
use crate::support::{Answer, Http, Polling, Stage, config};

fn listing(origins: &[&str]) -> WebSocketConfig {
    WebSocketConfig { allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(), ..config() }
}

/// How a page of this origin fares: the statuses of opening a session, of sending to one and of a websocket.
async fn statuses(stage: &Stage, origins: &[&str]) -> [u16; 3] {
    let lines: String = origins.iter().map(|origin| format!("origin: {origin}\r\n")).collect();
    let polling = Polling::open(stage.address).await;
    let target = format!("{OPEN}&sid={}", polling.ticket);
    let socket = "/socket.io/?EIO=4&transport=websocket";
    let mut all = Vec::new();
    for (method, target, headers, body) in [
        ("GET", OPEN, lines.clone(), ""),
        ("POST", target.as_str(), lines.clone(), "40"),
        ("GET", socket, format!("{lines}{UPGRADE}"), ""),
    ] {
        let answer = ask(stage.address, method, target, &headers, body).await;
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
    let stage = Stage::new(listing(&["https://app.example.com", "capacitor://localhost"]), Gateway::new()).await;
    let own = format!("http://{}", stage.address);
    let own_by_tls = format!("https://{}", stage.address);
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
        assert_eq!(statuses(&stage, origins).await, expected, "{origins:?}");
    }
}

#[tokio::test]
async fn by_default_no_other_page_may_connect_and_with_a_star_every_page_may() {
    let by_default = Stage::new(listing(&[]), Gateway::new()).await;
    assert_eq!(statuses(&by_default, &["https://app.example.com"]).await, OUT);
    assert_eq!(statuses(&by_default, &["null"]).await, OUT);
    assert_eq!(statuses(&by_default, &[]).await, IN);
    let open = Stage::new(listing(&["*"]), Gateway::new()).await;
    for origin in ["https://app.example.com", "null", "file://"] {
        assert_eq!(statuses(&open, &[origin]).await, IN, "{origin}");
    }
    // In a server of the app's own it is the same.
    let foreign = Stage::foreign(listing(&[]), Gateway::new()).await;
    assert_eq!(statuses(&foreign, &["https://app.example.com"]).await, OUT);
}

/// The head of the answer as text, and the answer.
async fn with_head(stage: &Stage, method: &str, target: &str, headers: &str) -> (String, Answer) {
    let mut http = Http::connect(stage.address).await;
    http.send(method, target, headers, "").await;
    http.answer_with_head().await.expect("an answer")
}

#[tokio::test]
async fn listed_pages_may_read_answers_and_send_headers_and_others_are_told_nothing() {
    let stage = Stage::new(listing(&["https://app.example.com"]), Gateway::new()).await;
    let (head, answer) = with_head(&stage, "GET", OPEN, "origin: https://app.example.com\r\n").await;
    assert!(answer.status == 200 && answer.body.starts_with(r#"0{""#), "{answer:?}");
    assert!(head.contains("access-control-allow-origin: https://app.example.com\r\n"), "{head}");
    assert!(head.contains("access-control-allow-credentials: true\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("vary: origin"), "{head}");

    let asking = "origin: https://app.example.com\r\naccess-control-request-method: POST\r\n\
                  access-control-request-headers: authorization,content-type\r\n";
    let (head, answer) = with_head(&stage, "OPTIONS", OPEN, asking).await;
    assert_eq!(answer.status, 200, "{head}");
    for line in [
        "access-control-allow-origin: https://app.example.com",
        "access-control-allow-methods: GET,POST",
        "access-control-allow-headers: authorization,content-type",
        "access-control-max-age: 600",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    let foreign = asking.replace("app.example.com", "evil.example");
    for (method, headers) in [("OPTIONS", foreign.as_str()), ("GET", "origin: https://evil.example\r\n"), ("GET", "")] {
        let (head, _) = with_head(&stage, method, OPEN, headers).await;
        assert!(!head.contains("access-control"), "{head}");
    }
}

#[tokio::test]
async fn what_is_foreign_is_named_to_a_person_escaped_and_cut() {
    let stage = Stage::new(config(), Gateway::new()).await;
    let long = format!("origin: https://\"{}\r\n", "x".repeat(1000));
    let answer = ask(stage.address, "GET", OPEN, &long, "").await;
    assert!(answer.status == 403 && answer.body.len() < 400, "{answer:?}");
    serde_json::from_str::<serde_json::Value>(&answer.body).expect("JSON");
}
