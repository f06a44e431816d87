//! A token bucket that is checked and charged separately.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket: it holds a burst of tokens, and gets one back each interval.
///
/// A connection may begin while there is a token, and takes one when it *ends*, if it was short. The usual limiters
/// (`governor`) check and take in one step, which would charge connections that stay.
#[derive(Clone, Copy, Debug)]
pub struct ReconnectRate {
    interval: Duration,
    burst: u32,
}

/// The moment at which a bucket is full again: the whole state of the bucket.
pub type FullAt = Instant;

impl ReconnectRate {
    /// A bucket that gets so many tokens a second, and holds so many.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), burst: burst.max(1) }
    }

    /// The time until there is a token; `None` when there is one.
    #[must_use]
    pub fn wait(&self, full_at: FullAt, now: Instant) -> Option<Duration> {
        let missing = full_at.saturating_duration_since(now);
        let bearable = self.interval * (self.burst - 1);
        missing.checked_sub(bearable).filter(|wait| !wait.is_zero())
    }

    /// Takes a token. An empty bucket stays empty: many connections that end at one time cost no more than the burst.
    #[must_use]
    pub fn charge(&self, full_at: FullAt, now: Instant) -> FullAt {
        let empty = now + self.interval * self.burst;
        (full_at.max(now) + self.interval).min(empty)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::ReconnectRate;

    #[test]
    fn the_burst_is_there_at_once_and_then_one_an_interval() {
        let rate = ReconnectRate::new(2, 3);
        let start = Instant::now();
        let mut full_at = start;
        for _ in 0..3 {
            assert_eq!(rate.wait(full_at, start), None);
            full_at = rate.charge(full_at, start);
        }
        assert_eq!(rate.wait(full_at, start), Some(Duration::from_millis(500)));
        let later = start + Duration::from_millis(500);
        assert_eq!(rate.wait(full_at, later), None);
        full_at = rate.charge(full_at, later);
        assert_eq!(rate.wait(full_at, later), Some(Duration::from_millis(500)));
        assert_eq!(full_at, later + Duration::from_millis(1500), "full after three intervals");
    }

    #[test]
    fn a_hundred_that_end_at_one_time_empty_the_bucket_and_no_more() {
        let rate = ReconnectRate::new(1, 4);
        let now = Instant::now();
        let full_at = (0..100).fold(now, |full_at, _| rate.charge(full_at, now));
        assert_eq!(rate.wait(full_at, now), Some(Duration::from_secs(1)));
    }
}
