//! The records of the API.

use roomwire_core::{
    ClientId, MemberRecord, Metadata, NodeId, NodeSummary, RoomId, RoomSummary, Timestamp, UserId, WebSocketClient,
    WebSocketRoom,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A room in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedRoom {
    /// The room's id, by which it is joined.
    #[schema(value_type = String)]
    id: RoomId,
    /// The name shown to people; the id unless it was set.
    name: String,
    /// The number of members.
    #[schema(value_type = u64)]
    members: u32,
    /// The largest number of members; unlimited if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    capacity: Option<u32>,
    /// Whether joining is refused.
    closed: bool,
    /// When it was created: by name or by its first member.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its members or settings last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A room, without its members: these are a list of their own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Room {
    /// The room's id, by which it is joined.
    #[schema(value_type = String)]
    id: RoomId,
    /// The name shown to people; the id unless it was set.
    name: String,
    /// The number of members.
    #[schema(value_type = u64)]
    members: usize,
    /// The application's metadata.
    #[schema(value_type = Object)]
    metadata: Metadata,
    /// The largest number of members; unlimited if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    capacity: Option<u32>,
    /// Whether joining is refused.
    closed: bool,
    /// When it was created: by name or by its first member.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its members or settings last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A member of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomMember {
    /// The client.
    #[schema(value_type = String)]
    client: ClientId,
    /// The node that holds its connection.
    #[schema(value_type = String)]
    node: NodeId,
}

/// A connected client.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Client {
    /// The client's `socket.id`.
    #[schema(value_type = String)]
    id: ClientId,
    /// The rooms it is a member of, sorted.
    #[schema(value_type = Vec<String>)]
    rooms: Vec<RoomId>,
    /// The application's metadata.
    #[schema(value_type = Object)]
    metadata: Metadata,
    /// When it connected.
    #[schema(value_type = String, format = DateTime)]
    connected_at: Timestamp,
    /// When it was last active; up to half a minute behind.
    #[schema(value_type = String, format = DateTime)]
    last_active_at: Timestamp,
    /// The user, if the client is authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    user: Option<UserId>,
    /// The node that holds its connection.
    #[schema(value_type = String)]
    node: NodeId,
}

/// A node of the cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    /// The node's id.
    #[schema(value_type = String)]
    id: NodeId,
    /// The number of its clients, in all namespaces.
    clients: u64,
    /// The number of memberships of these clients.
    memberships: u64,
}

impl From<RoomSummary> for ListedRoom {
    fn from(room: RoomSummary) -> Self {
        let RoomSummary { id, name, members, capacity, closed, created_at, updated_at } = room;
        Self { id, name, members, capacity, closed, created_at, updated_at }
    }
}

impl From<WebSocketRoom> for Room {
    fn from(room: WebSocketRoom) -> Self {
        let WebSocketRoom { id, name, clients, metadata, created_at, updated_at, capacity, closed } = room;
        Self { id, name, members: clients.len(), metadata, capacity, closed, created_at, updated_at }
    }
}

impl From<MemberRecord> for RoomMember {
    fn from(MemberRecord { client, node }: MemberRecord) -> Self {
        Self { client, node }
    }
}

impl From<WebSocketClient> for Client {
    fn from(client: WebSocketClient) -> Self {
        let WebSocketClient { id, rooms, metadata, connected_at, last_active_at, user, node } = client;
        Self { id, rooms, metadata, connected_at, last_active_at, user, node }
    }
}

impl Node {
    pub(crate) fn id(&self) -> &NodeId {
        &self.id
    }
}

impl From<NodeSummary> for Node {
    fn from(NodeSummary { node, clients, memberships }: NodeSummary) -> Self {
        Self { id: node, clients, memberships }
    }
}
