//! Faults injected between a node and its store or backplane.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use roomwire_core::StateError;

use crate::random::Random;

/// A side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Before the inner call.
    Before,
    /// After the inner call, before its answer is returned.
    After,
}

/// The faults of one port. Every call yields at random on both sides.
#[derive(Debug)]
pub(crate) struct Faults {
    random: Random,
    /// The probability of a failure on each side of a call, in a thousand.
    lost_calls: AtomicU32,
    /// Every call fails.
    away: AtomicBool,
    /// As `away`, for ever: the process was killed.
    severed: AtomicBool,
    /// The number of calls other than reads.
    changes: AtomicU64,
}

impl Faults {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            random,
            lost_calls: AtomicU32::new(0),
            away: AtomicBool::new(false),
            severed: AtomicBool::new(false),
            changes: AtomicU64::new(0),
        }
    }

    /// Sets the probability of a failure on each side of a call, in a thousand.
    pub(crate) fn lose_calls(&self, per_mille: u32) {
        self.lost_calls.store(per_mille, Ordering::Relaxed);
    }

    /// Makes all calls fail, or lets them pass.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Makes all calls fail for ever.
    pub(crate) fn sever(&self) {
        self.severed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_severed(&self) -> bool {
        self.severed.load(Ordering::Relaxed)
    }

    /// Returns the number of calls other than reads.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Passes one side of a call: yields, and fails or hangs as configured.
    pub(crate) async fn pass(&self, side: Side, method: &'static str) -> Result<(), StateError> {
        if side == Side::Before && !READS.contains(&method) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        self.random.yield_randomly(method).await;
        if self.away.load(Ordering::Relaxed) || self.is_severed() {
            return Err(StateError::unavailable("the test cut it off"));
        }
        let lost = self.lost_calls.load(Ordering::Relaxed);
        if lost > 0 && self.random.chance(lost) {
            self.random.note(|| format!("{method} is lost {side:?}"));
            if self.random.chance(200) {
                std::future::pending::<()>().await;
            }
            return Err(StateError::unavailable("the test lost it"));
        }
        Ok(())
    }
}

/// Calls that change nothing, and those of an idle node's heartbeat.
const READS: [&str; 17] = [
    "removed_by_others",
    "renew_lease",
    "stored_clients",
    "nodes",
    "touch",
    "client",
    "locate",
    "clients",
    "client_count",
    "user_clients",
    "user_client_count",
    "revocations",
    "room",
    "rooms",
    "room_count",
    "members",
    "member_count",
];

/// Forwards a call to `self.inner()` through `self.faults`.
macro_rules! forward {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {{
        $self.faults.pass($crate::faults::Side::Before, stringify!($method)).await?;
        let outcome = $self.inner().$method($($argument),*).await;
        $self.faults.pass($crate::faults::Side::After, stringify!($method)).await?;
        outcome
    }};
}
pub(crate) use forward;
