//! A gateway of the honest-use tests.

use roomwire_service::{Client, Error, Gateway, WebSocketService};

use crate::events;

/// A namespace that joins each client to fifty rooms in `on_connect`.
pub(crate) fn fifty_rooms() -> Gateway {
    Gateway::of("/fifty-rooms").on_connect(join_fifty).on("echo", events::echo)
}

async fn join_fifty(service: WebSocketService, client: Client) -> Result<(), Error> {
    for number in 0..50 {
        service.join_room(&client, format!("fifty-{number}").as_str()).await?;
    }
    Ok(())
}
