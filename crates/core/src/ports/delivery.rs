//! The port to the connections of this node.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{ClientId, ClientKey, ConflationKey, DisconnectReason, EventName, Namespace, Payload, RoomId};

/// An event on its way to clients.
#[derive(Clone, Debug)]
pub struct OutboundEvent {
    /// The event's name.
    pub name: EventName,
    /// Its arguments, encoded once.
    pub payload: Payload,
    /// Set if a newer event of the same kind may replace this one.
    pub conflation: Option<Arc<Conflation>>,
}

impl OutboundEvent {
    /// An event that every receiver must see.
    #[must_use]
    pub fn new(name: EventName, payload: Payload) -> Self {
        Self { name, payload, conflation: None }
    }
}

/// Which events replace each other while they are queued: those of one room with one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conflation {
    /// The room they are sent to.
    pub room: RoomId,
    /// The sender's key.
    pub key: ConflationKey,
}

impl Conflation {
    /// The number of conflations for which a client's connection holds at least one value while it cannot be written
    /// to. If there are more, the values that wait longest are dropped.
    pub const HELD: usize = 256;
}

/// Identifies the acknowledgement that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AckId(pub i64);

/// Why an event was not sent to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// The client is not connected here.
    #[error("client is not connected")]
    Gone,
    /// The client's send buffer is full: `limits.sendBuffer` or `limits.sendBufferBytes`. The event was **not** queued,
    /// so the client must be disconnected to avoid a gap in what it receives. Never returned for an event with a
    /// [`Conflation`].
    #[error("client does not take its messages fast enough")]
    BufferFull,
}

/// The result of queueing one event for many clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The number of clients that the event was queued for.
    pub queued: usize,
    /// The clients that did not get the event, and why.
    pub failed: Vec<(ClientId, Undeliverable)>,
}

/// The result of an event that asks a client for an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The client acknowledged the event with this payload.
    Acknowledged(Payload),
    /// The client did not acknowledge the event within the timeout.
    TimedOut,
    /// The event did not reach the client.
    Undelivered(Undeliverable),
}

/// The connections of this node.
///
/// # Rules
///
/// * No method but [`ask`](Self::ask) and [`caught_up`](Self::caught_up) waits: what cannot be queued is reported.
/// * For one client, what is queued first is sent first.
/// * An event with a [`Conflation`] is queued like any other while the client's connection accepts data. While it does
///   not, the event replaces a queued event of the same conflation, at the same place in the queue.
///   Such events do not count towards the limits that disconnect a client; [`Conflation::HELD`] bounds them.
/// * A payload is never encoded again, and the frame around it is made once for each call of
///   [`deliver`](Self::deliver), whatever the number of clients.
#[async_trait]
pub trait LocalDelivery: fmt::Debug + Send + Sync + 'static {
    /// Queues one event for each of these clients of a namespace.
    fn deliver(
        &self,
        namespace: &Namespace,
        clients: &mut dyn Iterator<Item = &ClientId>,
        event: &OutboundEvent,
    ) -> Delivery;

    /// Queues the acknowledgement a client asked for.
    fn acknowledge(&self, client: &ClientKey, ack: AckId, payload: &Payload) -> Result<(), Undeliverable>;

    /// Sends an event to a client and waits for its acknowledgement. Dropping the future drops the answer.
    async fn ask(&self, client: &ClientKey, event: &OutboundEvent, timeout: Duration) -> Answer;

    /// Whether the client's send buffer is above the high watermark (half of its limit). The service then pauses the
    /// client's events, so that their answers never overflow the buffer.
    ///
    /// The default, for a server without a watermark, is `false`.
    fn is_behind(&self, client: &ClientKey) -> bool {
        let _ = client;
        false
    }

    /// Waits until the client is below the high watermark, has disconnected, or has reached its write timeout.
    async fn caught_up(&self, client: &ClientKey) {
        let _ = client;
    }

    /// Starts to close a client's connection for this reason. Returns at once; the end of the connection is reported to
    /// the service like any other.
    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason);
}
