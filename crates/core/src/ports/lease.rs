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

/// A client, or some of its memberships, as the store holds it under an incarnation.
///
/// A store may keep the data of one client in several places, so one client may be spread over several items. All of
/// them together describe the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredClient {
    /// Which client.
    pub key: ClientKey,
    /// Whether the client itself is registered. If none of its items says so, the store has lost the client and kept
    /// memberships.
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

/// A membership that ended because its node is gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Departure {
    /// The client that left.
    pub client: ClientKey,
    /// The room that it left.
    pub room: RoomKey,
}

/// What one step of cleaning up after a lost node did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReapOutcome {
    /// The memberships this step removed. No other step, of any node, reports them again.
    pub departures: Vec<Departure>,
    /// The clients this step removed.
    pub clients: Vec<ClientKey>,
    /// Whether nothing of that incarnation is left.
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

/// What other callers removed of one client, by reaping its incarnation or by deleting a room. They report the
/// removals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemovedByOthers {
    /// Whether reaping removed the client.
    pub client: bool,
    /// The rooms with a membership that reaping or a deletion removed.
    pub rooms: Vec<RoomKey>,
}
