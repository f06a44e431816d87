//! Events of the protocol suites: the handshake's `auth`, messages that are sent back, bursts of the server.

use std::time::Duration;

use roomwire_service::{Client, Data, Error, Gateway, Payload, WebSocketService};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::events;

const LARGEST: usize = 1_000_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Burst {
    count: u32,
    bytes: usize,
    #[serde(default)]
    pause_ms: u64,
}

/// A namespace beside the main one.
pub(crate) fn custom() -> Gateway {
    Gateway::of("/custom")
        .on_connect(tell_auth)
        .on("echo", events::echo)
        .on("message", send_back)
        .on("kick-me", events::kick_me)
}

/// Sends the `auth` of the handshake to the client, if there was any.
pub(crate) async fn tell_auth(service: WebSocketService, client: Client, Data(auth): Data<Value>) -> Result<(), Error> {
    if auth.is_null() {
        return Ok(());
    }
    service.send_to_client(&client, "auth", &auth).await
}

/// Sends the arguments of an event to its sender.
pub(crate) async fn send_back(service: WebSocketService, client: Client, payload: Payload) -> Result<(), Error> {
    service.send_to_client(&client, "message-back", payload).await
}

/// Sends numbered events of so many bytes to the client.
pub(crate) async fn burst(service: WebSocketService, client: Client, Data(burst): Data<Burst>) -> Result<(), Error> {
    let padding = "x".repeat(burst.bytes.min(LARGEST));
    for number in 0..burst.count {
        service.send_to_client(&client, "numbered", &json!({ "number": number, "padding": padding })).await?;
        if burst.pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(burst.pause_ms)).await;
        }
    }
    Ok(())
}
