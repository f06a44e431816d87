//! Timestamps and clocks: injected, in milliseconds, serialized as RFC 3339.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

const MILLIS_RFC3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A moment, in whole milliseconds since 1970 in UTC.
///
/// Serialized as `2026-11-23T15:09:00.123Z`, the form JavaScript's `toISOString` uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The current time, by the system clock.
    #[must_use]
    pub fn now() -> Self {
        SystemClock.now()
    }

    /// The latest time with a four-digit year.
    const LATEST: u64 = 253_402_300_799_999;

    /// The time this many milliseconds after 1970, at the latest the end of the year 9999.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > Self::LATEST { Self::LATEST } else { millis })
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus a duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| fmt::Error)?;
        f.write_str(&moment.format(MILLIS_RFC3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339)
            .map_err(|_| de::Error::custom("expected a time such as 2026-11-23T15:09:00.123Z"))?;
        let millis = u64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
            .map_err(|_| de::Error::custom("expected a time after 1970"))?;
        Ok(Self::from_millis(millis))
    }
}

/// A source of time. Tests inject a clock that they control.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time. May go backwards when the system clock is set.
    fn now(&self) -> Timestamp;
}

/// The system clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp::default().plus(since_1970)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn times_are_written_as_javascript_writes_them_and_read_back() {
        let moment = Timestamp::from_millis(1_795_446_540_120);
        let json = serde_json::to_string(&moment).expect("serializes");
        assert_eq!(json, r#""2026-11-23T15:09:00.120Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("reads"), moment);
    }

    #[test]
    fn times_with_an_offset_are_understood() {
        let read: Timestamp = serde_json::from_str(r#""1970-01-01T01:00:01+01:00""#).expect("reads");
        assert_eq!(read, Timestamp::from_millis(1000));
    }

    #[test]
    fn a_moment_after_the_year_9999_is_held_at_its_end() {
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
