//! The records of clients and rooms, as handlers and the API return them.

use serde::{Deserialize, Serialize};

use crate::{ClientId, NodeId, RoomId, Timestamp, UserId};

/// Application data attached to a client or a room.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// A connected client, as the shared state knows it.
///
/// In JSON: camelCase keys, times in RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebSocketClient {
    /// The client's `socket.id`.
    pub id: ClientId,
    /// The rooms it is a member of, sorted.
    pub rooms: Vec<RoomId>,
    /// The application's metadata.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// When it connected.
    pub connected_at: Timestamp,
    /// When it was last active; up to half a minute behind.
    pub last_active_at: Timestamp,
    /// The user, if the client is authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The node that holds its connection.
    pub node: NodeId,
}

/// A room, as the shared state knows it.
///
/// In JSON: camelCase keys, times in RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebSocketRoom {
    /// The room's id, by which it is joined.
    pub id: RoomId,
    /// The name shown to people; the id by default.
    pub name: String,
    /// The members, sorted.
    pub clients: Vec<ClientId>,
    /// The application's metadata.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// When it was created: by name or by its first member.
    pub created_at: Timestamp,
    /// When its members or settings last changed.
    pub updated_at: Timestamp,
    /// The largest number of members; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whether joining is refused.
    pub closed: bool,
}

#[cfg(test)]
mod tests {
    use super::{Metadata, WebSocketClient, WebSocketRoom};
    use crate::{ClientId, NodeId, RoomId, Timestamp, UserId};

    #[test]
    fn a_client_is_written_with_camel_case_keys() {
        let client = WebSocketClient {
            id: ClientId::new("c1").expect("valid"),
            rooms: vec![RoomId::new("r1").expect("valid")],
            metadata: Metadata::from_iter([("name".to_owned(), "Ada".into())]),
            connected_at: Timestamp::from_millis(0),
            last_active_at: Timestamp::from_millis(1),
            user: Some(UserId::new("ada").expect("valid")),
            node: NodeId::new("n1").expect("valid"),
        };
        let json = serde_json::to_string(&client).expect("serializes");
        assert_eq!(
            json,
            r#"{"id":"c1","rooms":["r1"],"metadata":{"name":"Ada"},"connectedAt":"1970-01-01T00:00:00.000Z","lastActiveAt":"1970-01-01T00:00:00.001Z","user":"ada","node":"n1"}"#
        );
        assert_eq!(serde_json::from_str::<WebSocketClient>(&json).expect("reads"), client);
    }

    #[test]
    fn a_room_is_written_with_camel_case_keys() {
        let room = WebSocketRoom {
            id: RoomId::new("r1").expect("valid"),
            name: "Room one".to_owned(),
            clients: vec![ClientId::new("c1").expect("valid")],
            metadata: Metadata::new(),
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(1),
            capacity: Some(2),
            closed: false,
        };
        let json = serde_json::to_string(&room).expect("serializes");
        assert_eq!(
            json,
            r#"{"id":"r1","name":"Room one","clients":["c1"],"createdAt":"1970-01-01T00:00:00.000Z","updatedAt":"1970-01-01T00:00:00.001Z","capacity":2,"closed":false}"#
        );
        assert_eq!(serde_json::from_str::<WebSocketRoom>(&json).expect("reads"), room);
    }
}
