//! What a client brings is refused when it is larger than the limits, with the bound, and does no harm.

use roomwire_core::{Namespace, config::Limits};
use roomwire_service::{
    ClientId, Data, Error, ErrorCode, Gateway, Handshake, Metadata, NewRoom, Payload, WebSocketConfig,
    WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryState;
use std::time::Duration;

use crate::fixture::{Counters, config};

/// Small enough for tests.
fn small() -> Limits {
    Limits { depth: 3, event_name: 5, room_name: 4, metadata: 20, ..config().limits }
}

async fn server(limits: Limits) -> TestServer {
    async fn echo(Data(value): Data<serde_json::Value>) -> Result<serde_json::Value, Error> {
        Ok(value)
    }
    let config = WebSocketConfig { limits, ..config() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    TestServer::new(service, Gateway::new().on("echo", echo).on("longer", echo)).expect("mounts")
}

fn text(arguments: impl Into<String>) -> Payload {
    Payload::from_encoded(arguments.into().into(), Vec::new())
}

async fn send(client: &TestClient, event: &str, payload: Payload) -> Result<serde_json::Value, (ErrorCode, String)> {
    told(client.emit_with_ack(event, payload).await)
}

fn told<T>(result: Result<T, Error>) -> Result<T, (ErrorCode, String)> {
    result.map_err(|error| (error.code(), error.message().to_owned()))
}

/// Notes of so many bytes of JSON.
fn notes(bytes: usize) -> Metadata {
    Metadata::from_iter([("n".to_owned(), "x".repeat(bytes - 8).into())])
}

fn refused<T>(code: ErrorCode, message: &str) -> Result<T, (ErrorCode, String)> {
    Err((code, message.to_owned()))
}

#[tokio::test]
async fn metadata_that_could_not_be_read_again_is_refused() {
    let server = server(Limits { metadata: 10_000, ..config().limits }).await;
    let nested = |depth: usize| {
        let value = (1..depth).fold(serde_json::Value::Null, |value, _| serde_json::Value::Array(vec![value]));
        Metadata::from_iter([("n".to_owned(), value)])
    };
    let client = server.connect().await.expect("connects");
    let service = server.service();
    service.set_client_metadata(client.handle(), nested(120)).await.expect("set");
    let too_deep = "payload is nested too deep; 120 levels of arrays and objects are allowed";
    let refused = refused(ErrorCode::InvalidPayload, too_deep);
    assert_eq!(told(service.set_client_metadata(client.handle(), nested(121)).await), refused);
    let room = NewRoom { metadata: nested(121), ..NewRoom::default() };
    assert_eq!(told(service.create_room("r", room).await).map(drop), refused);
}

#[tokio::test]
async fn an_event_nested_deeper_than_it_may_never_reaches_its_handler() {
    let counters = Counters::default();
    let _counting = counters.count();
    let server = server(small()).await;
    let client = server.connect().await.expect("connects");
    assert!(send(&client, "echo", text(r#"[{"a":["[[[["]}]"#)).await.is_ok());
    let too_deep = "payload is nested too deep; 3 levels of arrays and objects are allowed";
    let answer = send(&client, "echo", text(r#"[{"a":[{}]}]"#)).await;
    assert_eq!(answer, refused(ErrorCode::InvalidPayload, too_deep));
    for opening in ["[", r#"{"a":"#] {
        let answer = send(&client, "echo", text(opening.repeat(1 << 20))).await;
        assert_eq!(answer, refused(ErrorCode::InvalidPayload, too_deep));
    }
    assert_eq!(counters.of("roomwire_limited_total(depth)"), 3);
    assert!(send(&client, "echo", text("1")).await.is_ok(), "nobody minds");
}

#[tokio::test]
async fn the_deepest_that_can_be_configured_is_read_and_sent_on() {
    let server = server(Limits { depth: 120, ..config().limits }).await;
    let client = server.connect().await.expect("connects");
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let echoed = send(&client, "echo", text(nested(120))).await.expect("accepted");
    assert_eq!(echoed.to_string(), nested(120));
    assert!(send(&client, "echo", text(format!("{},1", nested(119)))).await.is_ok(), "as one of two arguments");
    assert!(send(&client, "echo", text(nested(121))).await.is_err());
}

#[tokio::test]
async fn answers_and_handshakes_have_the_same_bound() {
    let server = server(small()).await;
    let mut client = server.connect().await.expect("connects");
    let (service, id) = (server.service().clone(), client.id().clone());
    let asked = tokio::spawn(async move {
        service.send_to_client_with_ack::<serde_json::Value>(&*id, "ask", &(), Duration::from_secs(5)).await
    });
    client.next().await.expect("asked").acknowledge(text("[[[[]]]]")).expect("answers");
    let error = asked.await.expect("no panic").expect_err("refused");
    assert_eq!(error.code(), ErrorCode::InvalidPayload);

    let handshake = |auth| Handshake { auth, ..Handshake::new(ClientId::new("c").expect("valid")) };
    let deep = server.connect_with(&Namespace::root(), handshake(text("[[[[]]]]"))).await;
    assert_eq!(deep.expect_err("refused").code(), ErrorCode::InvalidPayload);
    server.connect_with(&Namespace::root(), handshake(text("[[[]]]"))).await.expect("connects");
}

#[tokio::test]
async fn names_are_refused_with_the_bound_that_is_configured() {
    let counters = Counters::default();
    let _counting = counters.count();
    let server = server(small()).await;
    let client = server.connect().await.expect("connects");
    let answer = send(&client, "longer", text("1")).await;
    assert_eq!(answer, refused(ErrorCode::InvalidName, "event name is 6 bytes long; 1 to 5 are allowed"));
    let answer = send(&client, &"x".repeat(1 << 20), text("1")).await;
    assert_eq!(answer, refused(ErrorCode::InvalidName, "event name is 1048576 bytes long; 1 to 5 are allowed"));

    let too_long = refused(ErrorCode::InvalidName, "room name is 5 bytes long; 1 to 4 are allowed");
    let service = server.service();
    assert_eq!(told(service.join_room(client.handle(), "lobby").await), too_long);
    assert_eq!(told(service.create_room("lobby", NewRoom::default()).await).map(drop), too_long);
    service.join_room(client.handle(), "rööm").await.expect_err("bytes count, not characters");
    service.join_room(client.handle(), "room").await.expect("joins");
    assert_eq!(counters.of("roomwire_limited_total(eventName)"), 2);
    assert_eq!(counters.of("roomwire_limited_total(roomName)"), 3);
}

#[tokio::test]
async fn notes_have_a_bound_wherever_they_come_from_and_the_old_ones_stay() {
    let counters = Counters::default();
    let _counting = counters.count();
    let server = server(small()).await;
    let service = server.service();
    let handshake = |metadata| Handshake { metadata, ..Handshake::new(ClientId::new("c").expect("valid")) };
    let refused = server.connect_with(&Namespace::root(), handshake(notes(21))).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::LimitExceeded);
    let client = server.connect_with(&Namespace::root(), handshake(notes(20))).await.expect("connects");

    let too_large = self::refused(ErrorCode::LimitExceeded, "metadata is 21 bytes of JSON; 20 are allowed");
    assert_eq!(told(service.set_client_metadata(client.handle(), notes(21)).await), too_large);
    assert_eq!(client.handle().metadata(), notes(20));
    assert_eq!(service.client("c").await.expect("known").metadata, notes(20));

    let room = |name: Option<&str>, metadata| NewRoom { name: name.map(str::to_owned), metadata, ..NewRoom::default() };
    assert_eq!(told(service.create_room("r", room(None, notes(21))).await).map(drop), too_large);
    assert_eq!(told(service.create_room("r", room(Some("name"), notes(17))).await).map(drop), too_large);
    service.create_room("r", room(Some("name"), notes(16))).await.expect("created");
    assert_eq!(told(service.set_room_metadata("r", notes(21)).await).map(drop), too_large);
    assert_eq!(service.room("r").await.expect("known").metadata, notes(16));
    service.set_room_metadata("r", notes(20)).await.expect("set");
    assert_eq!(counters.of("roomwire_limited_total(metadata)"), 5);
}

#[tokio::test]
async fn a_metadata_limit_of_zero_accepts_clients_without_metadata() {
    let server = server(Limits { metadata: 0, ..config().limits }).await;
    let client = server.connect().await.expect("connects");
    server.service().join_room(client.handle(), "room").await.expect("joins");
    server.service().create_room("other", NewRoom::default()).await.expect("created");
}
