//! When a client was active last.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use roomwire_core::Timestamp;

/// The activity of one client. Written for each event, without a lock.
#[derive(Debug)]
pub(crate) struct Activity {
    /// The last event in milliseconds, shifted left by one; the lowest bit is set if the store does not know it yet.
    last: AtomicU64,
    /// Whether events are being handled, or are deferred.
    is_busy: AtomicBool,
    /// The time in milliseconds at which the last of them was handled. Not kept without `limits.idleTimeout`.
    busy_at: AtomicU64,
}

impl Activity {
    pub(super) fn new(connected_at: Timestamp) -> Self {
        let last = AtomicU64::new(connected_at.as_millis() << 1);
        Self { last, is_busy: AtomicBool::new(false), busy_at: AtomicU64::new(0) }
    }

    /// Records an event of the client.
    pub(crate) fn note(&self, now: Timestamp) {
        self.last.store(now.as_millis() << 1 | 1, Ordering::Relaxed);
    }

    /// The last event, if the store does not know it yet.
    pub(super) fn take(&self) -> Option<Timestamp> {
        let last = self.last.fetch_and(!1, Ordering::Relaxed);
        (last & 1 == 1).then(|| Timestamp::from_millis(last >> 1))
    }

    /// Events of the client are being handled, wait for that, or are deferred.
    pub(crate) fn begin(&self) {
        self.is_busy.store(true, Ordering::Relaxed);
    }

    /// All of them are handled, at this time if it is of interest.
    pub(crate) fn end(&self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.busy_at.store(at.as_millis(), Ordering::Relaxed);
        }
        // A check that finds the client idle finds the time too.
        self.is_busy.store(false, Ordering::Release);
    }

    /// Until when the client was active: it sent an event, or waited for one to be handled.
    pub(crate) fn until(&self, now: Timestamp) -> Timestamp {
        if self.is_busy.load(Ordering::Acquire) {
            return now;
        }
        let last = self.last.load(Ordering::Relaxed) >> 1;
        Timestamp::from_millis(last.max(self.busy_at.load(Ordering::Relaxed)))
    }
}
