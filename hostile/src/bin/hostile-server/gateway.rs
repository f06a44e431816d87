//! What clients may ask of the server.

use roomwire_service::{Client, Data, Error, Gateway, Payload, RoomId, WebSocketService};
use serde::Deserialize;

/// What a member says; the rest of it is passed on as it came.
#[derive(Debug, Deserialize)]
struct Say {
    room: RoomId,
}

pub(crate) fn gateway() -> Gateway {
    Gateway::new().on("join", join).on("leave", leave).on("say", say).on("size", size)
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn leave(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.leave_room(&client, &room).await
}

async fn say(service: WebSocketService, Data(say): Data<Say>, payload: Payload) -> Result<(), Error> {
    service.broadcast_to_room(&say.room, "said", payload).await
}

/// How many bytes the arguments of the event take.
async fn size(payload: Payload) -> Result<usize, Error> {
    Ok(payload.size())
}
