//! The port through which the service reaches the connections of its own node.

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
    /// Set when only the newest event of its kind counts.
    pub conflation: Option<Arc<Conflation>>,
}

impl OutboundEvent {
    /// An event that every receiver must see.
    #[must_use]
    pub fn new(name: EventName, payload: Payload) -> Self {
        Self { name, payload, conflation: None }
    }
}

/// Which events replace each other while they wait: those of one room with one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conflation {
    /// The room they are sent to.
    pub room: RoomId,
    /// The sender's own choice.
    pub key: ConflationKey,
}

impl Conflation {
    /// Of how many conflations one client's connection holds a value at least while it cannot be written to. When there
    /// are more, those that wait longest are dropped.
    pub const HELD: usize = 256;
}

/// By which a client recognises the acknowledgement it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AckId(pub i64);

/// Why an event did not go out to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// The client has no connection here any more.
    #[error("client is not connected")]
    Gone,
    /// More waits for the client than `limits.sendBuffer` or `limits.sendBufferBytes` allow. The event was **not** queued:
    /// to keep what the client sees free of gaps, it must be disconnected. Never said of an event with a
    /// [`Conflation`].
    #[error("client does not take its messages fast enough")]
    BufferFull,
}

/// What became of one event for many clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// For how many it was queued.
    pub queued: usize,
    /// Who did not get it, and why.
    pub failed: Vec<(ClientId, Undeliverable)>,
}

/// What became of a question to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The client acknowledged with this.
    Acknowledged(Payload),
    /// It did not within the time given.
    TimedOut,
    /// The question did not reach it.
    Undelivered(Undeliverable),
}

/// The connections of this node.
///
/// # Rules
///
/// * No method but [`ask`](Self::ask) and [`caught_up`](Self::caught_up) waits: what cannot be queued is reported.
/// * For one client, what is queued first is sent first.
/// * An event with a [`Conflation`] is queued like any other for a client whose connection takes what it is given. While
///   it does not, the event takes the place, and the turn, of an earlier one of the same conflation that still waits.
///   Such events count for no bound that disconnects a client; [`Conflation::HELD`] bounds them.
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

    /// Whether so much waits for a client that it should be asked for nothing that is answered: more than half of what
    /// may. Its own events are handled no faster than it takes their answers, so that these never are too many.
    ///
    /// A server whose queues have no such mark says no.
    fn is_behind(&self, client: &ClientKey) -> bool {
        let _ = client;
        false
    }

    /// Waits until a client is not behind any more, is gone, or has taken nothing for as long as it may.
    async fn caught_up(&self, client: &ClientKey) {
        let _ = client;
    }

    /// Begins to end a client's connection, for this reason. Returns at once; the connection's end is
    /// reported to the service as any other.
    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason);
}
