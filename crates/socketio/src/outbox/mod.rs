//! The send queue of one session, and the detection of slow consumers.
//!
//! Payloads are shared between clients, counted in bytes, and may be replaced by newer ones. The first messages are
//! `ready`: the transport writes them as they are. Those beyond are in the `overflow`, where a message with a
//! [`Conflation`] replaces an older one.

mod message;
mod queue;
mod transport;
mod watermark;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use roomwire_core::{
    Conflation, Undeliverable,
    config::Limits,
    packet::{EncodedPacket, TextFrame},
};
use tokio::{sync::Notify, time::Instant};

pub(crate) use message::{Message, Recipient};
pub(crate) use transport::Batch;

use queue::{ConflatingQueue, Kept};

use crate::metrics;

/// How much is ready at most, and no more than half of what may wait at all: values that replace each other never fill
/// a buffer.
const READY_PACKETS: usize = 256;
const READY_BYTES: usize = 131_072;

/// The number of queued packets outside of the limits. A client that does not read gets no more.
const MOST_UNLIMITED: usize = 1024;

/// The capacity that an empty queue keeps.
const KEPT_CAPACITY: usize = 16;

/// The limits of one session's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
    ready_packets: usize,
    ready_bytes: usize,
    pub(crate) write_timeout: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            packets: limits.send_buffer,
            bytes: limits.send_buffer_bytes,
            ready_packets: READY_PACKETS.min(limits.send_buffer / 2),
            ready_bytes: READY_BYTES.min(limits.send_buffer_bytes / 2),
            write_timeout: limits.write_timeout,
        }
    }
}

/// The queued messages of one session, in all its namespaces.
pub(crate) struct Outbox {
    bounds: Bounds,
    state: Mutex<State>,
    /// The session is a slow consumer and is being closed.
    slow: AtomicBool,
    /// The task of a websocket, and that of a poll, which wait for messages.
    websocket: AtomicWaker,
    poll: AtomicWaker,
    /// Whether a task waits on `drained`.
    is_awaited: AtomicBool,
    drained: Notify,
    /// Notified when messages begin to wait.
    backlog_begins: Notify,
}

/// Messages with a key replace each other when they are for one client.
type Overflow = ConflatingQueue<(u64, Arc<Conflation>), Message>;

#[derive(Default)]
struct State {
    ready: VecDeque<Message>,
    /// The number and bytes of limited messages that are ready or being written.
    unwritten: Load,
    /// Of those that the transport has taken and not written at once.
    writing: Load,
    /// The number of messages outside of the limits.
    unlimited: usize,
    /// The number of clients that are being activated. Nothing is written meanwhile.
    corks: usize,
    /// The session uses a websocket: polls get nothing more.
    has_moved: bool,
    /// Made for a client that falls behind.
    overflow: Option<Box<Overflow>>,
    /// When a look at it first found messages that had made no progress since the look before.
    stalled_since: Option<Instant>,
    closed: bool,
}

/// A number of messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    packets: usize,
    bytes: usize,
}

impl State {
    fn is_free(&self, bounds: &Bounds) -> bool {
        self.overflow.is_none() && self.has_room(bounds)
    }

    /// Whether more may be ready.
    fn has_room(&self, bounds: &Bounds) -> bool {
        self.unwritten.packets < bounds.ready_packets && self.unwritten.bytes < bounds.ready_bytes
    }

    /// Whether so much more would be too much; one message alone never is.
    fn is_full_for(&self, bytes: usize, bounds: &Bounds) -> bool {
        let waiting = self.waiting();
        waiting.packets >= bounds.packets || waiting.packets > 0 && waiting.bytes + bytes > bounds.bytes
    }

    fn waiting(&self) -> Load {
        let (packets, overflow_bytes) = self.overflow.as_ref().map_or((0, 0), |overflow| overflow.waiting());
        Load { packets: self.unwritten.packets + packets, bytes: self.unwritten.bytes + overflow_bytes }
    }

    fn is_idle(&self) -> bool {
        self.unwritten.packets == 0 && self.overflow.is_none()
    }

    fn push_ready(&mut self, message: Message) {
        if message.is_limited() {
            self.unwritten.packets += 1;
            self.unwritten.bytes += message.size();
        }
        self.ready.push_back(message);
    }

    /// What the transport took was written.
    fn written(&mut self) {
        let written = std::mem::take(&mut self.writing);
        self.unwritten.packets -= written.packets;
        self.unwritten.bytes -= written.bytes;
        self.stalled_since = None;
    }

    /// Makes messages of the overflow ready, as far as there is room.
    fn refill(&mut self, bounds: &Bounds) {
        while self.has_room(bounds)
            && let Some(overflow) = &mut self.overflow
        {
            match overflow.take_first() {
                Some(message) => self.push_ready(message),
                None => self.overflow = None,
            }
        }
    }
}

impl Outbox {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: Mutex::default(),
            slow: AtomicBool::new(false),
            websocket: AtomicWaker::new(),
            poll: AtomicWaker::new(),
            is_awaited: AtomicBool::new(false),
            drained: Notify::new(),
            backlog_begins: Notify::new(),
        }
    }

    /// Queues a message for one client of the session.
    pub(crate) fn send(
        &self,
        recipient: &Arc<Recipient>,
        packet: &EncodedPacket,
        conflation: Option<&Arc<Conflation>>,
    ) -> Result<(), Undeliverable> {
        let mut state = self.state.lock();
        if state.closed || self.is_slow() || !recipient.is_open() {
            return Err(Undeliverable::Gone);
        }
        let message = Message::new(recipient, packet);
        let bytes = message.size();
        if conflation.is_none() && state.is_full_for(bytes, &self.bounds) {
            self.slow.store(true, Ordering::Release);
            recipient.close();
            state.overflow = None;
            drop(state);
            self.notify_drained();
            return Err(Undeliverable::BufferFull);
        }
        let backlog_begins = state.is_idle();
        if backlog_begins {
            // A response that the client may still be reading gives it more time; an older one does not shorten it.
            state.stalled_since = state.stalled_since.filter(|since| *since > Instant::now());
        }
        let mut kept = Kept::default();
        if state.is_free(&self.bounds) {
            state.push_ready(message);
        } else {
            let overflow = state.overflow.get_or_insert_default();
            match conflation {
                None => overflow.push(bytes, message),
                Some(conflation) => {
                    let key = (recipient.key(), conflation.clone());
                    kept = overflow.push_latest(&key, bytes, message, Conflation::HELD, self.bounds.bytes);
                }
            }
        }
        drop(state);
        metrics::conflated(kept.replaced, kept.dropped);
        if backlog_begins {
            self.backlog_begins.notify_one();
        }
        self.wake_transport();
        Ok(())
    }

    /// Queues a packet outside of the limits, after everything that was queued before. False when very many of them
    /// wait: the client asks for them and does not read.
    pub(crate) fn send_unlimited(&self, text: TextFrame) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return true;
        }
        if state.unlimited >= MOST_UNLIMITED {
            return false;
        }
        state.unlimited += 1;
        let message = Message::unlimited(text);
        match &mut state.overflow {
            Some(overflow) => overflow.push(0, message),
            None => state.push_ready(message),
        }
        drop(state);
        self.wake_transport();
        true
    }

    /// Queues a packet of the session at the end of what is ready, before the overflow.
    pub(crate) fn send_soon(&self, text: TextFrame) {
        let mut state = self.state.lock();
        if !state.closed {
            state.unlimited += 1;
            state.push_ready(Message::unlimited(text));
        }
        drop(state);
        self.wake_transport();
    }

    /// Queues CONNECT for a client, which can be sent to from now on, unless it has left meanwhile. Nothing is written
    /// until `activate` has returned: when a client learns that it is connected, the service knows it. False as for
    /// [`send_unlimited`](Self::send_unlimited); `activate` is not called then.
    pub(crate) fn open(&self, recipient: &Recipient, connect: TextFrame, activate: impl FnOnce()) -> bool {
        if !recipient.open() {
            return true;
        }
        self.state.lock().corks += 1;
        let is_queued = self.send_unlimited(connect);
        if is_queued {
            activate();
        }
        self.state.lock().corks -= 1;
        self.wake_transport();
        is_queued
    }

    /// Sends nothing more to a client, except `last`. Messages before that are sent. False as for
    /// [`send_unlimited`](Self::send_unlimited).
    pub(crate) fn close(&self, recipient: &Recipient, last: TextFrame) -> bool {
        recipient.close();
        self.send_unlimited(last)
    }

    /// Sends nothing more to a client, and drops what was queued for it.
    pub(crate) fn discard(&self, recipient: &Arc<Recipient>) {
        recipient.close();
        let key = Some(recipient.key());
        let mut state = self.state.lock();
        let mut dropped = Load::default();
        state.ready.retain(|message| {
            let stays = message.recipient != key;
            if !stays {
                dropped.packets += 1;
                dropped.bytes += message.size();
            }
            stays
        });
        state.unwritten.packets -= dropped.packets;
        state.unwritten.bytes -= dropped.bytes;
        if let Some(overflow) = &mut state.overflow {
            overflow.retain(|message| message.recipient != key);
            if overflow.is_empty() {
                state.overflow = None;
            }
        }
        drop(state);
        self.notify_drained();
    }

    /// Waits until messages begin to wait for the transport.
    pub(crate) async fn backlog_begins(&self) {
        self.backlog_begins.notified().await;
    }

    /// Since when messages have waited without any progress, as far as was looked; `None` if none wait.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        (!state.is_idle()).then(|| *state.stalled_since.get_or_insert_with(Instant::now))
    }

    /// Whether the session is closed because its client does not read.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Acquire)
    }

    /// Whether messages wait for the client.
    pub(crate) fn is_behind(&self) -> bool {
        !self.state.lock().is_idle()
    }

    /// The client read nothing for `limits.writeTimeout`.
    pub(crate) fn set_slow(&self) {
        self.slow.store(true, Ordering::Release);
    }

    /// Accepts no more messages. What was queued is dropped, unless it is to be written first.
    pub(crate) fn shut(&self, writes_queued: bool) {
        let mut state = self.state.lock();
        state.closed = true;
        if !writes_queued {
            state.ready = VecDeque::new();
            state.overflow = None;
            state.unlimited = 0;
            state.unwritten = state.writing;
        }
        drop(state);
        self.notify_drained();
        self.wake_transport();
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("unwritten", &state.unwritten)
            .field("overflow", &state.overflow.as_ref().map(|overflow| overflow.waiting()))
            .field("slow", &self.is_slow())
            .finish_non_exhaustive()
    }
}
