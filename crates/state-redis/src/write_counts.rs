//! Counts the writes of this node's incarnations that each partition has confirmed.

use std::collections::HashMap;

use parking_lot::Mutex;
use roomwire_core::Incarnation;

use crate::keys::Partition;

/// The last count of the server, by incarnation and partition. A server with a lower count has lost writes.
#[derive(Debug, Default)]
pub(crate) struct WriteCounts(Mutex<HashMap<(Incarnation, Partition), Known>>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    count: u64,
    /// Set until the heartbeat has reported it.
    lost: bool,
}

impl WriteCounts {
    /// Whether this incarnation began here before.
    pub(crate) fn knows(&self, incarnation: &Incarnation, partition: Partition) -> bool {
        self.0.lock().contains_key(&(incarnation.clone(), partition))
    }

    /// Sets the server's count.
    pub(crate) fn set(&self, incarnation: &Incarnation, partition: Partition, count: u64) {
        self.0.lock().insert((incarnation.clone(), partition), Known { count, lost: false });
    }

    /// The server confirmed a write that was sent when the count was `before`. A count that is not higher means that
    /// writes were lost.
    pub(crate) fn confirmed(&self, incarnation: &Incarnation, partition: Partition, before: u64, count: u64) {
        let mut incarnations = self.0.lock();
        let Some(known) = incarnations.get_mut(&(incarnation.clone(), partition)) else { return };
        if count <= before {
            *known = Known { count, lost: true };
        } else {
            known.count = known.count.max(count);
        }
    }

    /// Stores the count of a heartbeat; returns whether writes were lost since the last one.
    pub(crate) fn take_loss(&self, incarnation: &Incarnation, partition: Partition, before: u64, count: u64) -> bool {
        let mut incarnations = self.0.lock();
        let Some(known) = incarnations.get_mut(&(incarnation.clone(), partition)) else { return false };
        if count < before {
            known.count = count;
        }
        std::mem::take(&mut known.lost) || count < before
    }

    pub(crate) fn count(&self, incarnation: &Incarnation, partition: Partition) -> u64 {
        self.0.lock().get(&(incarnation.clone(), partition)).map_or(0, |known| known.count)
    }

    /// Removes an incarnation that has ended.
    pub(crate) fn forget(&self, incarnation: &Incarnation) {
        self.0.lock().retain(|(known, _), _| known != incarnation);
    }
}
