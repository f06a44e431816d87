//! The items that a follower has not read yet.

use std::{
    collections::VecDeque,
    fmt,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::Followed;

/// The largest number of unread items.
const MAX_ITEMS: usize = 1024;

/// The largest memory for the payloads of unread items. A single larger one is accepted.
const MAX_BYTES: usize = 8 << 20;

/// A bounded queue. The oldest items are dropped when it is full, so that a follower that catches up sees what happens
/// now.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    items: VecDeque<Followed>,
    bytes: usize,
    /// The number of dropped items, all older than the first.
    missed: u64,
    reader: Option<Waker>,
    is_closed: bool,
}

/// The number of items that were dropped before the next one.
#[derive(Debug, PartialEq)]
pub(super) struct Missed(pub(super) u64);

impl Queue {
    /// Adds an item. Never waits.
    pub(super) fn push(&self, item: Followed) {
        let mut state = self.0.lock();
        if state.is_closed {
            return;
        }
        let size = item.activity.payload_size();
        while !state.items.is_empty() && (state.items.len() >= MAX_ITEMS || state.bytes + size > MAX_BYTES) {
            state.pop();
            state.missed += 1;
        }
        state.bytes += size;
        state.items.push_back(item);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// The reader gets the queued items, and then the end.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// The next item, or the number of those that are missing before it. `None` at the end.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Option<Result<Followed, Missed>>> {
        let mut state = self.0.lock();
        if state.missed > 0 {
            return Poll::Ready(Some(Err(Missed(std::mem::take(&mut state.missed)))));
        }
        match state.pop() {
            Some(item) => Poll::Ready(Some(Ok(item))),
            None if state.is_closed => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl State {
    fn pop(&mut self) -> Option<Followed> {
        let item = self.items.pop_front()?;
        self.bytes -= item.activity.payload_size();
        Some(item)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Queue").field("items", &state.items.len()).field("bytes", &state.bytes).finish_non_exhaustive()
    }
}
