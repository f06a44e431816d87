//! The life this node writes under.

use parking_lot::RwLock as SyncRwLock;
use roomwire_core::{Incarnation, NodeId};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The present incarnation of this node.
///
/// Whoever changes memberships holds it while the change is in the store but not yet in this node's
/// memory; so a node that takes a new life puts back exactly what its members know.
#[derive(Debug)]
pub(crate) struct Life {
    held: RwLock<Incarnation>,
    current: SyncRwLock<Incarnation>,
}

impl Life {
    pub(crate) fn begin(node: NodeId) -> Self {
        let life = Incarnation::begin(node);
        Self { held: RwLock::new(life.clone()), current: SyncRwLock::new(life) }
    }

    /// The life, which stays until the guard is dropped.
    pub(crate) async fn hold(&self) -> RwLockReadGuard<'_, Incarnation> {
        self.held.read().await
    }

    /// Waits until nobody holds the life, to replace it.
    pub(super) async fn replace(&self) -> RwLockWriteGuard<'_, Incarnation> {
        self.held.write().await
    }

    /// Lets [`Self::current`] follow what was written to the guard of [`Self::replace`].
    pub(super) fn publish(&self, life: &Incarnation) {
        *self.current.write() = life.clone();
    }

    /// The life at this moment, without waiting.
    pub(crate) fn current(&self) -> Incarnation {
        self.current.read().clone()
    }
}
