//! What hostile clients send is in no log, at any level, and what they name cannot break a line or hide in it.

use std::collections::HashMap;

use async_trait::async_trait;
use roomwire_core::{Authenticator, ConnectRequest, Error, Identity};
use roomwire_service::{Client, Data, Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;

use crate::support::{Fixture, Http, Log, Polling, WebSocket, config, eventually};

/// Stands in everything that is a secret.
const MARK: &str = "MARK-f3b1";

/// Input that would forge a line of its own in the log. It reads the same as JSON.
const FORGED: &str = r"a\r\nERROR forged\u0000\u001b[31m\u009b\u202e";

#[derive(Debug)]
struct Everybody;

#[async_trait]
impl Authenticator for Everybody {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        Ok(Identity::anonymous())
    }
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
    service.join_room(&client, &room).await?;
    service.broadcast_to_room(&room, "told", MARK).await
}

async fn count(Data(numbers): Data<HashMap<String, u8>>) -> Result<usize, Error> {
    Ok(numbers.len())
}

async fn fail(Data(reason): Data<String>) -> Result<(), Error> {
    Err(Error::internal(reason))
}

async fn fixture() -> Fixture {
    let config = WebSocketConfig { allowed_origins: vec!["*".to_owned()], debug: true, ..config() };
    let builder = WebSocketService::builder(config).state(MemoryState::new()).authenticator(Everybody);
    let gateway = Gateway::new().on("join", join).on("count", count).on("fail", fail);
    Fixture::of(builder.build().await.expect("builds"), gateway).await
}

/// What the log must not hold, from any source.
fn assert_quiet(log: &Log) {
    let text = log.text();
    assert!(!text.contains(MARK), "{text}");
    assert!(!log.has_control_characters() && !text.contains('\u{202e}'), "{text:?}");
    for line in text.lines() {
        assert!(line.starts_with("20"), "no line but those that begin with the time: {line:?}");
        assert!(line.chars().count() < 1000, "{line}");
    }
}

#[tokio::test]
async fn what_a_websocket_sends_is_in_no_log_and_its_names_stay_on_their_line() {
    let log = Log::capture_all();
    let fixture = fixture().await;
    let mut socket = WebSocket::open(fixture.address).await;
    socket.send(&format!(r#"40{{"token":"{MARK}"}}"#)).await;
    assert!(socket.message().await.starts_with("40{"));
    // A name that a client may choose, with a mark that turns what follows around.
    let answer = socket.ask_for(1, r#"["join","a}{b \u202e\u200f"]"#).await;
    assert_eq!(answer, "[null]");
    for (ack, event, code) in [
        (2, format!(r#"["join","{FORGED}"]"#), "INVALID_NAME"),
        (3, format!(r#"["join","{}"]"#, "x".repeat(10_000)), "INVALID_NAME"),
        (4, format!("[\"a\u{9b}31m\",\"{MARK}\"]"), "INVALID_NAME"),
        (5, format!(r#"["{}","{MARK}"]"#, "x".repeat(10_000)), "INVALID_NAME"),
        (6, format!("[\"unknown \u{202e}\u{2028}\",\"{MARK}\"]"), "UNKNOWN_EVENT"),
        (7, format!(r#"["count",{{"{FORGED}":"{MARK}"}}]"#), "INVALID_PAYLOAD"),
        (8, format!(r#"["fail","{FORGED}"]"#), "INTERNAL"),
        (9, format!(r#"["{FORGED}","{MARK}"]"#), "INVALID_NAME"),
    ] {
        let answer = socket.ask_for(ack, &event).await;
        assert!(answer.contains(&format!(r#""code":"{code}"#)), "{code}: {answer}");
    }
    socket.send(&format!(r#"42["join"]["{MARK}"]"#)).await;
    socket.closed_by_server().await;
    eventually("it is gone", async || log.lines_with(&["roomwire", "disconnected", "reason="]) == 1).await;
    assert_quiet(&log);
    assert!(log.lines_with(&[r"a}{b \u{202e}\u{200f}", "sent"]) >= 1, "{}", log.text());
    assert!(log.lines_with(&["a handler failed", r"a\r\nERROR forged\0\u{1b}[31m"]) == 1, "{}", log.text());
}

#[tokio::test]
async fn what_requests_carry_is_in_no_log_and_an_origin_stays_on_its_line() {
    let log = Log::capture_all();
    let fixture = fixture().await;
    let page = format!("https://a\tb{}", "x".repeat(5000));
    let secrets = format!("authorization: Bearer {MARK}\r\ncookie: session={MARK}\r\norigin: {page}\r\n");
    let mut http = Http::connect(fixture.address).await;
    let target = format!("/socket.io/?EIO=4&transport=polling&token={MARK}");
    http.send("GET", &target, &secrets, "").await;
    let opened = http.answer().await.expect("an answer");
    assert_eq!(opened.status, 200, "{opened:?}");
    let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
    let target = format!("{target}&sid={}", open["sid"].as_str().expect("an id"));
    let auth = format!(r#"40{{"token":"{MARK}"}}"#);
    for packet in [auth, format!(r#"42["{FORGED}","{MARK}"]"#)] {
        http.send("POST", &target, &secrets, &packet).await;
        assert_eq!(http.answer().await.expect("an answer").status, 200);
    }
    eventually("it takes part", async || log.lines_with(&["roomwire", "authenticated"]) == 1).await;
    assert!(log.lines_with(&["authenticated", r"https://a\tbxxx", "…"]) == 1, "{}", log.text());

    // Nothing that HTTP or the engine understands.
    for request in [
        format!("GET /{MARK} HTTP/9.9\r\n\r\n"),
        format!("\u{1b}[31m{MARK}\r\n\r\n"),
        format!("GET /socket.io/?EIO=9&transport={MARK} HTTP/1.1\r\nhost: a\r\nx\u{1}: {MARK}\r\n\r\n"),
    ] {
        let mut http = Http::connect(fixture.address).await;
        http.write(request.as_bytes()).await;
        http.finish().await;
        http.rest().await;
    }
    let refused = WebSocket::ask(fixture.address, &format!("&t={MARK}&sid={MARK}")).await;
    assert_eq!(refused.map(|_| ()).expect_err("refused").0, 400);
    let mut polling = Polling::connect(fixture.address).await;
    polling.post(&format!("42[{MARK}")).await;
    polling.post(&format!("9{MARK}")).await;
    assert!(log.lines_with(&["roomwire", "a connection was not served to its end"]) >= 1, "{}", log.text());
    assert_quiet(&log);
}
