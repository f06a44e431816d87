//! The high watermark of the send buffer, half of its size: above it, the service pauses the client's events. The other
//! half is for messages of other clients.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::{Bounds, Outbox, State};

impl State {
    fn above_high_watermark(&self, bounds: &Bounds) -> bool {
        let waiting = self.waiting();
        waiting.packets > bounds.packets / 2 || waiting.bytes > bounds.bytes / 2
    }
}

impl Outbox {
    /// True above the high watermark, for a session that is not being closed.
    pub(crate) fn above_high_watermark(&self) -> bool {
        let state = self.state.lock();
        !self.is_slow() && !state.closed && state.above_high_watermark(&self.bounds)
    }

    /// Waits until the queue is below the high watermark, or the write timeout is over.
    pub(crate) async fn below_high_watermark(&self) {
        loop {
            let drained = self.drained.notified();
            self.is_awaited.store(true, Ordering::Release);
            if !self.above_high_watermark() || timeout(self.bounds.write_timeout, drained).await.is_err() {
                return;
            }
        }
    }

    /// Wakes the waiting tasks: messages were written, or none will be.
    pub(super) fn notify_drained(&self) {
        if self.is_awaited.load(Ordering::Acquire) && self.is_awaited.swap(false, Ordering::AcqRel) {
            self.drained.notify_waiters();
        }
    }
}
