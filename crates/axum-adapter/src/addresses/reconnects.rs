//! How often an address may come for a moment only.

use std::time::Duration;

use tokio::time::Instant;

/// The rule of a bucket: it holds so many tokens, and gets one back each interval.
///
/// A token is taken when a short connection *ends*, and a connection may begin while there is one. The usual limiters
/// (`governor`) ask and take in one step, which would charge connections that stay; hence this rule of four lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reconnects {
    interval: Duration,
    burst: u32,
}

/// The moment at which a bucket is full again; nothing else need be remembered of it.
pub(crate) type FullAt = Instant;

impl Reconnects {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), burst: burst.max(1) }
    }

    /// How long to wait until there is a token; nothing when there is one.
    pub(crate) fn wait(&self, full_at: FullAt, now: Instant) -> Option<Duration> {
        let missing = full_at.saturating_duration_since(now);
        let bearable = self.interval * (self.burst - 1);
        missing.checked_sub(bearable).filter(|wait| !wait.is_zero())
    }

    /// Takes a token; from an empty bucket nothing, so that many connections that end at one time cost no more than
    /// the burst.
    pub(crate) fn charge(&self, full_at: FullAt, now: Instant) -> FullAt {
        let empty = now + self.interval * self.burst;
        (full_at.max(now) + self.interval).min(empty)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Reconnects;

    #[test]
    fn the_burst_is_there_at_once_and_then_one_an_interval() {
        let rule = Reconnects::new(2, 3);
        let start = Instant::now();
        let mut full_at = start;
        for _ in 0..3 {
            assert_eq!(rule.wait(full_at, start), None);
            full_at = rule.charge(full_at, start);
        }
        assert_eq!(rule.wait(full_at, start), Some(Duration::from_millis(500)));
        let later = start + Duration::from_millis(500);
        assert_eq!(rule.wait(full_at, later), None);
        full_at = rule.charge(full_at, later);
        assert_eq!(rule.wait(full_at, later), Some(Duration::from_millis(500)));
        assert_eq!(full_at, later + Duration::from_millis(1500), "full after three intervals");
    }

    #[test]
    fn a_hundred_that_end_at_one_time_empty_the_bucket_and_no_more() {
        let rule = Reconnects::new(1, 4);
        let now = Instant::now();
        let full_at = (0..100).fold(now, |full_at, _| rule.charge(full_at, now));
        assert_eq!(rule.wait(full_at, now), Some(Duration::from_secs(1)));
    }
}
