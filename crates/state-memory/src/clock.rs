//! The clocks for the expiry of leases.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use roomwire_core::{Clock, Timestamp};

/// A clock that only moves when a test advances it.
///
/// ```
/// use std::time::Duration;
/// use roomwire_core::Clock;
/// use roomwire_state_memory::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now(), before.plus(Duration::from_secs(30)));
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock at the start of 2026.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Timestamp::from_millis(1_767_225_600_000))
    }

    /// A clock at this time.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        Self(AtomicU64::new(moment.as_millis()))
    }

    /// Advances it, by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        // The closure never declines, so there is nothing to handle.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |millis| {
            Some(Timestamp::from_millis(millis).plus(by).as_millis())
        });
    }

    /// Sets it to this time, which may be earlier.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_millis(), Ordering::Release);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Acquire))
    }
}

/// Counts from zero at its creation, and never jumps: setting the system clock ends no lease.
#[derive(Debug)]
pub(crate) struct SteadyClock(Instant);

impl SteadyClock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.0.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use roomwire_core::{Clock, Timestamp};

    use super::{Duration, ManualClock};

    #[test]
    fn a_manual_clock_moves_only_when_it_is_told_to() {
        let clock = ManualClock::at(Timestamp::from_millis(5));
        assert_eq!(clock.now(), Timestamp::from_millis(5));
        clock.advance(Duration::from_millis(2));
        assert_eq!(clock.now(), Timestamp::from_millis(7));
        clock.set(Timestamp::from_millis(1));
        assert_eq!(clock.now(), Timestamp::from_millis(1));
    }
}
