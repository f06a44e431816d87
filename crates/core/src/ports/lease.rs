//! Leases, cleanup and repair: the types that a store returns.

use super::RoomUid;
use crate::{ClientKey, Incarnation, RoomKey, UserId};

/// The result of renewing a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Incarnations with an expired lease and memberships left. Any node may reap them.
    pub expired: Vec<Incarnation>,
    /// Whether the store lost something that was written under this incarnation, for example because it restarted with
    /// older data. The node must then restore and compare everything. Every renewal reports it until one of them has
    /// returned it.
    pub behind: bool,
}

/// A client, or some of its memberships, as stored under an incarnation.
///
/// A store may keep the data of one client in several places, so one client may be spread over several items. All of
/// them together describe the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredClient {
    /// The client.
    pub key: ClientKey,
    /// Whether the client itself is registered. If none of its items has this set, the store has lost the client and
    /// kept memberships.
    pub registered: bool,
    /// The user that its record names.
    pub user: Option<UserId>,
    /// Rooms that its record names.
    pub named: Vec<RoomKey>,
    /// Rooms it is a member of.
    pub rooms: Vec<RoomKey>,
    /// Whether data of the client is missing, inconsistent or unreadable. The node must then restore the client.
    pub is_damaged: bool,
}

/// A membership that ended because its node was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Departure {
    /// The client that left.
    pub client: ClientKey,
    /// The room that it left.
    pub room: RoomKey,
}

/// The result of one cleanup step after a lost node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReapOutcome {
    /// The memberships this step removed. No other step, of any node, reports them again.
    pub departures: Vec<Departure>,
    /// The clients this step removed.
    pub clients: Vec<ClientKey>,
    /// Whether the incarnation is cleaned up completely.
    pub finished: bool,
}

/// A membership that was not restored as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredDifferently {
    /// The member.
    pub client: ClientKey,
    /// The room.
    pub room: RoomKey,
    /// The room's current uid. `None` if the membership was not restored, because the room with the given uid was
    /// deleted.
    pub uid: Option<RoomUid>,
}

/// Removals of one client's entries by other callers, through reaping its incarnation or deleting a room. Those callers
/// report the removals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemovedByOthers {
    /// Whether reaping removed the client.
    pub client: bool,
    /// The rooms with a membership that reaping or a deletion removed.
    pub rooms: Vec<RoomKey>,
}
