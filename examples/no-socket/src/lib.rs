//! A gateway for a guessing game, and its tests without any socket.

use std::sync::Arc;

use roomwire_service::{Client, Data, Error, Gateway, RoomId, State, WebSocketService};
use serde::{Deserialize, Serialize};

/// The number to be guessed.
#[derive(Clone, Debug)]
pub struct Secret(pub Arc<u32>);

/// `guess`
#[derive(Debug, Deserialize)]
pub struct Guess {
    /// The table the player sits at.
    pub table: RoomId,
    /// The number.
    pub number: u32,
}

/// `found`
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    /// The client that found the number.
    pub winner: String,
}

/// The game as a gateway.
#[must_use]
pub fn game(secret: Secret) -> Gateway {
    Gateway::new().with_state(secret).on("sit", sit).on("guess", guess)
}

async fn sit(service: WebSocketService, client: Client, Data(table): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &table).await
}

async fn guess(
    service: WebSocketService,
    client: Client,
    State(Secret(secret)): State<Secret>,
    Data(Guess { table, number }): Data<Guess>,
) -> Result<&'static str, Error> {
    if !client.is_in(&table) {
        return Err(Error::application("NOT_AT_TABLE", "Sit down first"));
    }
    match number.cmp(&secret) {
        std::cmp::Ordering::Less => Ok("higher"),
        std::cmp::Ordering::Greater => Ok("lower"),
        std::cmp::Ordering::Equal => {
            service.broadcast_to_room(&table, "found", &Found { winner: client.id().to_string() }).await?;
            Ok("found")
        }
    }
}
