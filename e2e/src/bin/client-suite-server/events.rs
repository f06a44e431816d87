//! The events of the main namespace.

use std::time::Duration;

use roomwire_service::{
    Binary, Client, ClientId, Data, DebounceLayer, Encoded, Error, Event, Gateway, Handler, IntoPayload, Payload,
    Timestamp, WebSocketService,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tower::util::MapRequestLayer;

use crate::{
    handshake,
    sequence::{Sequences, follows, forget},
};

/// Much longer than the clients of the suite wait for an acknowledgement.
const TOO_LATE: Duration = Duration::from_secs(5);

/// How long the server waits for an acknowledgement of a client.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// The texts that the suite expects, with characters of two and three bytes.
const TEXTS: [&str; 5] = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"];

const BYTES: &[u8] = b"asdfasdf";

/// Binary data between other fields of an object.
#[expect(dead_code, reason = "decoding it is the check")]
#[derive(Deserialize)]
struct Mixed {
    hello: String,
    message: Binary,
    goodbye: String,
}

pub(crate) fn root() -> Gateway {
    let gateway = Gateway::new()
        .with_state(Sequences::default())
        .on("hi", reply("hi", Payload::default))
        .on("echo", echo)
        .on("false", reply("false", || &false))
        .on("getId", id)
        .on("getHandshake", handshake::read)
        .on("getAckDate", acknowledge_date)
        .on("getDate", send_date)
        .on("getDateObj", send_date_in_object)
        .on("getUtf8", send_texts)
        .on("ack", acknowledged_too_late.layer(too_late()).layer(MapRequestLayer::new(ask)))
        .fallback(acknowledged_too_late.layer(too_late()))
        .on_disconnect(forget);
    with_binary_events(gateway)
}

fn with_binary_events(gateway: Gateway) -> Gateway {
    gateway
        .on("doge", reply("doge", bytes))
        .on("getbin", reply("takebin", bytes))
        .on("buffa", confirm::<Binary>("buffack"))
        .on("blob", confirm::<Binary>("back"))
        .on("jsonbuff", confirm::<Mixed>("jsonbuff-ack"))
        .on("jsonblob", confirm::<Mixed>("jsonblob-ack"))
        .on("abuff1", follows::<Binary>(&[], None))
        .on("abuff2", follows::<String>(&["abuff1"], Some("abuff2-ack")))
        .on("blob1", follows::<Binary>(&[], None))
        .on("blob2", follows::<String>(&["blob1"], None))
        .on("blob3", follows::<Binary>(&["blob1", "blob2"], Some("blob3-ack")))
}

/// Sends an event to the client.
fn reply<P: IntoPayload + 'static>(
    event: &'static str,
    payload: impl Fn() -> P + Clone + Send + Sync + 'static,
) -> impl Handler<(WebSocketService, Client)> {
    move |service: WebSocketService, client: Client| async move {
        service.send_to_client(&client, event, payload().into_payload()?).await
    }
}

/// Sends an event to the client if the client's event carries a `T`.
fn confirm<T: DeserializeOwned + Send + 'static>(
    event: &'static str,
) -> impl Handler<(WebSocketService, Client, Data<T>)> {
    move |service: WebSocketService, client: Client, _: Data<T>| async move {
        service.send_to_client(&client, event, Payload::default()).await
    }
}

fn bytes() -> Payload {
    Payload::encode(&Binary::from(BYTES.to_vec())).unwrap_or_default()
}

async fn echo(payload: Payload) -> Result<Encoded, Error> {
    Ok(Encoded(payload))
}

pub(crate) async fn id(client: Client) -> Result<ClientId, Error> {
    Ok(client.id().clone())
}

async fn acknowledge_date() -> Result<Timestamp, Error> {
    Ok(Timestamp::now())
}

async fn send_date(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.send_to_client(&client, "takeDate", &Timestamp::now()).await
}

async fn send_date_in_object(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.send_to_client(&client, "takeDateObj", &json!({ "date": Timestamp::now() })).await
}

async fn send_texts(service: WebSocketService, client: Client) -> Result<(), Error> {
    for text in TEXTS {
        service.send_to_client(&client, "takeUtf8", text).await?;
    }
    Ok(())
}

/// Sends the event `ack` back and waits for its acknowledgement, in a task of its own: the client's next events do not
/// wait for it.
fn ask(event: Event) -> Event {
    let (service, client) = (event.service().clone(), event.client().clone());
    tokio::spawn(async move {
        let answer =
            service.send_to_client_with_ack::<(i64, Value)>(&client, "ack", Payload::default(), CLIENT_TIMEOUT).await;
        if let Ok((5, object)) = answer
            && object["test"] == true
        {
            // The client may have disconnected meanwhile.
            let _ = service.send_to_client(&client, "got it", Payload::default()).await;
        }
    });
    event
}

/// Defers an event outside of the client's mailbox until the client has stopped waiting for the acknowledgement. A
/// handler that returns always acknowledges its event; the suite's own server never acknowledges these.
fn too_late() -> DebounceLayer {
    DebounceLayer::new(TOO_LATE)
}

async fn acknowledged_too_late() -> Result<(), Error> {
    Ok(())
}
