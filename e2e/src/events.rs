//! The events of the protocol tests.

use std::time::Duration;

use roomwire_service::{Binary, Client, Data, Encoded, Error, Payload, RoomId, WebSocketService};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
pub(crate) struct BinaryToRoom {
    room: RoomId,
    data: Binary,
}

#[derive(Debug, Serialize)]
struct BinaryMessage {
    data: Binary,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AskRoom {
    room: RoomId,
    question: Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shout {
    room: RoomId,
    message: Value,
}

pub(crate) async fn echo(payload: Payload) -> Result<Encoded, Error> {
    Ok(Encoded(payload))
}

pub(crate) async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

pub(crate) async fn binary_to_room(service: WebSocketService, sent: Data<BinaryToRoom>) -> Result<(), Error> {
    let Data(BinaryToRoom { room, data }) = sent;
    service.broadcast_to_room(&room, "binary", &BinaryMessage { data }).await
}

/// Passes on to the room "relay" what came, without decoding it.
pub(crate) async fn relay(service: WebSocketService, payload: Payload) -> Result<(), Error> {
    service.broadcast_to_room("relay", "relayed", payload).await
}

pub(crate) async fn relay_decoded(service: WebSocketService, Data(value): Data<Value>) -> Result<(), Error> {
    service.broadcast_to_room("relay", "relayed", &value).await
}

pub(crate) async fn ask_me(
    service: WebSocketService,
    client: Client,
    Data(question): Data<Value>,
) -> Result<Value, Error> {
    service.send_to_client_with_ack(&client, "question", &question, Duration::from_secs(2)).await
}

pub(crate) async fn ask_room(service: WebSocketService, asked: Data<AskRoom>) -> Result<Value, Error> {
    let Data(AskRoom { room, question }) = asked;
    let timeout = Duration::from_millis(700);
    let heard = service.broadcast_to_room_with_ack::<Value>(&room, "question", &question, timeout).await?;
    let mut answers = Vec::new();
    for (client, answer) in heard.answers {
        answers.push(json!({ "clientId": client, "answer": answer? }));
    }
    Ok(json!({ "answers": answers, "silent": heard.silent }))
}

pub(crate) async fn shout(service: WebSocketService, Data(Shout { room, message }): Data<Shout>) -> Result<(), Error> {
    service.broadcast_to_room(&room, "shout", &json!({ "message": message })).await
}

pub(crate) async fn panic_at_once() -> Result<(), Error> {
    panic!("as asked, at once")
}

pub(crate) async fn panic_later() -> Result<(), Error> {
    tokio::task::yield_now().await;
    panic!("as asked, later")
}

pub(crate) async fn slow(Data(millis): Data<u64>) -> Result<(), Error> {
    tokio::time::sleep(Duration::from_millis(millis.min(15_000))).await;
    Ok(())
}

pub(crate) async fn whoami(client: Client) -> Result<Value, Error> {
    Ok(json!({ "id": client.id(), "namespace": client.namespace(), "user": client.user() }))
}

pub(crate) async fn kick_me(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.disconnect_client(&client).await
}

pub(crate) async fn crowd(service: WebSocketService) -> Result<u64, Error> {
    service.client_count().await
}
