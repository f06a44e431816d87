//! The stream of events about clients and rooms.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use roomwire_core::{ClientId, ClientKey, DisconnectReason, LeaveReason, RoomKey};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::follow::{Activity, Followers, Reported};

/// Something that happened to a client or a room.
///
/// Each event is reported by exactly one node of the cluster: the one that caused it. The node that cleans up after a
/// lost node reports the clients of that node. Every `Joined` is followed by exactly one `Left`, and every
/// `ClientConnected` by exactly one `ClientDisconnected`.
///
/// `Left` and `ClientDisconnected` are reported when the store has confirmed the end. While the store is unavailable
/// they wait, though the client is removed from the room at once. For one client they precede its next `Joined` or
/// `ClientConnected`.
///
/// A client that leaves a namespace and connects again on the same connection has the same id. Its node reports the end
/// of its former session, `Left` and `ClientDisconnected`, before the next `ClientConnected` and `Joined`.
///
/// A node may be taken for lost while it is running, because it was cut off from the store for longer than its lease
/// lasts. Its clients are then reported as disconnected, and as connected and joined again when it is back. Ends on
/// that node in the meantime are not reported again. `docs/outage.md` lists the cases in which an end comes without a
/// begin: ignore those.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// A client connected to this node.
    ClientConnected {
        /// The client.
        client: ClientKey,
    },
    /// A client disconnected. Its `Left` events came before.
    ClientDisconnected {
        /// The client.
        client: ClientKey,
        /// The cause.
        reason: DisconnectReason,
    },
    /// A client became a member of a room.
    Joined {
        /// The room.
        room: RoomKey,
        /// The client.
        client: ClientId,
    },
    /// A client is no longer a member of a room.
    Left {
        /// The room.
        room: RoomKey,
        /// The client.
        client: ClientId,
        /// The cause.
        reason: LeaveReason,
    },
    /// A room was created by name. Rooms that are created by a join are not reported.
    RoomCreated {
        /// The room.
        room: RoomKey,
    },
    /// A room was closed.
    RoomClosed {
        /// The room.
        room: RoomKey,
    },
    /// A room was opened.
    RoomOpened {
        /// The room.
        room: RoomKey,
    },
    /// A room's capacity or metadata was changed.
    RoomChanged {
        /// The room.
        room: RoomKey,
    },
    /// A room was deleted. The `Left` events of its members came before.
    RoomDeleted {
        /// The room.
        room: RoomKey,
    },
    /// The shared state is unreachable, or refuses to renew this node's lease. Joins fail until it recovers; members on
    /// one node still receive each other's messages.
    StateUnavailable,
    /// The shared state or the backplane is reachable and refused an operation: a permission is missing, or a key has
    /// another type than this service writes. Reported at most once a minute for each kind of operation and code.
    StateRefused {
        /// The operation, for example `script join` or `SPUBLISH`.
        what: String,
        /// The backend's code, for example `NOPERM` or `WRONGTYPE`.
        code: String,
        /// The backend's own words, with the key or channel. Not for clients.
        words: String,
    },
    /// The shared state is reachable again.
    StateRecovered,
    /// The shared state lost data: it is empty, or older than it was. This node restores its clients and their rooms;
    /// each node reports this for itself. Rooms without members on any node are lost: create them again. Creating rooms
    /// fails with `STATE_UNAVAILABLE` until the nodes have restored their members, about a third of a lease.
    StateLost,
    /// Messages of other nodes are being missed: the backplane is down. A `BackplaneGap` follows when it is back.
    BackplaneInterrupted,
    /// Messages of other nodes may have been missed: the backplane was down, perhaps only for a moment, or messages
    /// could not be read because they were damaged or of another version. Unreadable messages of a minute are one gap.
    BackplaneGap,
    /// The reader of this stream was too slow and missed this many events.
    Missed {
        /// The number of missed events.
        events: u64,
    },
}

/// The number of events that are buffered for a slow reader before it misses the oldest.
const BACKLOG: usize = 8192;

/// Publishes events.
#[derive(Clone, Debug)]
pub(crate) struct EventBus {
    readers: broadcast::Sender<ServiceEvent>,
    /// They get those about clients.
    followers: Arc<Followers>,
}

impl EventBus {
    pub(crate) fn new(followers: Arc<Followers>) -> Self {
        Self { readers: broadcast::Sender::new(BACKLOG), followers }
    }

    /// Publishes an event. It is not built if there is neither a reader nor a follower.
    pub(crate) fn send(&self, event: impl FnOnce() -> ServiceEvent) {
        let is_followed = self.followers.is_active();
        if self.readers.receiver_count() == 0 && !is_followed {
            return;
        }
        let event = event();
        if is_followed {
            self.tell_followers(&event);
        }
        // The last reader may have been dropped meanwhile.
        let _ = self.readers.send(event);
    }

    pub(crate) fn read(&self) -> ServiceEvents {
        ServiceEvents(BroadcastStream::new(self.readers.subscribe()))
    }

    fn tell_followers(&self, event: &ServiceEvent) {
        let (namespace, client, room, activity) = match event {
            ServiceEvent::ClientConnected { client } => (&client.namespace, &client.client, None, Activity::Connected),
            ServiceEvent::ClientDisconnected { client, reason } => {
                (&client.namespace, &client.client, None, Activity::Disconnected { reason: *reason })
            }
            ServiceEvent::Joined { room, client } => (&room.namespace, client, Some(&room.room), Activity::Joined),
            ServiceEvent::Left { room, client, reason } => {
                (&room.namespace, client, Some(&room.room), Activity::Left { reason: *reason })
            }
            ServiceEvent::BackplaneGap => return self.followers.gap(),
            _ => return,
        };
        self.followers.reported(&Reported { namespace, client, room, activity });
    }
}

/// The events of a service, from the creation of the stream.
///
/// It ends when it is dropped or when the service is. A reader that falls 8192 events behind gets a
/// [`ServiceEvent::Missed`] in place of the lost events.
#[derive(Debug)]
pub struct ServiceEvents(BroadcastStream<ServiceEvent>);

impl ServiceEvents {
    /// The next event. `None` after the service was dropped. Cancel safe: a dropped call loses no event.
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
