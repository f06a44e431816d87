//! Pauses reading from a session.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Reading is paused while any client of the session has more events waiting than it should.
#[derive(Debug, Default)]
pub(crate) struct ReadGate {
    pauses: AtomicUsize,
    /// The session has ended: nothing waits any more.
    has_ended: AtomicBool,
    resumed: Notify,
}

impl ReadGate {
    pub(crate) fn pause(&self) {
        self.pauses.fetch_add(1, Ordering::AcqRel);
    }

    /// Undoes one [`Self::pause`]. Returns whether reading goes on.
    pub(crate) fn resume(&self) -> bool {
        let goes_on = self.pauses.fetch_sub(1, Ordering::AcqRel) == 1;
        if goes_on {
            self.resumed.notify_waiters();
        }
        goes_on
    }

    /// Reading is not paused any more.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.resumed.notify_waiters();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pauses.load(Ordering::Acquire) > 0 && !self.has_ended.load(Ordering::Acquire)
    }

    /// Waits until reading goes on.
    pub(crate) async fn ready(&self) {
        loop {
            let resumed = self.resumed.notified();
            if !self.is_paused() {
                return;
            }
            resumed.await;
        }
    }
}
