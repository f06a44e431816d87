//! Rooms, as the service and its store exchange them.

use serde::{Deserialize, Serialize};

use crate::{ClientId, Incarnation, Metadata, NodeId, RoomId, Timestamp};

/// Identifies one room from its creation until it is deleted or, unless it was created by name with
/// [`NewRoom::keep_when_empty`] true, until its last member leaves. A later room of the same name has another uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoomUid(u64);

impl RoomUid {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The number, for a store.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The uid with this number.
    #[must_use]
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

/// The settings of a room that is created by name.
///
/// Such a room exists until it is deleted, also without members, unless [`keep_when_empty`](Self::keep_when_empty) is
/// false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoom {
    /// The name shown to people; the id by default.
    pub name: Option<String>,
    /// The largest number of members; unlimited by default.
    pub capacity: Option<u32>,
    /// The application's metadata.
    pub metadata: Metadata,
    /// Whether the room stays when its last member leaves. True by default. If false, it exists, with its settings, until
    /// its last member has left, like a room that a join created; before its first member joins, it stays, and while it is
    /// closed.
    pub keep_when_empty: bool,
}

impl Default for NewRoom {
    fn default() -> Self {
        Self { name: None, capacity: None, metadata: Metadata::default(), keep_when_empty: true }
    }
}

impl NewRoom {
    /// A room with this capacity.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        Self { capacity: Some(capacity), ..Self::default() }
    }

    /// Sets the name shown to people.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets whether the room stays when its last member leaves.
    #[must_use]
    pub fn keep_when_empty(mut self, keep: bool) -> Self {
        self.keep_when_empty = keep;
        self
    }

    /// Sets the application's metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }
}

/// One change of a room's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// Rejects new members; current members stay.
    Close,
    /// Accepts new members again.
    Open,
    /// Sets the capacity. Members beyond it stay; no client can join until there is room.
    Capacity(Option<u32>),
    /// Replaces the application's metadata.
    Metadata(Metadata),
}

/// The result of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinOutcome {
    /// The uid of the room that was joined.
    pub uid: RoomUid,
    /// Whether the client was not a member before.
    pub newly_joined: bool,
    /// Whether the join created the room.
    pub created: bool,
}

/// A member of a room, as a store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member.
    pub client: ClientId,
    /// The incarnation under which it joined: that of the process that holds its connection.
    pub incarnation: Incarnation,
}

/// A member of a room and the node that holds its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// The member.
    pub client: ClientId,
    /// The node.
    pub node: NodeId,
}

impl From<Member> for MemberRecord {
    fn from(Member { client, incarnation }: Member) -> Self {
        Self { client, node: incarnation.node().clone() }
    }
}

/// Identifies one deletion of a room: a repeated call has the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeletionId(u64);

impl DeletionId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The number, for a store.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// A room that has just been deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedRoom {
    /// The uid of the deleted room.
    pub uid: RoomUid,
    /// The members at the time of the deletion.
    pub members: Vec<ClientId>,
}

/// A room in a list, without its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomSummary {
    /// The room's id, by which it is joined.
    pub id: RoomId,
    /// The name shown to people.
    pub name: String,
    /// The number of members.
    pub members: u32,
    /// The largest number of members; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whether joining is refused.
    pub closed: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its members or settings last changed.
    pub updated_at: Timestamp,
}
