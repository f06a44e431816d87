//! What is said about the lives of nodes.

use crate::{ClientKey, Incarnation, RoomKey};

/// What a node learns when it renews its lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Lives whose lease ran out and whose memberships wait to be cleaned up by whoever comes first.
    pub expired: Vec<Incarnation>,
    /// Whether the store lost something that was written under this life, as a store does that came back with
    /// older data: everything is to be put back and compared. Said by every renewal until one of them has returned it.
    pub behind: bool,
}

/// A client, or some of its memberships, as the store holds it under a life.
///
/// A store may keep what it knows of one client in several places, so one client may come in several of these:
/// what holds of it is all of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldClient {
    /// Which client.
    pub key: ClientKey,
    /// Whether the client itself is registered. When none of its items says so, the store has lost the client and
    /// kept memberships.
    pub registered: bool,
    /// Rooms it is a member of.
    pub rooms: Vec<RoomKey>,
}

/// A membership that ended because its node is gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Departure {
    /// Who left.
    pub client: ClientKey,
    /// Which room.
    pub room: RoomKey,
}

/// What one step of cleaning up after a lost node did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReapOutcome {
    /// The memberships this step removed. No other step, of any node, reports them again.
    pub departures: Vec<Departure>,
    /// The clients this step removed.
    pub clients: Vec<ClientKey>,
    /// Whether nothing of that life is left.
    pub finished: bool,
}
