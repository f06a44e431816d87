//! Half of what may wait is for what others send: a client that has more to take is handled no further until it has less.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::{Bounds, Outbox, State};

impl State {
    fn is_half_full(&self, bounds: &Bounds) -> bool {
        let (packets, bytes) = self.waiting();
        packets > bounds.packets / 2 || bytes > bounds.bytes / 2
    }
}

impl Outbox {
    /// Whether more than half of what may wait does, for a session that goes on.
    pub(crate) fn is_half_full(&self) -> bool {
        !self.is_slow() && self.state.lock().is_half_full(&self.bounds)
    }

    /// Waits until that is not so, or nothing was taken for as long as a session may take nothing.
    pub(crate) async fn half_empty(&self) {
        loop {
            let taken = self.taken.notified();
            self.is_awaited.store(true, Ordering::Release);
            if !self.is_half_full() || timeout(self.bounds.patience, taken).await.is_err() {
                return;
            }
        }
    }

    /// Something was taken, or nothing will be.
    pub(super) fn tell_who_waits(&self) {
        if self.is_awaited.load(Ordering::Acquire) && self.is_awaited.swap(false, Ordering::AcqRel) {
            self.taken.notify_waiters();
        }
    }
}
