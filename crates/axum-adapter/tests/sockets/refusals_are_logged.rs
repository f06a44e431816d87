//! Each kind of refusal is one WARN a minute, with its cause, an example and the key to change.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use roomwire_core::{Authenticator, ConnectRequest, Error, ErrorCode, Identity};
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;

use crate::support::{Fixture, Frame, Http, Log, Polling, WebSocket, config, eventually, head};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// There is one warning, it has this cause, and all of these words.
#[track_caller]
fn one_warning(log: &Log, cause: &str, words: &[&str]) {
    assert_eq!(log.lines_with(&["WARN"]), 1, "{}", log.text());
    let cause = format!("cause=\"{cause}\"");
    let words: Vec<_> = ["WARN", "count=1 ", &cause].into_iter().chain(words.iter().copied()).collect();
    assert_eq!(log.lines_with(&words), 1, "{words:?}: {}", log.text());
}

async fn get(fixture: &Fixture, lines: &str) -> u16 {
    let mut http = Http::connect(fixture.address).await;
    http.send("GET", OPEN, lines, "").await;
    http.answer().await.expect("an answer").status
}

#[tokio::test]
async fn an_origin_with_the_line_to_add_and_at_debug_each_time() {
    let log = Log::capture();
    let fixture = Fixture::new(config(), Gateway::new()).await;
    for _ in 0..3 {
        assert_eq!(get(&fixture, "origin: https://app.example.com\r\n").await, 403);
    }
    let line = r#"allowedOrigins = ["https://app.example.com"]"#;
    one_warning(&log, "origin", &[line, r#"key="allowedOrigins""#, "example=https://app.example.com"]);
    assert_eq!(log.lines_with(&["DEBUG", r#"cause="origin""#]), 2, "{}", log.text());
}

#[tokio::test]
async fn a_host_header_that_a_proxy_has_changed_with_what_it_must_forward() {
    let log = Log::capture();
    let fixture = Fixture::new(config(), Gateway::new()).await;
    for _ in 0..3 {
        let mut http = Http::connect(fixture.address).await;
        let lines = "host: chat.example.com\r\norigin: http://chat.example.com:8080\r\n";
        http.write(format!("GET {OPEN} HTTP/1.1\r\n{lines}\r\n").as_bytes()).await;
        assert_eq!(http.answer().await.expect("an answer").status, 403);
    }
    one_warning(&log, "host", &["proxy_set_header Host $http_host;", "Host: chat.example.com"]);
}

#[tokio::test]
async fn sessions_beyond_each_limit_with_the_address() {
    type Set = fn(&mut WebSocketConfig);
    let limits: [(Set, &str, &str); 2] = [
        (|config| config.max_connections = 1, "full", r#"key="maxConnections""#),
        (|config| config.limits.connections_per_address = Some(1), "address", r#"key="limits.connectionsPerAddress""#),
    ];
    for (set, cause, key) in limits {
        let log = Log::capture();
        let mut config = config();
        set(&mut config);
        let fixture = Fixture::new(config, Gateway::new()).await;
        let _held = WebSocket::connect(fixture.address).await;
        for _ in 0..3 {
            assert_eq!(get(&fixture, "").await, 503);
            assert_eq!(WebSocket::ask(fixture.address, "").await.expect_err("refused").0, 503);
        }
        one_warning(&log, cause, &[key, "example=127.0.0.1"]);
    }
}

#[tokio::test]
async fn short_sessions_and_connects_to_namespaces_beyond_their_rate() {
    let mut config = config();
    config.limits.reconnects_per_second = 1;
    config.limits.reconnect_burst = 2;
    let fixture = Fixture::new(config, Gateway::new()).await;
    {
        let log = Log::capture();
        let mut socket = WebSocket::connect(fixture.address).await;
        for _ in 0..2 {
            socket.send("41").await;
            socket.send("40").await;
            assert!(socket.message().await.starts_with("40{"), "connects, at once or later");
        }
        let began = Instant::now();
        socket.send("41").await;
        socket.send("40").await;
        assert!(socket.message().await.starts_with("40{"), "connects later");
        assert!(began.elapsed() >= Duration::from_millis(900), "after {:?}", began.elapsed());
        one_warning(&log, "namespace connects", &[r#"key="limits.reconnectsPerSecond""#, "example=127.0.0.1"]);
    }
    let log = Log::capture();
    eventually("it reconnects too often", async || match WebSocket::ask(fixture.address, "").await {
        Ok(socket) => {
            socket.close().await;
            false
        }
        Err((status, _)) => status == 429,
    })
    .await;
    one_warning(&log, "reconnects", &[r#"key="limits.reconnectsPerSecond""#, "example=127.0.0.1"]);
}

#[tokio::test]
async fn a_websocket_message_that_is_too_large_and_the_client_sees_the_close_code_and_the_reason() {
    let log = Log::capture();
    let fixture = Fixture::new(config(), Gateway::new()).await;
    // A mebibyte, as the event of a file of that size.
    let mebibyte = format!(r#"42["file","{}"]"#, "x".repeat(1_048_576));
    for bytes in [crate::support::frame(&mebibyte), [head(2, 1_048_576), vec![0; 1_048_576]].concat()] {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.write(&bytes).await;
        let (code, reason) = loop {
            match socket.frame().await.expect("a close frame") {
                Frame::Close(close) => break close.expect("a code"),
                Frame::Text(_) => {}
                Frame::Binary(_) => panic!("nothing binary was sent"),
            }
        };
        assert_eq!(code, 1009);
        assert!(reason.starts_with("PAYLOAD_TOO_LARGE") && reason.contains("limits.payload"), "{reason}");
        socket.closed_by_server().await;
    }
    fixture.empty().await;
    one_warning(&log, "payload", &[r#"key="limits.payload""#, "a websocket is closed", "example=127.0.0.1"]);
}

#[tokio::test]
async fn a_post_that_is_too_large() {
    let log = Log::capture();
    let fixture = Fixture::new(config(), Gateway::new()).await;
    let mut polling = Polling::connect(fixture.address).await;
    let refused = polling.post(&format!(r#"42["file","{}"]"#, "x".repeat(1_500_000))).await;
    assert!(refused.status == 413 && refused.body.contains("PAYLOAD_TOO_LARGE"), "{}", refused.body);
    assert_eq!(log.lines_with(&["WARN", r#"cause="payload""#, r#"key="limits.payload""#, "example=127.0.0.1"]), 1);
}

#[tokio::test]
async fn heads_that_are_too_large_in_both_kinds_of_server() {
    let many: String = (0..70).map(|number| format!("x-{number}: 1\r\n")).collect();
    for foreign in [false, true] {
        let log = Log::capture();
        let fixture = if foreign {
            Fixture::foreign_with_peers(config(), Gateway::new()).await
        } else {
            Fixture::new(config(), Gateway::new()).await
        };
        assert_eq!(get(&fixture, &many).await, 431);
        eventually("it is logged", async || log.lines_with(&["WARN"]) > 0).await;
        let (cause, words) = if foreign {
            ("headers", [r#"key="limits.headers""#, "more headers"])
        } else {
            ("head", ["limits.headers", "limits.headerBytes"])
        };
        one_warning(&log, cause, &[words[0], words[1], "example=127.0.0.1"]);
    }
}

#[tokio::test]
async fn requests_that_do_not_come_in_time_and_no_idle_connections() {
    let log = Log::capture();
    let mut config = config();
    config.limits.handshake_timeout = Duration::from_millis(200);
    let fixture = Fixture::new(config, Gateway::new()).await;
    let mut silent = Http::connect(fixture.address).await;
    let mut idle = Http::connect(fixture.address).await;
    assert_eq!(idle.ask("GET", "/hello", "").await.status, 200);
    assert_eq!((silent.rest().await, idle.rest().await), (String::new(), String::new()));
    assert_eq!(log.lines_with(&["WARN"]), 0, "browsers have such connections: {}", log.text());

    let mut slow = Http::connect(fixture.address).await;
    slow.write(b"GET /hello").await;
    slow.rest().await;
    let key = r#"key="limits.handshakeTimeout""#;
    eventually("it is logged", async || log.lines_with(&["WARN", r#"cause="head timeout""#, key]) == 1).await;

    let mut body = Http::connect(fixture.address).await;
    body.write(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n4").await;
    assert!(body.rest().await.contains("limits.handshakeTimeout"));
    assert_eq!(log.lines_with(&["WARN", r#"cause="body timeout""#, key]), 1, "{}", log.text());

    let mut socket = WebSocket::connect(fixture.address).await;
    socket.send("41").await;
    socket.closed_by_server().await;
    assert_eq!(log.lines_with(&["WARN", r#"cause="no namespace""#, key, "example=127.0.0.1"]), 1, "{}", log.text());
}

#[tokio::test]
async fn packets_that_are_no_socket_io() {
    let log = Log::capture();
    let fixture = Fixture::new(config(), Gateway::new()).await;
    for _ in 0..3 {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.send("9nonsense").await;
        socket.closed_by_server().await;
    }
    fixture.empty().await;
    one_warning(&log, "protocol error", &["a client is disconnected"]);
}

#[derive(Debug)]
struct RejectAll;

#[async_trait]
impl Authenticator for RejectAll {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        Err(ErrorCode::Unauthorized.into())
    }
}

#[tokio::test]
async fn clients_that_are_not_admitted_with_their_address_and_page() {
    let log = Log::capture();
    let config = WebSocketConfig { allowed_origins: vec!["https://app.example.com".to_owned()], ..config() };
    let builder = WebSocketService::builder(config).state(MemoryState::new()).authenticator(RejectAll);
    let fixture = Fixture::of(builder.build().await.expect("builds"), Gateway::new()).await;
    for _ in 0..3 {
        let socket = WebSocket::ask_with(fixture.address, "origin: https://app.example.com\r\n").await.expect("opens");
        let mut socket = socket.opened().await;
        socket.send(r#"40{"token":"secret-7f3a"}"#).await;
        assert!(socket.message().await.starts_with(r#"44{"message":"Not authorized"#));
    }
    let cause = "a client is not authenticated: Not authorized";
    one_warning(&log, cause, &[r#"key="auth""#, "127.0.0.1 https://app.example.com"]);
    assert_eq!(log.lines_with(&["secret-7f3a"]), 0);
}
