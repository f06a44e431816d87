//! The high watermark of the send buffer, half of its size: above it, the service pauses the client's events. The other
//! half is for messages of other clients.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::{Bounds, Outbox, State};

impl State {
    fn above_high_watermark(&self, bounds: &Bounds) -> bool {
        let (packets, bytes) = self.waiting();
        packets > bounds.packets / 2 || bytes > bounds.bytes / 2
    }
}

impl Outbox {
    /// True above the high watermark, for a session that is not being ended.
    pub(crate) fn above_high_watermark(&self) -> bool {
        !self.is_slow() && self.state.lock().above_high_watermark(&self.bounds)
    }

    /// Waits until the queue is below the high watermark, or the write-stall timeout is over.
    pub(crate) async fn below_high_watermark(&self) {
        loop {
            let taken = self.taken.notified();
            self.is_awaited.store(true, Ordering::Release);
            if !self.above_high_watermark() || timeout(self.bounds.patience, taken).await.is_err() {
                return;
            }
        }
    }

    /// Wakes the waiting tasks: messages were read, or none will be.
    pub(super) fn tell_who_waits(&self) {
        if self.is_awaited.load(Ordering::Acquire) && self.is_awaited.swap(false, Ordering::AcqRel) {
            self.taken.notify_waiters();
        }
    }
}
