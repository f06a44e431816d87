//! How many writes of this node's lives each partition has confirmed.

use std::collections::HashMap;

use parking_lot::Mutex;
use roomwire_core::Incarnation;

use crate::keys::Partition;

/// What the server counted last, by life and partition. A server that counts less than that has lost writes.
#[derive(Debug, Default)]
pub(crate) struct Writes(Mutex<HashMap<(Incarnation, Partition), Known>>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    count: u64,
    /// Set until the heartbeat has said so.
    lost: bool,
}

impl Writes {
    /// Whether this life began here before.
    pub(crate) fn knows(&self, life: &Incarnation, partition: Partition) -> bool {
        self.0.lock().contains_key(&(life.clone(), partition))
    }

    /// The server has this count, whatever it was.
    pub(crate) fn set(&self, life: &Incarnation, partition: Partition, count: u64) {
        self.0.lock().insert((life.clone(), partition), Known { count, lost: false });
    }

    /// The server confirmed a write that was sent when it had confirmed `before`. A count that is not higher than that
    /// says that writes were lost.
    pub(crate) fn confirmed(&self, life: &Incarnation, partition: Partition, before: u64, count: u64) {
        let mut lives = self.0.lock();
        let Some(known) = lives.get_mut(&(life.clone(), partition)) else { return };
        if count <= before {
            *known = Known { count, lost: true };
        } else {
            known.count = known.count.max(count);
        }
    }

    /// The heartbeat found this count; whether writes were lost since the last one that asked.
    pub(crate) fn take_loss(&self, life: &Incarnation, partition: Partition, before: u64, count: u64) -> bool {
        let mut lives = self.0.lock();
        let Some(known) = lives.get_mut(&(life.clone(), partition)) else { return false };
        if count < before {
            known.count = count;
        }
        std::mem::take(&mut known.lost) || count < before
    }

    pub(crate) fn count(&self, life: &Incarnation, partition: Partition) -> u64 {
        self.0.lock().get(&(life.clone(), partition)).map_or(0, |known| known.count)
    }

    /// A life that is over.
    pub(crate) fn forget(&self, life: &Incarnation) {
        self.0.lock().retain(|(known, _), _| known != life);
    }
}
