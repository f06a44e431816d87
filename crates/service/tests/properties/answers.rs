//! What a client is told: acknowledgements, and errors with and without one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use roomwire_core::EventName;
use roomwire_service::{
    Data, Error, ErrorCode, Event, Gateway, RoomId, State,
    testing::{TestClient, TestServer},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fixture::{server, within};

#[derive(Debug, Deserialize)]
struct Order {
    #[expect(dead_code, reason = "only its shape matters")]
    room: RoomId,
    #[expect(dead_code, reason = "only its shape matters")]
    items: Vec<u32>,
}

async fn order(Data(_): Data<Order>) -> Result<&'static str, Error> {
    Ok("taken")
}

async fn refuse() -> Result<(), Error> {
    Err(Error::application("NOT_YOUR_TURN", "Wait for the other player"))
}

async fn fail() -> Result<(), Error> {
    Err(Error::internal("password=hunter2"))
}

async fn connected() -> (TestServer, TestClient) {
    let server = server(Gateway::new().on("order", order).on("refuse", refuse).on("fail", fail)).await;
    let client = server.connect().await.expect("connects");
    (server, client)
}

/// The acknowledgement as the client sees it.
async fn acknowledged(client: &TestClient, event: &str, data: &Value) -> Value {
    match client.emit_with_ack::<Value>(event, data).await {
        Ok(value) => value,
        Err(error) => json!({ "error": error }),
    }
}

#[tokio::test]
async fn errors_come_as_the_acknowledgement_when_one_was_asked_for_else_as_the_event_error() {
    let (_server, mut client) = connected().await;
    let long = "x".repeat(65);
    let cases = [
        ("refuse", json!(null), json!({"code": "NOT_YOUR_TURN", "message": "Wait for the other player"})),
        ("fail", json!(null), json!({"code": "INTERNAL", "message": "Something went wrong on the server"})),
        ("what", json!(null), json!({"code": "UNKNOWN_EVENT", "message": "no event `what` is known"})),
        (
            "connect",
            json!(null),
            json!({"code": "INVALID_NAME", "message": "event name `connect` is reserved by Socket.IO"}),
        ),
        (
            "disconnecting",
            json!(null),
            json!({"code": "INVALID_NAME", "message": "event name `disconnecting` is reserved by Socket.IO"}),
        ),
        ("", json!(null), json!({"code": "INVALID_NAME", "message": "event name is empty; 1 to 64 bytes are allowed"})),
        (
            &long,
            json!(null),
            json!({"code": "INVALID_NAME", "message": "event name is 65 bytes long; 1 to 64 are allowed"}),
        ),
        (
            "order",
            json!({"room": "r"}),
            json!({"code": "INVALID_PAYLOAD", "message": "items: is missing", "field": "items"}),
        ),
        (
            "order",
            json!({"room": "r", "items": [1, "two"]}),
            json!({"code": "INVALID_PAYLOAD", "message": "items[1]: invalid type: string \"two\", expected a whole number from 0 to 4294967295", "field": "items[1]"}),
        ),
        (
            "order",
            json!({"room": "", "items": []}),
            json!({"code": "INVALID_NAME", "message": "room name is empty; 1 to 128 bytes are allowed"}),
        ),
    ];
    for (event, data, error) in cases {
        assert_eq!(acknowledged(&client, event, &data).await, json!({ "error": error }), "{event} with {data}");
        assert!(client.drain().is_empty(), "an acknowledged error is no event");
        client.emit(event, &data);
        let mut told = error;
        // Of a name that is too long, as much as a valid one has.
        told["event"] = json!(event[..event.len().min(64)]);
        assert_eq!(client.expect::<Value>("error").await, told, "{event} with {data}");
    }
}

#[tokio::test]
async fn a_value_is_acknowledged_when_asked_for_and_nothing_is_sent_otherwise() {
    let (server, mut client) = connected().await;
    let data = json!({"room": "r", "items": [1]});
    assert_eq!(acknowledged(&client, "order", &data).await, json!("taken"));
    client.emit("order", &data);
    acknowledged(&client, "order", &data).await;
    server.service().broadcast("end", &()).await.expect("sends");
    assert_eq!(within("the end", client.next()).await.expect("arrives").name.as_str(), "end");
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_events() {
    async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
        if number.is_multiple_of(3) { Err(Error::application("THIRD", number.to_string())) } else { Ok(number) }
    }
    let server = server(Gateway::new().on("echo", echo)).await;
    let mut client = server.connect().await.expect("connects");
    (0..300_u32).for_each(|number| client.emit("echo", &number));
    for number in (0..300).step_by(3) {
        let error: Value = client.expect("error").await;
        assert_eq!(error["message"], number.to_string());
    }
}

#[tokio::test]
async fn json_nested_ten_thousand_deep_is_an_invalid_payload() {
    let (_server, client) = connected().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let payload = roomwire_service::Payload::from_encoded(deep.into(), Vec::new());
    let refused = client.emit_with_ack::<Value>("order", payload).await.expect_err("too deep");
    assert_eq!(refused.code(), ErrorCode::InvalidPayload);
}

#[tokio::test]
async fn a_fallback_takes_every_event_that_has_no_handler() {
    async fn fallback(name: EventName, event: Event) -> Result<String, Error> {
        Ok(format!("{name}: {}", event.payload().arguments()))
    }
    let server = server(Gateway::new().on("order", order).fallback(fallback)).await;
    let client = server.connect().await.expect("connects");
    assert_eq!(client.emit_with_ack::<String>("anything", &[1, 2]).await.expect("answers"), "anything: [1,2]");
    let known = client.emit_with_ack::<String>("order", &json!({"room": "r", "items": []})).await;
    assert_eq!(known.expect("answers"), "taken");
    let refused = client.emit_with_ack::<String>("newListener", &()).await.expect_err("reserved");
    assert_eq!(refused.code(), ErrorCode::InvalidName);
}

#[tokio::test]
async fn a_client_that_on_connect_refuses_gets_the_error_and_is_disconnected_and_its_events_are_not_handled() {
    async fn no() -> Result<(), Error> {
        tokio::task::yield_now().await;
        Err(Error::new(ErrorCode::Unauthorized))
    }
    async fn secret(State(done): State<Arc<AtomicUsize>>) -> Result<(), Error> {
        done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    let done = Arc::new(AtomicUsize::new(0));
    let server = server(Gateway::new().with_state(done.clone()).on_connect(no).on("secret", secret)).await;
    let mut client = server.connect().await.expect("connects");
    (0..10).for_each(|_| client.emit("secret", &()));
    let told: Value = client.expect("error").await;
    assert_eq!(told["code"], "UNAUTHORIZED");
    client.emit("secret", &());
    assert!(within("the end", client.next()).await.is_none(), "the connection ends");
    let service = server.service();
    crate::fixture::eventually("it is gone", async || service.client_count().await.expect("answers") == 0).await;
    assert_eq!(done.load(Ordering::SeqCst), 0, "done for a client that was refused");
}
