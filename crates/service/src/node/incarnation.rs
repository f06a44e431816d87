//! The incarnation under which this node writes.

use parking_lot::RwLock as SyncRwLock;
use roomwire_core::{Incarnation, NodeId};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The current incarnation of this node.
///
/// A change of memberships locks it (shared) from the store call until this node's memory agrees. So a node that begins
/// a new incarnation re-registers exactly what is in its memory.
#[derive(Debug)]
pub(crate) struct CurrentIncarnation {
    lock: RwLock<Incarnation>,
    current: SyncRwLock<Incarnation>,
}

impl CurrentIncarnation {
    pub(crate) fn begin(node: NodeId) -> Self {
        let incarnation = Incarnation::begin(node);
        Self { lock: RwLock::new(incarnation.clone()), current: SyncRwLock::new(incarnation) }
    }

    /// Locks the incarnation; it does not change until the guard is dropped.
    pub(crate) async fn lock(&self) -> RwLockReadGuard<'_, Incarnation> {
        self.lock.read().await
    }

    /// Waits for exclusive access, to replace the incarnation.
    pub(super) async fn replace(&self) -> RwLockWriteGuard<'_, Incarnation> {
        self.lock.write().await
    }

    /// Makes [`Self::current`] return the value written to the guard of [`Self::replace`].
    pub(super) fn publish(&self, incarnation: &Incarnation) {
        *self.current.write() = incarnation.clone();
    }

    /// The incarnation at this moment, without waiting.
    pub(crate) fn current(&self) -> Incarnation {
        self.current.read().clone()
    }
}
