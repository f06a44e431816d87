//! How much a client may send: events and bytes a second, and how long it may go on above that.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    state::{InMemoryState, NotKeyed},
};
use roomwire_core::{Error, ErrorCode, config::Limits};

use crate::instruments::{self, Limit};

/// One client's allowance. What is sent above it is refused, and whoever is refused all the time must go.
///
/// 88 bytes a client, two atomic numbers changed an event, and no task.
#[derive(Debug)]
pub(super) struct Rate {
    events: Limiter,
    bytes: Limiter,
    /// The largest cost that `bytes` ever allows.
    most_bytes: NonZeroU32,
    /// From so many refusals in a row on, the client must go.
    patience: u32,
    /// When the last refusal was, in milliseconds, in the upper half; in the lower one how many there were without a
    /// pause.
    refusals: AtomicU64,
}

/// A bucket of 40 bytes that needs no lock.
pub(super) type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks>;

/// The time of the runtime: it stands still where a test makes it stand still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks;

impl Clock for Ticks {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Bytes are counted by so many, so that the time for one of them can be told in nanoseconds at any rate.
const GRAIN: usize = 16;

/// How many times its burst a client may be refused without a pause before it is disconnected.
const PATIENCE: u32 = 10;

/// How long a client is not refused after which its refusals are forgotten, in milliseconds.
const PAUSE: u32 = 1000;

impl Rate {
    pub(super) fn new(limits: &Limits) -> Self {
        let most_bytes = grains(limits.byte_burst as usize);
        Self {
            events: limiter(period(1, limits.events_per_second), at_least_one(limits.event_burst)),
            bytes: limiter(period(GRAIN, limits.bytes_per_second), most_bytes),
            most_bytes,
            patience: limits.event_burst.saturating_mul(PATIENCE),
            refusals: AtomicU64::new(0),
        }
    }

    /// Takes one event of so many bytes off the allowance.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait: nothing is left. An event that is larger than the burst costs all of it.
    pub(super) fn admit(&self, bytes: usize) -> Result<(), Error> {
        let event = self.events.check();
        // What is refused has come all the same. Nothing is larger than the burst, at most.
        let outcome = self.bytes.check_n(grains(bytes).min(self.most_bytes));
        event.map_err(|wait| refused(Limit::Events, "Too many events", &wait))?;
        let Ok(outcome) = outcome else { return Ok(()) };
        outcome.map_err(|wait| refused(Limit::Bytes, "Too many bytes", &wait))
    }

    /// Notes that the client was refused, at this time of the node; whether it was refused so often without a pause that
    /// it must go.
    pub(super) fn is_abused(&self, now: Duration) -> bool {
        // Only differences count: the milliseconds may wrap.
        let now = now.as_millis() as u32;
        let noted = |refusals: u64| {
            let (last, count) = ((refusals >> 32) as u32, refusals as u32);
            let count = if now.wrapping_sub(last) < PAUSE { count.saturating_add(1) } else { 1 };
            u64::from(now) << 32 | u64::from(count)
        };
        let before = self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| Some(noted(before)));
        let (Ok(before) | Err(before)) = before;
        noted(before) as u32 > self.patience
    }
}

/// A full bucket: one a period, and so many at once.
pub(super) fn limiter(period: Duration, burst: NonZeroU32) -> Limiter {
    // Only a period of nothing is refused, which no rate has.
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(burst));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), Ticks)
}

/// The time in which so many are refilled at this rate a second: at least a nanosecond.
pub(super) fn period(amount: usize, per_second: u32) -> Duration {
    let nanos = (amount as u64 * 1_000_000_000).div_ceil(u64::from(per_second.max(1)));
    Duration::from_nanos(nanos.max(1))
}

pub(super) fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

/// `RATE_LIMITED`, counted, with the time to wait in whole milliseconds: whoever waits so long is not refused again.
pub(super) fn refused(limit: Limit, what: &'static str, wait: &governor::NotUntil<Instant>) -> Error {
    instruments::limited(limit);
    let wait = wait.wait_time_from(Ticks.now());
    let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Error::with_message(ErrorCode::RateLimited, what).with_retry_after(Duration::from_millis(millis.max(1)))
}

/// What so many bytes cost: every event costs something.
fn grains(bytes: usize) -> NonZeroU32 {
    at_least_one(u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX))
}
