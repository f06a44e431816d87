//! How fast one client may join and leave: more wait their turn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{Error, ErrorCode, config::Limits};
use tokio::time::{Instant, sleep};

use super::returners::Returners;
use crate::{
    Client,
    instruments::{self, Limit},
};

/// How long a change may wait for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How long it may take to learn that a connection is gone when the next one from there has come already.
const GRACE: Duration = Duration::from_millis(30);

/// What one client may change.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// When it will be full again, in nanoseconds of the [`Pace`].
    full_at: AtomicU64,
    /// When its last turn is, or that of anybody else at its address.
    last_turn: Arc<AtomicU64>,
}

impl Allowance {
    /// A full one, for somebody at the address that takes note of turns here.
    pub(super) fn at(last_turn: &Arc<AtomicU64>) -> Self {
        Self { full_at: AtomicU64::new(0), last_turn: last_turn.clone() }
    }
}

/// What a change counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The store is told.
    One = 1,
    /// So is the backplane: of a room in which nobody else of this node is, or is left.
    Two = 2,
}

/// The rate at which each client may change its memberships.
///
/// Limiters such as governor's refuse, and whoever was refused tries again when it may: two that wait could overtake each
/// other for ever, and how long a wait would be is not known before. Here a change takes its turn at once and waits for
/// it, so all are served in the order of their coming.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    /// The time for one change, in nanoseconds.
    each: u64,
    /// The time for as many changes as may come at once, in nanoseconds.
    burst: u64,
    pub(super) returners: Mutex<Returners>,
}

impl Pace {
    pub(crate) fn new(limits: &Limits) -> Self {
        let each = 1_000_000_000 / u64::from(limits.joins_per_second.max(1));
        let burst = each * u64::from(limits.join_burst.max(1));
        Self { began: Instant::now(), each, burst, returners: Mutex::default() }
    }

    /// Waits until this client may change a membership. To be called before anything is held that others wait for.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the wait would be longer than two seconds, with the time after which it would not be;
    /// `CLIENT_NOT_FOUND` when it has to wait and its connection is gone.
    ///
    /// # Cancellation
    /// A dropped call has used its turn.
    pub(crate) async fn turn(&self, client: &Client, weight: Weight) -> Result<(), Error> {
        // What a client leaves behind is worked off; its turns are those of who comes back.
        let longest = if client.has_hung_up() { Duration::ZERO } else { LONGEST_WAIT };
        match self.take_turn(&client.account().allowance, weight, self.now(), longest) {
            Ok(wait) => {
                if wait.is_zero() {
                    return Ok(());
                }
                sleep(wait).await;
                if client.has_hung_up() { Err(ErrorCode::ClientNotFound.into()) } else { Ok(()) }
            }
            Err(_) if longest.is_zero() => Err(ErrorCode::ClientNotFound.into()),
            Err(wait) => {
                instruments::limited(Limit::Joins);
                let error = Error::with_message(ErrorCode::RateLimited, "Too many joins and leaves");
                Err(error.with_retry_after(wait))
            }
        }
    }

    /// Waits until something may be done that nobody waits for: when there is an allowance for it that nobody wants.
    pub(super) async fn wait_for_turn(&self, allowance: &Allowance) {
        while let Err(wait) = self.take_turn(allowance, Weight::One, self.now(), Duration::ZERO) {
            sleep(wait).await;
        }
    }

    /// A client goes, which counts as a change; what it still waited for will not be done and does not count.
    pub(super) fn go(&self, allowance: &Allowance) {
        let now = nanoseconds(self.now());
        let used_up = now.saturating_add(self.burst);
        let full_again = |before: u64| Some(before.clamp(now, used_up).saturating_add(self.each));
        let _always = allowance.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, full_again);
    }

    /// Waits until a client may come that went a moment ago, for two seconds at most: it is not refused.
    pub(super) async fn come_back(&self, allowance: &Allowance) {
        sleep(self.take_turn(allowance, Weight::One, self.now(), LONGEST_WAIT).unwrap_or(LONGEST_WAIT)).await;
    }

    /// Whether an allowance is full.
    pub(super) fn has_all(&self, allowance: &Allowance) -> bool {
        allowance.full_at.load(Ordering::Relaxed) <= nanoseconds(self.now())
    }

    /// When an allowance is full, to compare with others.
    pub(super) fn full_at(allowance: &Allowance) -> u64 {
        allowance.full_at.load(Ordering::Relaxed)
    }

    /// How long to wait for the news that somebody went; where changes may be so frequent that it does not matter, none.
    pub(super) fn grace(&self) -> Option<Duration> {
        let grace = GRACE.min(Duration::from_nanos(self.each));
        (grace >= Duration::from_millis(1)).then_some(grace)
    }

    /// The time since the node began.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long to wait for the turn that was taken; or none was taken, because that is longer than this, and after how
    /// long there will be one.
    fn take_turn(
        &self,
        allowance: &Allowance,
        weight: Weight,
        now: Duration,
        longest: Duration,
    ) -> Result<Duration, Duration> {
        let now = nanoseconds(now);
        let full_again = |before: u64| before.max(now).saturating_add(self.each * weight as u64);
        let wait =
            |before: u64| Duration::from_nanos(full_again(before).saturating_sub(self.burst).saturating_sub(now));
        let taken = allowance.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
            (wait(before) <= longest).then(|| full_again(before))
        });
        match taken.map(wait) {
            Ok(wait) => {
                allowance.last_turn.fetch_max(now.saturating_add(nanoseconds(wait)), Ordering::Relaxed);
                Ok(wait)
            }
            Err(before) => Err(wait(before).saturating_sub(longest).max(Duration::from_millis(1))),
        }
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roomwire_core::config::Limits;

    use super::{Allowance, LONGEST_WAIT, Pace, Weight};

    fn pace(joins_per_second: u32, join_burst: u32) -> Pace {
        Pace::new(&Limits { joins_per_second, join_burst, ..Limits::default() })
    }

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_burst_has_no_wait_and_what_follows_is_served_one_by_one() {
        let (pace, allowance) = (pace(10, 3), Allowance::default());
        let waits: Vec<_> = (0..6)
            .map(|_| pace.take_turn(&allowance, Weight::One, Duration::ZERO, LONGEST_WAIT).expect("a turn"))
            .collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300].map(|wait| wait * MS));
    }

    #[tokio::test]
    async fn who_was_quiet_gets_its_burst_back_and_no_more() {
        let (pace, allowance) = (pace(10, 3), Allowance::default());
        for _ in 0..3 {
            pace.take_turn(&allowance, Weight::One, Duration::ZERO, LONGEST_WAIT).expect("a turn");
        }
        let later = Duration::from_secs(3600);
        let waits: Vec<_> =
            (0..4).map(|_| pace.take_turn(&allowance, Weight::One, later, LONGEST_WAIT).expect("a turn")).collect();
        assert_eq!(waits, [0, 0, 0, 100].map(|wait| wait * MS));
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_two_seconds_and_a_refusal_takes_no_turn() {
        let (pace, allowance) = (pace(10, 1), Allowance::default());
        for turn in 0..=20 {
            assert_eq!(pace.take_turn(&allowance, Weight::One, Duration::ZERO, LONGEST_WAIT), Ok(turn * 100 * MS));
        }
        for _ in 0..5 {
            assert_eq!(pace.take_turn(&allowance, Weight::One, Duration::ZERO, LONGEST_WAIT), Err(100 * MS));
        }
        assert_eq!(
            pace.take_turn(&allowance, Weight::One, 100 * MS, LONGEST_WAIT),
            Ok(Duration::from_secs(2)),
            "after the time it was told"
        );
    }

    #[tokio::test]
    async fn what_counts_twice_takes_two_turns_also_where_a_burst_is_one() {
        let (pace, allowance) = (pace(10, 3), Allowance::default());
        let waits: Vec<_> = (0..3)
            .map(|_| pace.take_turn(&allowance, Weight::Two, Duration::ZERO, LONGEST_WAIT).expect("a turn"))
            .collect();
        assert_eq!(waits, [0, 100, 300].map(|wait| wait * MS));
        let (pace, allowance) = (self::pace(10, 1), Allowance::default());
        assert_eq!(pace.take_turn(&allowance, Weight::Two, Duration::ZERO, LONGEST_WAIT), Ok(100 * MS));
    }
}
