//! `maxConnections` counts sessions, exactly, whatever their end.

use std::net::SocketAddr;

use roomwire_service::{Gateway, WebSocketConfig};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Answer, Fixture, Http, Polling, WebSocket, config, eventually};

const REFUSED: &str = r#""code":"MAX_CONNECTIONS""#;

async fn fixture(most: u32) -> Fixture {
    Fixture::new(WebSocketConfig { max_connections: most, ..config() }, Gateway::new()).await
}

/// How many sessions are free: opens as many as there are, and ends them in good order.
async fn free(address: SocketAddr) -> usize {
    let mut taken = Vec::new();
    while let Ok(socket) = WebSocket::ask(address, "").await {
        taken.push(socket);
    }
    let free = taken.len();
    for socket in taken {
        socket.close().await;
    }
    free
}

async fn all_come_back(fixture: &Fixture, most: usize) {
    eventually("every session is given back", async || free(fixture.address).await == most).await;
}

#[tokio::test]
async fn a_session_above_the_limit_is_refused_with_the_code_and_the_next_gets_a_free_place() {
    for foreign in [false, true] {
        let config = WebSocketConfig { max_connections: 2, ..config() };
        let fixture = if foreign {
            Fixture::foreign(config, Gateway::new()).await
        } else {
            Fixture::new(config, Gateway::new()).await
        };
        let ada = WebSocket::connect(fixture.address).await;
        let mut bob = Polling::connect(fixture.address).await;
        let polling = Http::once(fixture.address, "GET", "/socket.io/?EIO=4&transport=polling", "").await;
        assert_eq!(polling.status, 503);
        assert!(polling.body.contains(REFUSED), "{polling:?}");
        let (status, body) = WebSocket::ask(fixture.address, "").await.expect_err("refused");
        assert_eq!(status, 503);
        assert!(body.contains(REFUSED), "{body}");
        // Connected clients are served all the same.
        assert_eq!(bob.post("3").await.status, 200);
        ada.close().await;
        all_come_back(&fixture, 1).await;
        assert_eq!(bob.post("1").await.status, 200);
        all_come_back(&fixture, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rounds_of_every_kind_of_ending_give_every_place_back() {
    let most = 8;
    let fixture = fixture(most).await;
    let address = fixture.address;
    for round in 0..1000 {
        match round % 10 {
            0 => WebSocket::connect(address).await.close().await,
            1 => WebSocket::connect(address).await.reset(),
            // Never connects to a namespace.
            2 => WebSocket::open(address).await.close().await,
            3 => WebSocket::open(address).await.reset(),
            4 => goodbye_packet(address).await,
            5 => upgrade_broken_off(address).await,
            6 => unknown_session(address).await,
            7 => unknown_namespace(address).await,
            8 => assert_eq!(Polling::connect(address).await.post("1").await.status, 200),
            _ => handshake_reset(address).await,
        }
        if round % 10 == 9 {
            eventually("a place is free for each kind of ending", async || free(address).await == most as usize).await;
        }
    }
    all_come_back(&fixture, most as usize).await;
    fixture.empty().await;
}

/// The limit is reached and left again and again, by clients of both kinds: each round the last place is taken,
/// whichever asks then is refused, and it is taken again as soon as it was left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_count_is_exact_after_ten_thousand_rounds_at_the_limit() {
    // The clients that stay answer no pings.
    let patient = WebSocketConfig { ping_timeout: std::time::Duration::from_secs(600), ..config() };
    let fixture = Fixture::new(WebSocketConfig { max_connections: 3, ..patient }, Gateway::new()).await;
    let address = fixture.address;
    let held = (WebSocket::connect(address).await, Polling::connect(address).await);
    let target = "/socket.io/?EIO=4&transport=polling";
    let mut asker = Http::connect(address).await;
    for round in 0..10_000 {
        let last = if round % 2 == 0 {
            Last::Websocket(
                eventually_some("the last place is free", async || WebSocket::ask(address, "").await.ok()).await,
            )
        } else {
            let opened = eventually_some("the last place is free", async || {
                let answer = asker.ask("GET", target, "").await;
                (answer.status == 200).then_some(answer)
            });
            Last::Polling(session_of(&opened.await))
        };
        let refused = asker.ask("GET", target, "").await;
        assert!(refused.status == 503 && refused.body.contains(REFUSED), "round {round}: {refused:?}");
        match last {
            Last::Websocket(socket) if round % 4 == 0 => socket.close().await,
            Last::Websocket(socket) => socket.reset(),
            Last::Polling(session) => {
                let target = format!("{target}&sid={session}");
                assert_eq!(asker.ask("POST", &target, "40").await.status, 200);
                // A ping may come first.
                while !asker.ask("GET", &target, "").await.body.contains("40{") {}
                assert_eq!(asker.ask("POST", &target, "1").await.status, 200);
            }
        }
    }
    all_come_back(&fixture, 1).await;
    held.0.close().await;
    drop(held.1);
    all_come_back(&fixture, 2).await;
}

enum Last {
    Websocket(WebSocket),
    Polling(String),
}

fn session_of(opened: &Answer) -> String {
    let packet: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
    packet["sid"].as_str().expect("a session").to_owned()
}

async fn eventually_some<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut found = None;
    eventually(what, async || {
        found = ask().await;
        found.is_some()
    })
    .await;
    found.expect("found")
}

async fn goodbye_packet(address: SocketAddr) {
    let mut socket = WebSocket::connect(address).await;
    socket.send("1").await;
    socket.closed_by_server().await;
}

async fn upgrade_broken_off(address: SocketAddr) {
    let mut client = Polling::connect(address).await;
    let mut upgrade = WebSocket::ask(address, &format!("&sid={}", client.session)).await.expect("begins");
    upgrade.send("2probe").await;
    assert_eq!(upgrade.frame().await, Some(crate::support::Frame::Text("3probe".to_owned())));
    upgrade.reset();
    assert_eq!(client.post("1").await.status, 200, "the session goes on without it");
}

async fn unknown_session(address: SocketAddr) {
    if let Ok(mut upgrade) = WebSocket::ask(address, "&sid=AAAAAAAAAAAAAAAA").await {
        upgrade.closed_by_server().await;
    }
}

async fn unknown_namespace(address: SocketAddr) {
    let mut socket = WebSocket::open(address).await;
    socket.send("40/nowhere,").await;
    assert_eq!(socket.message().await, r#"44/nowhere,{"message":"Invalid namespace"}"#);
    socket.close().await;
}

/// Gone before the answer to the handshake could be read.
async fn handshake_reset(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = crate::support::handshake("");
    stream.write_all(request.as_bytes()).await.expect("written");
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("linger");
}

#[tokio::test]
async fn requests_that_open_no_session_take_no_place() {
    let fixture = fixture(1).await;
    for target in [
        "/socket.io/",
        "/socket.io/?EIO=3&transport=polling",
        "/socket.io/?EIO=4&transport=polling&sid=nobody",
        "/socket.io/?EIO=4&transport=websocket",
        "/socket.io/?EIO=4&transport=carrier-pigeon",
    ] {
        for method in ["GET", "POST", "PUT"] {
            let answer = Http::once(fixture.address, method, target, "").await;
            assert_eq!(answer.status, 400, "{method} {target}: {answer:?}");
        }
    }
    assert_eq!(free(fixture.address).await, 1);
}

/// What one parser reads as a new session and another does not would be a way around the limit.
#[tokio::test]
async fn no_spelling_of_a_request_opens_a_session_beyond_the_limit() {
    let fixture = fixture(1).await;
    let _ada = WebSocket::connect(fixture.address).await;
    for query in [
        "EIO=4&transport=polling",
        "EIO=4=&transport=polling=",
        "EIO=4=x&transport=polling",
        "EIO=4&transport=polling=x",
        "transport=polling&EIO=4&EIO=3",
        "EIO=4&transport=polling&transport=websocket",
        "EIO=4&transport=polling&sid",
        "EIO=4&transport=polling&sid=",
        "EIO=%34&transport=%70olling",
        "EIO=4&transport=polling&t=abc&b64=1",
    ] {
        let answer = Http::once(fixture.address, "GET", &format!("/socket.io/?{query}"), "").await;
        assert!([400, 503].contains(&answer.status), "{query}: {answer:?}");
    }
}
