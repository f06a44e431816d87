//! A number of permits that can change while some are in use.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts permits in use. Unlike a semaphore it can be lowered below the number in use: then none is granted until enough
/// of them are returned.
#[derive(Clone, Debug)]
pub(crate) struct Permits(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    used: AtomicUsize,
    most: AtomicUsize,
}

/// In use until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit(Arc<Counts>);

impl Permits {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Counts { used: AtomicUsize::new(0), most: AtomicUsize::new(most) }))
    }

    /// Changes how many there are. Those in use stay.
    pub(crate) fn set(&self, most: usize) {
        self.0.most.store(most, Ordering::Relaxed);
    }

    /// `None` if all are in use.
    pub(crate) fn acquire(&self) -> Option<Permit> {
        let most = self.0.most.load(Ordering::Relaxed);
        let one_more = |used: usize| (used < most).then(|| used + 1);
        self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Permit(self.0.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Permits;

    #[test]
    fn fewer_permits_take_none_away_and_none_is_granted_until_enough_are_returned() {
        let permits = Permits::new(3);
        let mut held: Vec<_> = std::iter::from_fn(|| permits.acquire()).collect();
        assert_eq!(held.len(), 3);
        permits.set(1);
        held.pop();
        assert!(permits.acquire().is_none(), "two are in use");
        held.pop();
        assert!(permits.acquire().is_none(), "one is in use");
        held.pop();
        held.extend(permits.acquire());
        assert_eq!(held.len(), 1);
        permits.set(2);
        held.extend(std::iter::from_fn(|| permits.acquire()));
        assert_eq!(held.len(), 2);
    }
}
