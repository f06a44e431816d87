//! What waits to be written to one session, in bytes.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Counts the bytes of a session's messages from when they are queued until they were handed to the network.
///
/// What the protocols put around messages is counted when it is written and not before, so that the count is a little
/// less than what waits, never more.
pub(crate) struct Backlog {
    waiting: AtomicUsize,
    most: usize,
}

impl Backlog {
    /// For a session for which so many bytes may wait.
    pub(crate) fn new(most: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), most }
    }

    /// Counts a message that is about to be queued. False, and nothing is counted, when too much waits already: one
    /// message always may, however large.
    #[must_use]
    pub(crate) fn add(&self, bytes: usize) -> bool {
        let counted = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting == 0 || waiting.saturating_add(bytes) <= self.most).then_some(waiting.saturating_add(bytes))
        });
        counted.is_ok()
    }

    /// So much was written, or was not queued after all.
    pub(crate) fn take(&self, bytes: usize) {
        // The closure never declines, so there is nothing to handle.
        let _ = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| Some(waiting.saturating_sub(bytes)));
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog").field("waiting", &self.waiting()).field("most", &self.most).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Backlog;

    #[test]
    fn as_much_as_may_waits_and_one_message_always() {
        let backlog = Backlog::new(100);
        assert!(backlog.add(60) && backlog.add(40));
        assert!(!backlog.add(1));
        backlog.take(50);
        assert!(backlog.add(50) && !backlog.add(1));
        backlog.take(1_000);
        assert!(backlog.add(5_000), "nothing waits");
        assert!(!backlog.add(1));
        assert_eq!(backlog.waiting(), 5_000);
    }

    #[test]
    fn nothing_is_lost_from_the_count_when_queued_and_written_at_the_same_time() {
        let backlog = Backlog::new(usize::MAX);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100_000).for_each(|_| assert!(backlog.add(3))));
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100_000).for_each(|_| backlog.take(2)));
            }
        });
        assert_eq!(backlog.waiting(), 400_000);
    }
}
