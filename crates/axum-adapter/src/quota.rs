//! How many sessions there may be at one time.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Counts sessions against `maxConnections`.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    used: Arc<AtomicU32>,
    most: u32,
}

/// One session's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicU32>);

impl Quota {
    pub(crate) fn new(most: u32) -> Self {
        Self { used: Arc::default(), most }
    }

    /// A place, when one is free.
    pub(crate) fn take(&self) -> Option<Place> {
        let taken =
            self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < self.most).then_some(used + 1));
        taken.ok().map(|_| Place(self.used.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::Quota;

    #[test]
    fn a_place_that_was_given_back_can_be_taken_again_and_never_more_than_there_are() {
        let quota = Quota::new(2);
        let first = quota.take().expect("free");
        let second = quota.take().expect("free");
        assert!(quota.take().is_none());
        drop(first);
        let third = quota.take().expect("free again");
        assert!(quota.take().is_none());
        drop((second, third));
    }

    #[test]
    fn counts_stay_exact_over_ten_thousand_rounds_of_eight_threads() {
        let quota = Quota::new(4);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|_| drop(quota.take())));
            }
        });
        let all: Vec<_> = std::iter::from_fn(|| quota.take()).collect();
        assert_eq!(all.len(), 4);
    }
}
