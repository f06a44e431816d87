//! Rate limits for repeated log lines.

use std::time::{Duration, Instant};

/// Limits one log line to once a minute: the first occurrence is logged at once, all further ones of a minute together.
///
/// The caller writes the line, with the number of occurrences that this returns.
///
/// ```
/// use std::time::{Duration, Instant};
/// use roomwire_core::LogThrottle;
///
/// let (mut throttle, start) = (LogThrottle::default(), Instant::now());
/// assert_eq!(throttle.count(start), Some(1));
/// assert_eq!(throttle.count(start + Duration::from_secs(59)), None);
/// assert_eq!(throttle.count(start + Duration::from_secs(60)), Some(2));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LogThrottle {
    unlogged: u64,
    logged: Option<Instant>,
}

impl LogThrottle {
    /// The shortest time between two lines.
    pub const INTERVAL: Duration = Duration::from_secs(60);

    /// Counts an occurrence. Returns how many occurrences to log, or none before the interval is over.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        self.unlogged += 1;
        self.due(now)
    }

    /// Returns how many occurrences to log, if any are unlogged and the interval is over. Call it periodically to log
    /// the last occurrences, too.
    pub fn due(&mut self, now: Instant) -> Option<u64> {
        let is_over = self.logged.is_none_or(|logged| now.saturating_duration_since(logged) >= Self::INTERVAL);
        if self.unlogged == 0 || !is_over {
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::LogThrottle;

    #[test]
    fn every_occurrence_is_logged_once_and_lines_are_a_minute_apart() {
        let (mut throttle, start) = (LogThrottle::default(), Instant::now());
        let second = LogThrottle::INTERVAL / 60;
        let mut lines = Vec::new();
        assert_eq!(throttle.due(start), None, "nothing occurred");
        for at in 0..600 {
            // Ten in each second, until one is followed by none.
            for _ in 0..if at <= 300 { 10 } else { 0 } {
                lines.extend(throttle.count(start + second * at).map(|count| (at, count)));
            }
            lines.extend(throttle.due(start + second * at).map(|count| (at, count)));
        }
        let moments: Vec<_> = lines.iter().map(|(at, _)| *at).collect();
        assert_eq!(moments, [0, 60, 120, 180, 240, 300, 360]);
        assert_eq!(lines.iter().map(|(_, count)| count).sum::<u64>(), 3010);
    }
}
