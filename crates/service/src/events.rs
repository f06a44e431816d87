//! The stream of what happens to clients and rooms.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use roomwire_core::{ClientId, ClientKey, DisconnectReason, LeaveReason, RoomKey};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

/// Something that happened to a client or a room.
///
/// Each one is reported by exactly one node of the cluster: the one that did it. A client that is lost with
/// its node is reported by the node that cleans up. Every `Joined` is followed by exactly one `Left`, and every
/// `ClientConnected` by exactly one `ClientDisconnected`.
///
/// `Left` and `ClientDisconnected` are reported when the store has confirmed the end: while the store is away they
/// wait, though the client is out of the room at once. Of one client they come before its next `Joined` or
/// `ClientConnected`.
///
/// A client that leaves a namespace and connects again on the same connection has the same id. Its node reports the end
/// of its former stay, `Left` and `ClientDisconnected`, before the next `ClientConnected` and `Joined`.
///
/// A node may be taken for lost though it lives, because it was cut off from the store for longer than its lease lasts.
/// Its clients are then reported as gone, and as connected and joined again when it is back. What ended on it meanwhile
/// is not reported again. `docs/outage.md` says in which cases an end comes without a begin: ignore those.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// A client connected to this node.
    ClientConnected {
        /// Which client.
        client: ClientKey,
    },
    /// A client is gone. Its `Left` events came before.
    ClientDisconnected {
        /// Which client.
        client: ClientKey,
        /// Why.
        reason: DisconnectReason,
    },
    /// A client became a member of a room.
    Joined {
        /// Which room.
        room: RoomKey,
        /// Which client.
        client: ClientId,
    },
    /// A client is no longer a member of a room.
    Left {
        /// Which room.
        room: RoomKey,
        /// Which client.
        client: ClientId,
        /// Why.
        reason: LeaveReason,
    },
    /// A room was created by name. Rooms that come into being by a join are not reported.
    RoomCreated {
        /// Which room.
        room: RoomKey,
    },
    /// A room was closed.
    RoomClosed {
        /// Which room.
        room: RoomKey,
    },
    /// A room was opened.
    RoomOpened {
        /// Which room.
        room: RoomKey,
    },
    /// A room's capacity or metadata was changed.
    RoomChanged {
        /// Which room.
        room: RoomKey,
    },
    /// A room was deleted. The `Left` events of its members came before.
    RoomDeleted {
        /// Which room.
        room: RoomKey,
    },
    /// The shared state cannot be reached, or refuses to renew this node's lease. Joins fail until it does; members on
    /// one node go on hearing each other.
    StateUnavailable,
    /// The shared state, or the way to other nodes, can be reached and refused an operation: a right is missing, or a
    /// key is not as this service wrote it. Said at most once a minute for each kind of operation and code.
    StateRefused {
        /// The operation, for example `script join` or `SPUBLISH`.
        what: String,
        /// The backend's code, for example `NOPERM` or `WRONGTYPE`.
        code: String,
        /// The backend's own words, with the key or channel. Not for clients.
        words: String,
    },
    /// The shared state can be reached again.
    StateRecovered,
    /// The shared state lost data: it is empty, or older than it was. This node puts its clients and their rooms back;
    /// each node says so for itself. Rooms without members on any node are lost: create them again.
    /// Creating rooms fails with `STATE_UNAVAILABLE` until the nodes have put their members back, about a third of a lease.
    StateLost,
    /// Messages of other nodes are being missed: the backplane is away. A `BackplaneGap` follows when it is back.
    BackplaneInterrupted,
    /// Messages of other nodes may have been missed: the backplane was away, perhaps for a moment only, or messages
    /// could not be read because they were damaged or of another version. Unreadable messages of a minute are one gap.
    BackplaneGap,
    /// The reader of this stream was too slow and missed so many events.
    Missed {
        /// How many.
        events: u64,
    },
}

/// How many events may wait for one slow reader before it misses the oldest.
const BACKLOG: usize = 8192;

/// Where events are reported.
#[derive(Debug)]
pub(crate) struct EventBus(broadcast::Sender<ServiceEvent>);

impl Default for EventBus {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl EventBus {
    /// Reports an event. It is not built without a reader.
    pub(crate) fn send(&self, event: impl FnOnce() -> ServiceEvent) {
        if self.0.receiver_count() > 0 {
            // The last reader may be gone by now.
            let _ = self.0.send(event());
        }
    }

    pub(crate) fn read(&self) -> ServiceEvents {
        ServiceEvents(BroadcastStream::new(self.0.subscribe()))
    }
}

/// The events of a service, from the moment the stream was asked for.
///
/// Dropping it ends it; it ends by itself when the service is gone. A reader that falls 8192 events behind
/// gets a [`ServiceEvent::Missed`] in place of those it lost.
#[derive(Debug)]
pub struct ServiceEvents(BroadcastStream<ServiceEvent>);

impl ServiceEvents {
    /// The next event; none when the service is gone. Cancel safe: a dropped call loses no event.
    pub async fn next(&mut self) -> Option<ServiceEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for ServiceEvents {
    type Item = ServiceEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ServiceEvent>> {
        let event = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(event.map(|event| match event {
            Ok(event) => event,
            Err(BroadcastStreamRecvError::Lagged(events)) => ServiceEvent::Missed { events },
        }))
    }
}
