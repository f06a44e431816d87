//! A server stops in good order, whatever its clients do.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use roomwire_service::{Client, DisconnectReason, Error, Gateway, State, WebSocketConfig, WebSocketService};
use tokio::sync::Semaphore;

use crate::support::{Answer, Departures, Fixture, Frame, Http, Polling, WebSocket, config, eventually, within};

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "room").await
}

async fn waits(State(handling): State<Arc<Semaphore>>) -> Result<(), Error> {
    handling.acquire().await.map_err(Error::internal)?.forget();
    Ok(())
}

async fn hangs() -> Result<(), Error> {
    std::future::pending().await
}

#[track_caller]
fn assert_shutting_down(answer: &Answer) {
    let body = r#"{"code":"SHUTTING_DOWN","message":"Server is about to stop, connect again"}"#;
    assert_eq!((answer.status, answer.body.as_str()), (503, body));
}

fn patient(timeout: Duration) -> WebSocketConfig {
    let mut config = config();
    config.drain.timeout = timeout;
    // The clients are gone because of the stop.
    config.ping_timeout = Duration::from_secs(120);
    config.limits.send_buffer_bytes = 100_000_000;
    config
}

async fn fixture(timeout: Duration) -> (Fixture, Departures) {
    let (gateway, departures) = Departures::of(Gateway::new().on_connect(enter).on("hangs", hangs));
    (Fixture::new(patient(timeout), gateway).await, departures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_lose_their_transport_so_that_they_come_back_and_their_handlers_run() {
    let (mut fixture, mut departures) = fixture(Duration::from_secs(30)).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut polling = Polling::connect(fixture.address).await;
    let members = fixture.service.clone();
    eventually("both are in", async || members.member_count("room").await.expect("counts") == 2).await;
    polling.begin_poll().await;
    let address = fixture.address;
    let began = Instant::now();
    fixture.tell_to_stop();
    // No `41`: a client that is told to leave the namespace would stay away.
    let mut seen = Vec::new();
    while let Some(frame) = socket.frame().await {
        seen.push(frame);
    }
    assert!(!seen.contains(&Frame::Text("41".to_owned())), "{seen:?}");
    let polled = polling.polled().await;
    assert!(polled.as_ref().is_none_or(|answer| !answer.body.contains("41")), "{polled:?}");
    for _ in 0..2 {
        let departure = departures.next().await;
        assert_eq!((departure.reason, departure.rooms.len()), (DisconnectReason::ServerShutdown, 1));
    }
    fixture.ended().await;
    assert!(began.elapsed() < Duration::from_secs(20), "waited though nobody made it wait");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "still listening");
}

/// On one thread, an answer to another request tells that the one before was read.
#[tokio::test]
async fn a_request_that_waits_for_messages_is_answered_with_503_and_does_not_hold_the_end_up() {
    let (mut fixture, _departures) = fixture(Duration::from_secs(30)).await;
    let mut connected = Polling::connect(fixture.address).await;
    let mut never_connected = Polling::open(fixture.address).await;
    connected.begin_poll().await;
    never_connected.begin_poll().await;
    assert_eq!(Http::once(fixture.address, "GET", "/hello", "").await.status, 200);
    let began = Instant::now();
    fixture.tell_to_stop();
    fixture.ended().await;
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
    for mut polling in [connected, never_connected] {
        assert_shutting_down(&polling.polled().await.expect("an answer"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_begun_and_never_ended_holds_the_end_up_for_a_bounded_time() {
    let drain = Duration::from_millis(300);
    let (mut fixture, _departures) = fixture(drain).await;
    let mut head = Http::connect(fixture.address).await;
    head.write(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost:").await;
    let polling = Polling::connect(fixture.address).await;
    let mut body = Http::connect(fixture.address).await;
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", polling.session);
    let lines = "host: a\r\nexpect: 100-continue\r\ncontent-length: 100";
    body.write(format!("POST {target} HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).await;
    assert_eq!(body.answer().await.expect("the server reads the body").status, 100);
    body.write(b"42").await;
    fixture.tell_to_stop();
    let began = Instant::now();
    fixture.ended().await;
    // Three times the drain's timeout is promised; a busy machine gets the same again.
    assert!(began.elapsed() < drain * 3 + Duration::from_secs(5), "took {:?}", began.elapsed());
    drop((head, body));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_and_handlers_that_never_return_are_ended_too() {
    let (mut fixture, mut departures) = fixture(Duration::from_millis(300)).await;
    let mut deaf = WebSocket::open_narrow(fixture.address).await.joined().await;
    let mut hanging = WebSocket::connect(fixture.address).await;
    hanging.send(r#"42["hangs"]"#).await;
    let mut unconnected = WebSocket::open(fixture.address).await;
    let service = fixture.service.clone();
    eventually("both are in", async || service.member_count("room").await.expect("counts") == 2).await;
    // Enough that the writer of the one that does not read waits for it, and too little to fill its buffer.
    for _ in 0..200 {
        fixture.service.send_to_client(deaf.id.as_str(), "said", &"x".repeat(65_536)).await.expect("sent");
    }
    fixture.tell_to_stop();
    let began = Instant::now();
    within("the server ends", fixture.ended()).await;
    assert!(began.elapsed() < Duration::from_secs(6), "took {:?}", began.elapsed());
    // Their connections are closed, not left to the end of the process or of some other patience.
    deaf.closed_by_server().await;
    hanging.closed_by_server().await;
    unconnected.closed_by_server().await;
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
    assert_eq!(departures.next().await.reason, DisconnectReason::ServerShutdown);
    assert_eq!(service.member_count("room").await.expect("counts"), 0);
}

async fn refuses_new_sessions(address: SocketAddr) {
    let polling = Http::once(address, "GET", "/socket.io/?EIO=4&transport=polling", "").await;
    let (status, body) = WebSocket::ask(address, "").await.expect_err("refused");
    for answer in [polling, Answer { status, body }] {
        let refusal = r#"{"code":"SHUTTING_DOWN","message":"This node is shutting down"#;
        assert!(answer.status == 503 && answer.body.starts_with(refusal), "{answer:?}");
    }
}

#[tokio::test]
async fn new_sessions_are_refused_with_503_while_a_mounted_layer_stops_and_afterwards() {
    let handling = Arc::new(Semaphore::new(0));
    let gateway = Gateway::new().with_state(handling.clone()).on("waits", waits);
    let fixture = Fixture::foreign(patient(Duration::from_secs(60)), gateway).await;
    let (address, service) = (fixture.address, fixture.service.clone());
    let mut polling = Polling::connect(address).await;
    let mut quiet = Polling::connect(address).await;
    assert_eq!(polling.post(r#"421["waits"]"#).await.status, 200);
    polling.begin_poll().await;
    quiet.begin_poll().await;
    assert_eq!(Http::once(address, "GET", "/hello", "").await.status, 200);
    let stopping = tokio::spawn(fixture.stop());
    eventually("it stops", async || service.is_shutting_down()).await;
    refuses_new_sessions(address).await;

    handling.add_permits(1);
    assert_eq!(polling.polled().await.expect("an answer").body, "431[null]");
    assert_shutting_down(&quiet.polled().await.expect("an answer"));
    within("it has stopped", stopping).await.expect("no panic");
    refuses_new_sessions(address).await;
    assert_eq!(Http::once(address, "GET", "/hello", "").await.status, 200);
}
