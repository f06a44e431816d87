//! The side of the queue that a transport uses: it takes messages, and tells what was written.

use std::{collections::VecDeque, task::Waker, time::Duration};

use roomwire_core::config::Transport;
use tokio::time::Instant;

use super::{KEPT_CAPACITY, Load, Message, Outbox};

/// Messages that the transport took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    load: Load,
    /// Whether no message was left in the queue.
    pub(crate) is_last: bool,
}

impl Outbox {
    /// Passes the next messages to `write`, in order: at most so many bytes, but at least one message if there is any.
    ///
    /// What was taken before has been written. What is taken now counts as written too, unless
    /// [`still_unwritten`](Self::still_unwritten) says otherwise.
    pub(crate) fn next_messages(
        &self,
        transport: Transport,
        most_bytes: usize,
        mut write: impl FnMut(Message),
    ) -> Batch {
        let mut state = self.state.lock();
        let is_corked = state.corks > 0 && !state.closed;
        if is_corked || transport == Transport::Polling && state.has_moved {
            return Batch { load: Load::default(), is_last: true };
        }
        state.written();
        state.refill(&self.bounds);
        let (mut bytes, mut load) = (0, Load::default());
        while let Some(first) = state.ready.front() {
            let size = first.size();
            if bytes > 0 && bytes + size > most_bytes {
                break;
            }
            bytes += size;
            if first.is_limited() {
                load.packets += 1;
                load.bytes += size;
            } else {
                state.unlimited -= 1;
            }
            if let Some(message) = state.ready.pop_front() {
                write(message);
            }
        }
        state.unwritten.packets -= load.packets;
        state.unwritten.bytes -= load.bytes;
        state.stalled_since = None;
        if state.ready.is_empty() && state.ready.capacity() > KEPT_CAPACITY {
            state.ready = VecDeque::new();
        }
        let is_last = state.ready.is_empty() && state.overflow.is_none();
        drop(state);
        self.notify_drained();
        Batch { load, is_last }
    }

    /// What was taken waits to be written, until the next call of [`next_messages`](Self::next_messages) or
    /// [`written`](Self::written).
    pub(crate) fn still_unwritten(&self, batch: Batch) {
        let mut state = self.state.lock();
        state.writing.packets += batch.load.packets;
        state.writing.bytes += batch.load.bytes;
        state.unwritten.packets += batch.load.packets;
        state.unwritten.bytes += batch.load.bytes;
    }

    /// Whether what was taken waits to be written.
    pub(crate) fn is_writing(&self) -> bool {
        self.state.lock().writing != Load::default()
    }

    /// Passes messages to a websocket only from now on.
    pub(crate) fn move_to_websocket(&self) {
        self.state.lock().has_moved = true;
    }

    /// Whether nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.ready.is_empty() && state.overflow.is_none()
    }

    /// What was taken has been written; the client may read it for so long.
    pub(crate) fn written(&self, reading_time: Duration) {
        let mut state = self.state.lock();
        state.written();
        state.stalled_since = Some(Instant::now() + reading_time);
        state.refill(&self.bounds);
        drop(state);
        self.notify_drained();
        self.wake_transport();
    }

    /// The client took a part of what is being written.
    pub(crate) fn progressed(&self) {
        self.state.lock().stalled_since = None;
    }

    /// The task that is woken when there is something to write, or the session is closed: one for each transport.
    pub(crate) fn wake_transport_with(&self, transport: Transport, waker: &Waker) {
        match transport {
            Transport::Websocket => self.websocket.register(waker),
            Transport::Polling => self.poll.register(waker),
        }
    }

    pub(crate) fn wake_transport(&self) {
        self.websocket.wake();
        self.poll.wake();
    }
}
