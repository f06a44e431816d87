//! The send queue of one session, and the end of sessions with a slow consumer.
//!
//! The engine gets only as much as keeps it busy: it copies packets, counts them instead of bytes, and does not report
//! what it has written. The rest stays in this queue, where payloads are shared between clients, counted in bytes, and
//! may be replaced by newer ones.

mod frames;
mod in_flight;
mod outgoing;
mod polling_body;
mod queue;
mod stall_timer;
mod watermark;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{Conflation, Undeliverable, config::Limits};
use socketioxide::SocketError;
use socketioxide_core::packet::Packet;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::Instant,
};

pub(crate) use frames::{CLOSE_PACKET, Frames};
pub(crate) use outgoing::{AckStream, Load, SocketSender};
pub(crate) use polling_body::polling_body;

use in_flight::InFlight;
use outgoing::Outgoing;
use queue::ConflatingQueue;

use crate::metrics;

/// What the engine is given at most, and no more than half of what may wait at all: values that replace each other
/// never fill a buffer.
const GIVEN_PACKETS: usize = 256;
const GIVEN_BYTES: usize = 131_072;

/// The capacity of the engine's buffer in packets: those of this queue, and the engine's own.
pub(crate) fn engine_buffer(limits: &Limits) -> usize {
    Bounds::from(limits).given_packets + 64
}

/// The limits of one session's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    packets: usize,
    bytes: usize,
    given_packets: usize,
    given_bytes: usize,
    /// The write-stall timeout.
    patience: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            packets: limits.send_buffer,
            bytes: limits.send_buffer_bytes,
            given_packets: GIVEN_PACKETS.min(limits.send_buffer / 2),
            given_bytes: GIVEN_BYTES.min(limits.send_buffer_bytes / 2),
            patience: limits.write_timeout,
        }
    }
}

/// The queued messages of one session, in all its namespaces.
pub(crate) struct Outbox {
    bounds: Bounds,
    state: Mutex<State>,
    /// The session is a slow consumer and is being ended.
    slow: AtomicBool,
    /// It uses HTTP long-polling.
    polling: AtomicBool,
    /// Ends the session.
    end: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Whether a task waits on `taken` for the client to accept data.
    is_awaited: AtomicBool,
    taken: Notify,
    /// On which a session that polls is watched.
    runtime: Option<Handle>,
}

/// Messages with a key replace each other when they are for one client, identified by the address of its
/// `SocketSender`.
type Waiting = ConflatingQueue<(usize, Arc<Conflation>), Outgoing>;

#[derive(Default)]
struct State {
    given: InFlight,
    /// Made for a client that falls behind.
    held: Option<Box<Waiting>>,
    /// When a session that polls last took something, or had nothing to take.
    progressed: Option<Instant>,
    /// Whether it is watched.
    watched: bool,
}

impl State {
    fn is_free(&self, bounds: &Bounds) -> bool {
        self.held.is_none() && self.has_room(bounds)
    }

    /// Whether the engine may be given more.
    fn has_room(&self, bounds: &Bounds) -> bool {
        let (packets, bytes) = self.given.waiting();
        packets < bounds.given_packets && bytes < bounds.given_bytes
    }

    /// Whether so much more would be too much; one message alone never is.
    fn is_full_for(&self, load: Load, bounds: &Bounds) -> bool {
        let (packets, bytes) = self.waiting();
        packets >= bounds.packets || packets > 0 && bytes + load.bytes > bounds.bytes
    }

    /// How many packets and bytes wait.
    fn waiting(&self) -> (usize, usize) {
        let (given, given_bytes) = self.given.waiting();
        let (held, held_bytes) = self.held.as_ref().map_or((0, 0), |held| held.waiting());
        (given + held, given_bytes + held_bytes)
    }

    fn is_idle(&self) -> bool {
        self.given.is_empty() && self.held.is_none()
    }
}

impl Outbox {
    pub(crate) fn new(bounds: Bounds, polling: bool) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            state: Mutex::default(),
            slow: AtomicBool::new(false),
            polling: AtomicBool::new(polling),
            end: OnceLock::new(),
            is_awaited: AtomicBool::new(false),
            taken: Notify::new(),
            runtime: Handle::try_current().ok(),
        })
    }

    /// How the session is ended when its client takes nothing, once.
    pub(crate) fn end_with(&self, end: impl Fn() + Send + Sync + 'static) {
        self.end.get_or_init(|| Box::new(end));
    }

    /// Sends a packet to one client of the session, or holds it until it can be sent.
    pub(crate) fn send(
        self: &Arc<Self>,
        sender: &Arc<SocketSender>,
        packet: &Packet,
        load: Load,
        conflation: Option<&Arc<Conflation>>,
    ) -> Result<(), Undeliverable> {
        let mut state = self.state.lock();
        self.check(&mut state, load, conflation.is_some())?;
        if state.is_free(&self.bounds) {
            match sender.send(packet.clone()) {
                Ok(()) => {
                    self.was_given(&mut state, load);
                    return Ok(());
                }
                Err(SocketError::Closed) => return Err(Undeliverable::Gone),
                // By packets of the engine's own; they are written before long.
                Err(SocketError::InternalChannelFull) => {}
            }
        }
        let held = state.held.get_or_insert_default();
        let message = Outgoing::packet(sender, packet.clone());
        match conflation {
            None => held.push(load, message),
            Some(conflation) => {
                let key = (Arc::as_ptr(sender).addr(), conflation.clone());
                let kept = held.push_latest(&key, load, message, Conflation::HELD, self.bounds.bytes);
                metrics::conflated(kept.replaced, kept.dropped);
            }
        }
        self.watch(&mut state);
        Ok(())
    }

    /// As [`Self::send`], for a packet that is to be acknowledged. The answers come when it was sent.
    pub(crate) fn ask(
        self: &Arc<Self>,
        sender: &Arc<SocketSender>,
        packet: Packet,
        load: Load,
        timeout: Duration,
    ) -> Result<oneshot::Receiver<AckStream>, Undeliverable> {
        let (tell, asked) = oneshot::channel();
        let mut ack_request = Outgoing::ack_request(sender, packet, timeout, tell);
        let mut state = self.state.lock();
        self.check(&mut state, load, false)?;
        if state.is_free(&self.bounds) {
            match ack_request.go() {
                Ok(()) => {
                    self.was_given(&mut state, load);
                    return Ok(asked);
                }
                Err(SocketError::Closed) => return Err(Undeliverable::Gone),
                Err(SocketError::InternalChannelFull) => {}
            }
        }
        state.held.get_or_insert_default().push(load, ack_request);
        self.watch(&mut state);
        Ok(asked)
    }

    /// One client leaves its namespace, after it was sent what waits for it. False when it cannot be told.
    pub(crate) fn leave(&self, sender: &Arc<SocketSender>) -> bool {
        if let Some(held) = &mut self.state.lock().held {
            held.push(Load::default(), Outgoing::leave(sender));
            return true;
        }
        sender.leave()
    }

    /// Drops all messages of this client.
    pub(crate) fn forget(&self, sender: &Arc<SocketSender>) {
        let mut state = self.state.lock();
        if let Some(held) = &mut state.held {
            held.retain(|message| !message.is_for(sender));
            if held.is_empty() {
                state.held = None;
            }
        }
        drop(state);
        self.tell_who_waits();
    }

    /// Frames were written to a websocket.
    pub(crate) fn wrote(&self, frames: u32) {
        if frames > 0 && self.polling.load(Ordering::Relaxed) {
            self.polling.store(false, Ordering::Relaxed);
        }
        self.were_taken(frames);
    }

    /// Frames reached the client or the network.
    fn were_taken(&self, frames: u32) {
        let mut state = self.state.lock();
        state.given.written(frames);
        while let Some(leaving) = self.refill(&mut state) {
            // Its disconnect handler runs at once, and comes back here.
            drop(state);
            if !leaving.leave() {
                leaving.break_off();
            }
            state = self.state.lock();
        }
        drop(state);
        self.tell_who_waits();
    }

    /// Passes queued messages to the engine as far as it has room, up to a client that leaves.
    fn refill(&self, state: &mut State) -> Option<Arc<SocketSender>> {
        while state.has_room(&self.bounds) {
            let held = state.held.as_mut()?;
            let Some((load, message)) = held.first() else {
                state.held = None;
                return None;
            };
            if let Some(sender) = message.leaving() {
                held.take_first();
                return Some(sender);
            }
            match message.go() {
                Ok(()) => state.given.add(load),
                Err(SocketError::InternalChannelFull) => return None,
                // Its end is about to be reported.
                Err(SocketError::Closed) => {}
            }
            held.take_first();
        }
        None
    }

    fn check(&self, state: &mut State, load: Load, replaceable: bool) -> Result<(), Undeliverable> {
        if self.is_slow() {
            return Err(Undeliverable::Gone);
        }
        if !replaceable && state.is_full_for(load, &self.bounds) {
            self.slow.store(true, Ordering::Release);
            state.held = None;
            self.tell_who_waits();
            return Err(Undeliverable::BufferFull);
        }
        Ok(())
    }

    fn was_given(self: &Arc<Self>, state: &mut State, load: Load) {
        self.watch(state);
        state.given.add(load);
    }

    /// Whether the session is being ended because its client does not take its messages.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Acquire)
    }

    /// The write-stall timeout is over.
    pub(crate) fn stalled(&self) {
        self.slow.store(true, Ordering::Release);
        self.state.lock().held = None;
        self.tell_who_waits();
    }

    /// Whether messages wait for the client.
    pub(crate) fn is_behind(&self) -> bool {
        !self.state.lock().is_idle()
    }

    /// The connection broke because its peer was silent for too long. When something waits for it, it is a slow client;
    /// when nothing does, it is lost.
    pub(crate) fn timed_out(&self) {
        if !self.is_slow() && self.is_behind() {
            self.stalled();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("given", &state.given.waiting())
            .field("held", &state.held.as_ref().map(|held| held.waiting()))
            .field("slow", &self.is_slow())
            .finish_non_exhaustive()
    }
}
