//! The port through which the service reaches the connections of its own node.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{ClientId, ClientKey, DisconnectReason, EventName, Namespace, Payload};

/// An event on its way to clients.
#[derive(Clone, Debug)]
pub struct OutboundEvent {
    /// The event's name.
    pub name: EventName,
    /// Its arguments, encoded once.
    pub payload: Payload,
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
    /// The client's send buffer is full. The event was **not** queued: to keep what the client sees free of
    /// gaps, it must be disconnected.
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
/// * No method but [`ask`](Self::ask) waits: what cannot be queued is reported.
/// * For one client, what is queued first is sent first.
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

    /// Begins to end a client's connection, for this reason. Returns at once; the connection's end is
    /// reported to the service as any other.
    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason);
}
