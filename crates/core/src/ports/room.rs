//! Rooms, as the service and its store exchange them.

use serde::{Deserialize, Serialize};

use crate::{ClientId, Incarnation, Metadata, NodeId, RoomId, Timestamp};

/// Identifies one room from its creation until it is deleted or, if it was never created by name, until its last member
/// is gone. A later room of the same name has another uid.
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
/// Such a room exists until it is deleted, also without members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRoom {
    /// The name shown to people; the id when absent.
    pub name: Option<String>,
    /// How many members it may have; no bound when absent.
    pub capacity: Option<u32>,
    /// What the application notes about it.
    pub metadata: Metadata,
}

impl NewRoom {
    /// A room for so many members.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        Self { capacity: Some(capacity), ..Self::default() }
    }

    /// With a name shown to people.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With notes of the application.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }
}

/// One change of a room's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// No client may join any more; members stay.
    Close,
    /// Joining is allowed again.
    Open,
    /// The capacity is this from now on. Members beyond it stay; no client can join until there is room.
    Capacity(Option<u32>),
    /// The application's notes are these from now on.
    Metadata(Metadata),
}

/// What a join did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinOutcome {
    /// The uid of the room that was joined.
    pub uid: RoomUid,
    /// Whether the client was no member before.
    pub newly_joined: bool,
    /// Whether the room came into being by this join.
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
    /// Where it is connected.
    pub node: NodeId,
}

impl From<Member> for MemberRecord {
    fn from(Member { client, incarnation }: Member) -> Self {
        Self { client, node: incarnation.node().clone() }
    }
}

/// What tells one deletion of a room from others: a call that is repeated repeats it.
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

/// A room in a list: without its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomSummary {
    /// The room's id, by which it is joined.
    pub id: RoomId,
    /// The name shown to people.
    pub name: String,
    /// How many members it has.
    pub members: u32,
    /// How many it may have; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whether joining is refused.
    pub closed: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its members or settings last changed.
    pub updated_at: Timestamp,
}
