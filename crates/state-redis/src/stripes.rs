//! One change of a client at a time, where a change takes more than one script.

use std::hash::{BuildHasher, RandomState};

use roomwire_core::ClientKey;
use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 256;

/// Locks that clients share by chance. On a single server nobody needs one: a script is a change.
#[derive(Debug)]
pub(crate) struct Stripes {
    needed: bool,
    hasher: RandomState,
    locks: Vec<Mutex<()>>,
}

impl Stripes {
    pub(crate) fn new(needed: bool) -> Self {
        let count = if needed { STRIPES } else { 0 };
        Self { needed, hasher: RandomState::new(), locks: (0..count).map(|_| Mutex::default()).collect() }
    }

    /// Keeps every other change of these clients away as long as the guards live.
    pub(crate) async fn hold<'a>(&self, clients: impl IntoIterator<Item = &'a ClientKey>) -> Vec<MutexGuard<'_, ()>> {
        if !self.needed {
            return Vec::new();
        }
        let mut wanted: Vec<_> = clients.into_iter().map(|client| self.stripe(client)).collect();
        // In one order, so that nobody waits for who waits for it.
        wanted.sort_unstable();
        wanted.dedup();
        let mut held = Vec::with_capacity(wanted.len());
        for stripe in wanted {
            held.push(self.locks[stripe].lock().await);
        }
        held
    }

    fn stripe(&self, client: &ClientKey) -> usize {
        usize::try_from(self.hasher.hash_one(client) % STRIPES as u64).unwrap_or_default()
    }
}
