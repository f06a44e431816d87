//! What clients may ask of a node.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use roomwire_chaos::control::{Holdings, Said};
use roomwire_service::{Client, ClientId, Data, Error, ErrorCode, Gateway, RoomId, State, WebSocketService};
use serde::Deserialize;

/// The clients that take part on this node: the service is asked for each of them by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Here(Arc<Mutex<HashSet<ClientId>>>);

impl Here {
    /// Those that the service holds, with the rooms it says they are in.
    pub(crate) fn holdings(&self, service: &WebSocketService) -> Holdings {
        let known: Vec<ClientId> = self.0.lock().iter().cloned().collect();
        let held = known.iter().filter_map(|id| service.local_client(id));
        held.map(|client| (client.id().to_string(), client.rooms().iter().map(ToString::to_string).collect())).collect()
    }
}

#[derive(Debug, Deserialize)]
struct Say {
    room: RoomId,
    event: String,
    number: u64,
}

#[derive(Debug, Deserialize)]
struct Tell {
    client: ClientId,
    number: u64,
}

pub(crate) fn gateway(here: Here) -> Gateway {
    Gateway::new()
        .with_state(here)
        .on_connect(came)
        .on_disconnect(went)
        .on("join", join)
        .on("leave", leave)
        .on("say", say)
        .on("tell", tell)
}

async fn came(client: Client, State(here): State<Here>) -> Result<(), Error> {
    here.0.lock().insert(client.id().clone());
    Ok(())
}

async fn went(client: Client, State(here): State<Here>) -> Result<(), Error> {
    here.0.lock().remove(client.id());
    Ok(())
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    let joined = service.join_room(&client, &room).await;
    if let Err(error) = &joined
        && !matches!(error.code(), ErrorCode::RoomFull | ErrorCode::RoomClosed)
    {
        tracing::info!(target: "roomwire", %room, client = %client.id(), ?error, "a join failed");
    }
    joined
}

async fn leave(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.leave_room(&client, &room).await
}

async fn say(service: WebSocketService, client: Client, Data(say): Data<Say>) -> Result<(), Error> {
    let said = Said { room: say.room.to_string(), number: say.number, from: client.id().to_string() };
    service.broadcast_to_room(&say.room, &say.event, &said).await
}

async fn tell(service: WebSocketService, client: Client, Data(tell): Data<Tell>) -> Result<(), Error> {
    let said = Said { room: String::new(), number: tell.number, from: client.id().to_string() };
    service.send_to_client(&tell.client, "told", &said).await
}
