//! The port to a client's connection.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use super::OutboundEvent;
use crate::{AckId, DisconnectReason, Payload};

/// Why an event was not sent to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// The client is not connected: its CONNECT packet was not sent yet, it has disconnected, or it is being
    /// disconnected.
    #[error("client is not connected")]
    Gone,
    /// The client's send buffer is full: `limits.sendBuffer` or `limits.sendBufferBytes`. The event was **not** queued,
    /// so the client must be disconnected to avoid a gap in what it receives. Never returned for an event with a
    /// [`Conflation`](crate::Conflation).
    #[error("client does not take its messages fast enough")]
    BufferFull,
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

/// The connection of one client of one namespace. Implemented by servers; the service gets it when the client is
/// admitted and calls it as long as the client exists.
///
/// # Lifecycle
/// * Opening: until the server has sent the client's CONNECT packet, [`send`](Self::send),
///   [`acknowledge`](Self::acknowledge) and [`emit_with_ack`](Self::emit_with_ack) return [`Undeliverable::Gone`].
///   [`pause`](Self::pause), [`resume`](Self::resume) and [`disconnect`](Self::disconnect) may be called as soon as the
///   server passes the client's events to its session. Open the transport before the session: the service sends to it
///   within the session's `opened`.
/// * After a gap: once a call returned [`Undeliverable::BufferFull`], every later one returns [`Undeliverable::Gone`].
///   The client sees the messages before the gap and then the end of its connection.
/// * Closed: as when opening, and nothing waits. The application may hold handles of a client, and with them its
///   transport, long after its end: release buffers and connection when it is closed.
///
/// # Ordering
/// * The client receives events and acknowledgements in the order of the calls.
/// * An event with a [`Conflation`](crate::Conflation) is queued like any other while the client's connection accepts
///   data. While it does not, the event replaces a queued event of the same conflation, at the same place in the queue.
///   Such events do not count towards the limits that disconnect a client;
///   [`Conflation::HELD`](crate::Conflation::HELD) bounds them.
///
/// # Concurrency
/// Methods are called by any thread, also concurrently. All but [`emit_with_ack`](Self::emit_with_ack) and
/// [`drained`](Self::drained) return at once: they are called with locks of the service held, [`send`](Self::send) with
/// that of a room, so that all members see the messages of the room in one order. `send`, `acknowledge`, `pause` and
/// `resume` must not call the service or the client's session: that deadlocks. [`disconnect`](Self::disconnect) may
/// close the session.
///
/// # Ownership
/// The service's session owns the client, which owns its transport. A transport that owns the session is a cycle: hold
/// it weakly, or drop it when the connection closes.
#[async_trait]
pub trait ClientTransport: fmt::Debug + Send + Sync + 'static {
    /// Queues an event. A payload is never encoded again: [`OutboundEvent::packet`] is shared by all receivers.
    ///
    /// # Errors
    /// [`Undeliverable`]; then the event was not queued.
    fn send(&self, event: &OutboundEvent) -> Result<(), Undeliverable>;

    /// Queues the acknowledgement that the client asked for.
    ///
    /// # Errors
    /// [`Undeliverable`]; then the acknowledgement was not queued.
    fn acknowledge(&self, ack: AckId, payload: &Payload) -> Result<(), Undeliverable>;

    /// Sends an event and waits for its acknowledgement. The event is queued when the future is first polled, and is
    /// never conflated. The timeout begins then.
    ///
    /// # Cancellation
    /// Dropping the future drops the answer; the event is not recalled.
    async fn emit_with_ack(&self, event: &OutboundEvent, timeout: Duration) -> Answer;

    /// True above the high watermark: half the send buffer. The service then pauses the handling of this client's
    /// events, so that their responses never overflow the buffer.
    ///
    /// The default, for a server without a watermark, is `false`.
    fn above_high_watermark(&self) -> bool {
        false
    }

    /// Waits until the send buffer is below the high watermark, the client has disconnected, or its write timeout is
    /// reached. The default returns at once.
    ///
    /// # Cancellation
    /// Cancel safe.
    async fn drained(&self) {}

    /// Pauses reading from this client, because it sends events faster than they are handled. Followed by exactly one
    /// [`resume`](Self::resume), also if the client disconnects. The default does nothing.
    fn pause(&self) {}

    /// Resumes reading. The default does nothing.
    fn resume(&self) {}

    /// Starts to disconnect the client for this reason, and sends it nothing more. Returns at once; the end is reported
    /// to the client's session like any other, now or later. Does nothing if the client is disconnecting or has
    /// disconnected.
    fn disconnect(&self, reason: DisconnectReason);
}
