//! Seeded random numbers, and random yields between tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

/// The random number generator of an episode. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Random(Arc<Source>);

#[derive(Debug)]
struct Source {
    state: AtomicU64,
    /// The logical time.
    clock: AtomicU64,
    /// A hash of all yields, in order.
    fingerprint: AtomicU64,
    journal: Option<Mutex<Vec<String>>>,
}

impl Random {
    /// Creates a generator: the same seed gives the same numbers. The journal is for replays.
    pub(crate) fn seeded(seed: u64, keep_journal: bool) -> Self {
        Self(Arc::new(Source {
            state: AtomicU64::new(seed),
            clock: AtomicU64::new(0),
            fingerprint: AtomicU64::new(seed),
            journal: keep_journal.then(Mutex::default),
        }))
    }

    /// Returns the next number (SplitMix64).
    pub(crate) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mix(self.0.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Returns true with a probability of `per_mille` in a thousand.
    pub(crate) fn chance(&self, per_mille: u32) -> bool {
        self.next() % 1000 < u64::from(per_mille)
    }

    /// Returns one of the items.
    pub(crate) fn pick<'a, T>(&self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns the next logical time.
    pub(crate) fn tick(&self) -> u64 {
        self.0.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Yields at random: in half of the cases not at all, sometimes for so long that whole calls of other tasks run in
    /// between, rarely until all other tasks are idle.
    pub(crate) async fn yield_randomly(&self, place: &str) {
        let draw = self.next();
        self.fold(place, draw);
        let times = match draw % 64 {
            0 => 40,
            1..=3 => 10,
            4..=31 => 1 + draw % 3,
            _ => 0,
        };
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        if (draw >> 32).is_multiple_of(200) {
            tokio::time::sleep(Duration::from_millis(1 + (draw >> 40) % 4)).await;
        }
    }

    fn fold(&self, place: &str, draw: u64) {
        let hash = place.bytes().fold(draw, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let before = self.0.fingerprint.load(Ordering::Relaxed);
        self.0.fingerprint.store(mix(before ^ hash), Ordering::Relaxed);
        self.note(|| format!("    {place} {hash:016x}"));
    }

    /// Returns a hash that two runs share if their tasks were interleaved in the same way.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.fingerprint.load(Ordering::Relaxed)
    }

    /// Adds a line to the journal, if one is kept.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(journal) = &self.0.journal {
            journal.lock().push(line());
        }
    }

    /// Returns the journal.
    pub(crate) fn journal(&self) -> Vec<String> {
        self.0.journal.as_ref().map(|journal| journal.lock().clone()).unwrap_or_default()
    }
}

fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
