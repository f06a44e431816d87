//! What a follower gets.

use std::time::Duration;

use roomwire_core::{
    ClientId, DisconnectReason, EventName, LeaveReason, Namespace, Payload, RoomId, Timestamp, UserId,
};

/// One item of a [`Follower`](super::Follower).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Followed {
    /// When it happened, by the clock of this node. For a received event the end of its handling.
    pub at: Timestamp,
    /// The namespace.
    pub namespace: Namespace,
    /// The client that sent the event, gets the message, or changed its state. `None` for a message to several clients.
    pub client: Option<ClientId>,
    /// The user of that client, if it is known, or the user that gets the message.
    pub user: Option<UserId>,
    /// The room that gets the message, or that the client joined or left.
    pub room: Option<RoomId>,
    /// What happened.
    pub activity: Activity,
}

/// What happened to a followed room, user or client.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activity {
    /// A client sent an event, and it was handled or rejected.
    Received {
        /// Its name. `None` if it is not valid or not known.
        event: Option<EventName>,
        /// Its arguments. `None` if the event was rejected before it was read, and for `authenticate`, which contains
        /// credentials.
        payload: Option<Payload>,
        /// `OK`, or the code of the error.
        outcome: &'static str,
        /// How long its handler took. `None` if no handler was called.
        took: Option<Duration>,
    },
    /// A message was sent. One item, whatever the number of its recipients.
    Sent {
        /// Its kind of recipient. The item's `client`, `room` or `user` names it.
        to: Recipient,
        /// The client that does not get it, usually its sender.
        except: Option<ClientId>,
        /// The event's name.
        event: EventName,
        /// Its arguments.
        payload: Payload,
        /// The number of this node's clients that it was queued for.
        queued: usize,
        /// The number of this node's clients that did not get it: they have disconnected, or are disconnected as slow
        /// consumers.
        failed: usize,
    },
    /// A client of this node was asked for an acknowledgement, and acknowledged or did not.
    AckRequested {
        /// The event's name.
        event: EventName,
        /// Its arguments.
        payload: Payload,
        /// The acknowledgement.
        answer: Option<Payload>,
        /// `OK`, `TIMEOUT`, or `CLIENT_NOT_FOUND`.
        outcome: &'static str,
        /// The time until the acknowledgement or the timeout.
        took: Duration,
    },
    /// The client connected.
    Connected,
    /// The client disconnected.
    Disconnected {
        /// The cause.
        reason: DisconnectReason,
    },
    /// The client became a member of the room.
    Joined,
    /// The client is no longer a member of the room.
    Left {
        /// The cause.
        reason: LeaveReason,
    },
    /// Messages of other nodes may have been missed: see [`ServiceEvent::BackplaneGap`](crate::ServiceEvent).
    Gap,
    /// The follower was too slow and missed this many items. They were older than the next item.
    Missed {
        /// The number of missed items.
        items: u64,
    },
}

/// The kind of recipient of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recipient {
    /// One client.
    Client,
    /// The members of a room.
    Room,
    /// The clients of a user.
    User,
    /// All clients of the namespace.
    All,
}

impl Activity {
    /// The memory that its payloads use.
    pub(super) fn payload_size(&self) -> usize {
        match self {
            Self::Received { payload, .. } => payload.as_ref().map_or(0, Payload::size),
            Self::Sent { payload, .. } => payload.size(),
            Self::AckRequested { payload, answer, .. } => payload.size() + answer.as_ref().map_or(0, Payload::size),
            Self::Connected
            | Self::Disconnected { .. }
            | Self::Joined
            | Self::Left { .. }
            | Self::Gap
            | Self::Missed { .. } => 0,
        }
    }
}
