//! Rooms and clients across namespaces.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClientId, Namespace, RoomId};

/// One room of one namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomKey {
    /// The namespace the room is in.
    pub namespace: Namespace,
    /// The room's name there.
    pub room: RoomId,
}

impl RoomKey {
    /// The room of that name in that namespace.
    #[must_use]
    pub fn new(namespace: Namespace, room: RoomId) -> Self {
        Self { namespace, room }
    }
}

impl fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.room, self.namespace)
    }
}

/// One client of one namespace.
///
/// A connection that joins two namespaces is two clients, which may share an id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey {
    /// The namespace the client is connected to.
    pub namespace: Namespace,
    /// The client's id there.
    pub client: ClientId,
}

impl ClientKey {
    /// The client of that id in that namespace.
    #[must_use]
    pub fn new(namespace: Namespace, client: ClientId) -> Self {
        Self { namespace, client }
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.client, self.namespace)
    }
}
