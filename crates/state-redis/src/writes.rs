//! How many writes of this node's lives each partition has confirmed.

use std::collections::HashMap;

use parking_lot::Mutex;
use roomwire_core::Incarnation;

use crate::keys::Partition;

/// What the server counted last, by life and partition. A server that counts less than that has lost writes.
#[derive(Debug, Default)]
pub(crate) struct Writes(Mutex<HashMap<(Incarnation, Partition), u64>>);

impl Writes {
    /// Whether this life began here before.
    pub(crate) fn knows(&self, life: &Incarnation, partition: Partition) -> bool {
        self.0.lock().contains_key(&(life.clone(), partition))
    }

    /// The server has this count, whatever it was.
    pub(crate) fn set(&self, life: &Incarnation, partition: Partition, count: u64) {
        self.0.lock().insert((life.clone(), partition), count);
    }

    /// The server confirmed a write.
    pub(crate) fn confirmed(&self, life: &Incarnation, partition: Partition, count: Option<u64>) {
        if let (Some(count), Some(known)) = (count, self.0.lock().get_mut(&(life.clone(), partition))) {
            *known = count.max(*known);
        }
    }

    pub(crate) fn count(&self, life: &Incarnation, partition: Partition) -> u64 {
        self.0.lock().get(&(life.clone(), partition)).copied().unwrap_or_default()
    }

    /// A life that is over.
    pub(crate) fn forget(&self, life: &Incarnation) {
        self.0.lock().retain(|(known, _), _| known != life);
    }
}
