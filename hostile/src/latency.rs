//! How long messages take, apart for the time of the attack and the time without.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// What happens besides the crowd's chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing.
    Quiet,
    /// Another program keeps every core of the machine busy, and leaves the server alone.
    Busy,
    /// The server is attacked.
    Attack,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Quiet, Self::Busy, Self::Attack];
}

/// What is below this is noise: of two cores that the server, the crowd and the attackers share with whatever else the
/// machine does, one that is busy with another process for a moment makes more of a difference than any attack does.
/// The row of sizes raises the 99th percentile from 0.50 to 1.32 ms, and from 0.49 to 1.41 ms when another server is
/// attacked in the same way. Where nothing is optimized, what takes a moment takes ten: a message of a megabyte is 10
/// ms.
pub(crate) const FLOOR: Duration = Duration::from_millis(if cfg!(debug_assertions) { 10 } else { 2 });

/// The latencies of all messages, by the phase in which they were sent.
pub(crate) struct Latencies {
    phase: AtomicU8,
    histograms: [Mutex<Histogram<u64>>; Phase::ALL.len()],
}

impl Latencies {
    pub(crate) fn new() -> Self {
        // In microseconds, up to a minute.
        let histogram = || match Histogram::new_with_bounds(1, 60_000_000, 3) {
            Ok(histogram) => Mutex::new(histogram),
            Err(error) => panic!("{error}"),
        };
        Self { phase: AtomicU8::new(Phase::Quiet as u8), histograms: Phase::ALL.map(|_| histogram()) }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    pub(crate) fn record(&self, phase: u8, latency: Duration) {
        let Some(histogram) = self.histograms.get(usize::from(phase)) else { return };
        histogram.lock().saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// The latency that so many of a hundred messages do not exceed.
    pub(crate) fn percentile(&self, phase: Phase, percent: f64) -> Duration {
        Duration::from_micros(self.histograms[phase as usize].lock().value_at_percentile(percent))
    }

    pub(crate) fn count(&self, phase: Phase) -> u64 {
        self.histograms[phase as usize].lock().len()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for phase in Phase::ALL {
            let at = |percent| self.percentile(phase, percent).as_secs_f64() * 1000.0;
            let count = self.count(phase);
            write!(f, " {phase:?}: {count}, p50 {:.2} ms, p99 {:.2} ms, max {:.1} ms;", at(50.0), at(99.0), at(100.0))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Latencies({self})")
    }
}
