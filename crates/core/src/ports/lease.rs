//! What is said about the lives of nodes.

use crate::{ClientKey, Incarnation, RoomKey};

/// What a node learns when it renews its lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Lives whose lease ran out and whose memberships wait to be cleaned up by whoever comes first.
    pub expired: Vec<Incarnation>,
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
