//! Connections and sessions that are of no use end by themselves.

use std::time::{Duration, Instant};

use roomwire_service::{DisconnectReason, Gateway, WebSocketConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Departures, Fixture, Frame, Http, Polling, WebSocket, allow_many_files, config, eventually};

const SHORT: Duration = Duration::from_millis(200);

/// Nothing here is ended by a missing heartbeat or by any other patience: those are longer.
const LATE: Duration = Duration::from_secs(10);

fn hasty() -> WebSocketConfig {
    let mut config = config();
    config.limits.handshake_timeout = SHORT;
    config
}

/// Roomwire's own server, and one of the application's.
async fn fixtures() -> [(Fixture, Departures); 2] {
    let (own, departures) = Departures::of(Gateway::new());
    let (foreign, departures_there) = Departures::of(Gateway::new());
    [(Fixture::new(hasty(), own).await, departures), (Fixture::foreign(hasty(), foreign).await, departures_there)]
}

#[track_caller]
fn in_time(began: Instant) {
    let elapsed = began.elapsed();
    assert!((SHORT..LATE).contains(&elapsed), "{elapsed:?}");
}

/// Waits until the server does not know a session any more.
async fn is_forgotten(fixture: &Fixture, session: &str) {
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={session}");
    eventually("the session is unknown", async || Http::once(fixture.address, "GET", &target, "").await.status == 400)
        .await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_and_one_that_is_idle_are_closed() {
    let [(fixture, _), _] = fixtures().await;
    let began = Instant::now();
    let mut silent = Http::connect(fixture.address).await;
    let mut idle = Http::connect(fixture.address).await;
    assert_eq!(idle.ask("GET", "/hello", "").await.body, "hello");
    assert_eq!((silent.rest().await.as_str(), idle.rest().await.as_str()), ("", ""));
    in_time(began);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_closed_however_busy_it_is() {
    let [(fixture, _), _] = fixtures().await;
    let began = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(fixture.address).await.expect("connects").into_split();
    writer.write_all(b"GET /hello HTTP/1.1\r\nx: ").await.expect("written");
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    let mut answer = Vec::new();
    let (_, read) = tokio::join!(dripping, reader.read_to_end(&mut answer));
    // Closed with something unread, which is a reset.
    assert!(read.is_err() || answer.is_empty(), "{answer:?}");
    in_time(began);
}

#[tokio::test]
async fn a_post_that_does_not_come_is_answered_with_408_and_ends_its_session() {
    for (fixture, mut departures) in fixtures().await {
        let polling = Polling::connect(fixture.address).await;
        let mut post = Http::connect(fixture.address).await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", polling.session);
        let began = Instant::now();
        post.write(format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n42[").as_bytes()).await;
        let answer = post.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""code":"TIMEOUT""#), "{answer}");
        in_time(began);
        assert_eq!(departures.reason_of(&polling.id).await, DisconnectReason::ProtocolError);
    }
}

#[tokio::test]
async fn a_body_for_a_route_of_the_app_may_come_slowly_but_not_a_byte_now_and_then() {
    let [(fixture, _), _] = fixtures().await;
    let mut post = Http::connect(fixture.address).await;
    post.write(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 8000\r\n\r\n").await;
    let began = Instant::now();
    for _ in 0..8 {
        tokio::time::sleep(SHORT / 4).await;
        post.write(&[b'x'; 1000]).await;
    }
    assert!(began.elapsed() > SHORT);
    let answer = post.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "8000"));

    let began = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(fixture.address).await.expect("connects").into_split();
    writer.write_all(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 8000\r\n\r\n").await.expect("written");
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    let reading = async {
        let (mut answer, mut part) = (Vec::new(), [0; 1024]);
        while let Ok(read @ 1..) = reader.read(&mut part).await {
            answer.extend_from_slice(&part[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let (_, answer) = tokio::join!(dripping, reading);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""code":"TIMEOUT""#), "{answer}");
    in_time(began);
}

#[tokio::test]
async fn a_session_that_never_connects_to_a_namespace_ends() {
    for (fixture, _) in fixtures().await {
        let began = Instant::now();
        WebSocket::open(fixture.address).await.closed_by_server().await;
        in_time(began);
        let began = Instant::now();
        is_forgotten(&fixture, &Polling::open(fixture.address).await.session).await;
        in_time(began);
    }
}

#[tokio::test]
async fn a_session_that_left_its_last_namespace_ends_and_one_that_comes_back_stays() {
    for (fixture, _) in fixtures().await {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.send("41").await;
        fixture.holds(0).await;
        let began = Instant::now();
        let mut socket = socket.joined().await;
        // Longer than it might have stayed away.
        while began.elapsed() < SHORT * 2 {
            let answer = socket.ask_for(1, r#"["unknown"]"#).await;
            assert!(answer.contains("UNKNOWN_EVENT"), "{answer}");
            tokio::time::sleep(SHORT / 10).await;
        }
        let began = Instant::now();
        socket.send("41").await;
        socket.closed_by_server().await;
        in_time(began);
    }
}

#[tokio::test]
async fn a_client_that_the_application_disconnects_does_not_keep_its_connection() {
    for (fixture, mut departures) in fixtures().await {
        let mut socket = WebSocket::connect(fixture.address).await;
        let began = Instant::now();
        fixture.service.disconnect_client(socket.id.as_str()).await.expect("is here");
        assert_eq!(departures.reason_of(&socket.id).await, DisconnectReason::DisconnectedByServer);
        assert_eq!(socket.message().await, "41");
        socket.closed_by_server().await;
        in_time(began);
    }
}

#[tokio::test]
async fn a_session_by_http_requests_that_left_its_last_namespace_ends_wherever_it_moves() {
    for (fixture, _) in fixtures().await {
        for upgrades in [false, true] {
            let mut polling = Polling::connect(fixture.address).await;
            let began = Instant::now();
            assert_eq!(polling.post("41").await.status, 200);
            fixture.holds(0).await;
            if upgrades {
                let query = format!("&sid={}", polling.session);
                let mut socket = WebSocket::ask(fixture.address, &query).await.expect("begins");
                socket.send("2probe").await;
                assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
                socket.send("5").await;
                socket.closed_by_server().await;
            }
            is_forgotten(&fixture, &polling.session).await;
            in_time(began);
        }
    }
}

#[tokio::test]
async fn a_websocket_that_does_not_finish_its_upgrade_is_closed_and_its_session_goes_on() {
    for (fixture, _) in fixtures().await {
        for probes in [false, true] {
            let polling = Polling::connect(fixture.address).await;
            let began = Instant::now();
            let mut socket =
                WebSocket::ask(fixture.address, &format!("&sid={}", polling.session)).await.expect("begins");
            if probes {
                socket.send("2probe").await;
                assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
            }
            socket.closed_by_server().await;
            in_time(began);
            fixture.holds(1).await;
            let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", polling.session);
            assert_eq!(Http::once(fixture.address, "POST", &target, "1").await.status, 200);
            fixture.holds(0).await;
        }
    }
}

/// Two thousand at once cost the others nothing, and are all gone after their time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_silent_connections_are_closed_and_clients_connect_all_the_while() {
    let patience = Duration::from_secs(2);
    allow_many_files();
    let mut config = WebSocketConfig { max_connections: 1000, ..config() };
    config.limits.handshake_timeout = patience;
    let fixture = Fixture::new(config, Gateway::new()).await;
    let mut silent = Vec::new();
    for _ in 0..2000 {
        silent.push(Http::connect(fixture.address).await);
    }
    let began = Instant::now();
    let address = fixture.address;
    let honest = tokio::spawn(async move {
        let mut connected = 0;
        while began.elapsed() < patience {
            WebSocket::connect(address).await.close().await;
            connected += 1;
        }
        connected
    });
    for connection in &mut silent {
        assert_eq!(connection.rest().await, "");
    }
    assert!(began.elapsed() < patience + Duration::from_secs(2), "{:?}", began.elapsed());
    let connected = honest.await.expect("no client is refused");
    assert!(connected > 20, "{connected} in two seconds");
}
