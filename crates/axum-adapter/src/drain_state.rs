//! How far a node has drained.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{sync::OnceCell, time::Instant};

/// Shared by all requests and the drain itself.
#[derive(Debug, Default)]
pub(crate) struct DrainState {
    /// Whether new sessions are refused.
    refuses: AtomicBool,
    /// Set when all clients were asked to go: when the whole shutdown must be over.
    pub(crate) asked: OnceCell<Instant>,
}

impl DrainState {
    pub(crate) fn refuses_sessions(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Refuses new sessions from now on.
    pub(crate) fn refuse_sessions(&self) {
        self.refuses.store(true, Ordering::Release);
    }
}
