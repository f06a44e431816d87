//! Rate limits of a client: events and bytes a second, and when a client above them is disconnected.

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

use crate::metrics::{self, Limit};

/// The rate limits of one client. Events above them are rejected, and a client that keeps exceeding them is
/// disconnected.
///
/// 104 bytes a client, two atomic numbers changed an event, and no task.
#[derive(Debug)]
pub(super) struct ClientRate {
    events: Limiter,
    bytes: Limiter,
    /// The largest cost that the byte limit allows.
    most_bytes: NonZeroU32,
    /// The number of refusals in a row after which the client is disconnected.
    patience: u32,
    began: Instant,
    /// Upper half: the time of the last refusal in milliseconds. Lower half: the number of refusals without a pause.
    refusals: AtomicU64,
}

/// A bucket of 40 bytes that needs no lock.
pub(super) type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks>;

/// The clock of the runtime, which tests can pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks;

impl Clock for Ticks {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Bytes are counted in units of this size, so that one unit lasts whole nanoseconds at any rate.
const GRAIN: usize = 16;

/// A client is disconnected after this many times its burst of refusals without a pause.
const PATIENCE: u32 = 10;

/// The time without a refusal after which refusals are forgotten, in milliseconds.
const PAUSE: u32 = 1000;

impl ClientRate {
    pub(super) fn new(limits: &Limits) -> Self {
        let most_bytes = grains(limits.byte_burst as usize);
        Self {
            events: limiter(period(1, limits.events_per_second), at_least_one(limits.event_burst)),
            bytes: limiter(period(GRAIN, limits.bytes_per_second), most_bytes),
            most_bytes,
            patience: limits.event_burst.saturating_mul(PATIENCE),
            began: Ticks.now(),
            refusals: AtomicU64::new(0),
        }
    }

    /// Counts one event of this size.
    ///
    /// # Errors
    /// The limit that is exceeded, and `RATE_LIMITED` with the time to wait. An event that is larger than the burst
    /// costs all of it.
    pub(super) fn admit(&self, bytes: usize) -> Result<(), (Limit, Error)> {
        let event = self.events.check();
        // The bytes of a rejected event count too, up to the burst.
        let outcome = self.bytes.check_n(grains(bytes).min(self.most_bytes));
        event.map_err(|wait| (Limit::Events, refused(Limit::Events, "Too many events", &wait)))?;
        let Ok(outcome) = outcome else { return Ok(()) };
        outcome.map_err(|wait| (Limit::Bytes, refused(Limit::Bytes, "Too many bytes", &wait)))
    }

    /// Counts a rejection. Returns true if there were so many without a pause that the client must be disconnected.
    pub(super) fn is_abused(&self) -> bool {
        // Only differences matter: the milliseconds may wrap.
        let now = (Ticks.now() - self.began).as_millis() as u32;
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

/// A full bucket: one token in each period, up to `burst` at once.
pub(super) fn limiter(period: Duration, burst: NonZeroU32) -> Limiter {
    // Only a period of zero is rejected, which no rate has.
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(burst));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), Ticks)
}

/// The time in which `amount` is refilled at this rate: at least a nanosecond.
pub(super) fn period(amount: usize, per_second: u32) -> Duration {
    let nanos = (amount as u64 * 1_000_000_000).div_ceil(u64::from(per_second.max(1)));
    Duration::from_nanos(nanos.max(1))
}

pub(super) fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

/// `RATE_LIMITED`, counted, with the time to wait in whole milliseconds. A client that waits `retryAfterMs` and sends
/// nothing else in the meantime is accepted.
pub(super) fn refused(limit: Limit, what: &'static str, wait: &governor::NotUntil<Instant>) -> Error {
    metrics::limited(limit);
    let wait = wait.wait_time_from(Ticks.now());
    let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Error::with_message(ErrorCode::RateLimited, what).with_retry_after(Duration::from_millis(millis.max(1)))
}

/// The cost of an event in units: at least one.
fn grains(bytes: usize) -> NonZeroU32 {
    at_least_one(u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX))
}
