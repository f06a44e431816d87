//! What the chat's clients and server say to each other.

use roomwire_service::{ClientId, Error, LeaveReason, Metadata, PageRequest, RoomId, Timestamp, WebSocketService};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a client sends with its handshake.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Person {
    name: Option<String>,
}

impl Person {
    /// The name, `guest` when none was given.
    pub(crate) fn checked_name(self) -> Result<String, Error> {
        let name = self.name.unwrap_or_else(|| "guest".to_owned()).trim().to_owned();
        if (1..=40).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
            return Ok(name);
        }
        Err(Error::invalid_field("name", "1 to 40 characters are allowed"))
    }
}

/// `send-message`
#[derive(Debug, Deserialize)]
pub(crate) struct SendMessage {
    pub(crate) room: RoomId,
    pub(crate) message: String,
}

/// `user-joined`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserJoined<'a> {
    pub(crate) user_id: &'a ClientId,
    pub(crate) name: String,
    pub(crate) room: &'a RoomId,
}

/// `user-left`; the name is missing when the client is gone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserLeft<'a> {
    pub(crate) user_id: &'a ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) room: &'a RoomId,
    pub(crate) reason: LeaveReason,
}

/// `new-message`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewMessage<'a> {
    pub(crate) user_id: &'a ClientId,
    pub(crate) name: String,
    pub(crate) room: &'a RoomId,
    pub(crate) message: String,
    pub(crate) timestamp: Timestamp,
}

/// The name that was remembered when the client connected.
pub(crate) fn name_of(metadata: &Metadata) -> String {
    metadata.get("name").and_then(Value::as_str).unwrap_or("guest").to_owned()
}

/// Who is in a room: the first two hundred.
pub(crate) async fn people(service: &WebSocketService, room: &RoomId) -> Result<Vec<Value>, Error> {
    let mut people = Vec::new();
    for member in service.members(room, &PageRequest::first(200)).await?.items {
        // Whoever left in this moment is not here.
        if let Ok(client) = service.client(&member.client).await {
            people.push(json!({ "userId": client.id, "name": name_of(&client.metadata) }));
        }
    }
    Ok(people)
}
