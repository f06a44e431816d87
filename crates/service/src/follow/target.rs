//! What is followed, or shown in the log.

use roomwire_core::{ClientId, RoomId, UserId};

use super::Sending;

/// The clients, rooms and users whose events are of interest: of a [`follow`](crate::WebSocketService::follow), and of
/// [`set_debug`](crate::WebSocketService::set_debug).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FollowTarget {
    /// Everything that this node receives and sends.
    All,
    /// Messages to a room, its joins and leaves, and the events of its members on this node. Without requests for an
    /// acknowledgement, which are messages to its members.
    Room(RoomId),
    /// Messages to a user and to its clients on this node, and all that those clients do.
    User(UserId),
    /// Messages to a client of this node, and all that it does.
    Client(ClientId),
}

impl FollowTarget {
    /// Whether an event of this client is of interest. `is_in` returns whether it is a member of a room.
    pub(super) fn covers_event(
        &self,
        client: &ClientId,
        user: Option<&UserId>,
        is_in: impl FnOnce(&RoomId) -> bool,
    ) -> bool {
        match self {
            Self::All => true,
            Self::Room(room) => is_in(room),
            Self::User(followed) => user == Some(followed),
            Self::Client(followed) => client == followed,
        }
    }

    /// Whether a message is of interest.
    pub(super) fn covers_message(&self, message: &Sending<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Room(room) => message.room == Some(room),
            Self::User(user) => message.user == Some(user) || (message.reaches)(self),
            Self::Client(client) => message.client == Some(client) || (message.reaches)(self),
        }
    }
}
