//! How far a node has drained.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{sync::OnceCell, time::Instant};
use tokio_util::sync::CancellationToken;

/// Shared by all requests and the drain itself.
#[derive(Debug, Default)]
pub(crate) struct DrainState {
    /// Whether new sessions are refused.
    refuses: AtomicBool,
    /// Set when all clients were asked to go: when the whole shutdown must be over.
    pub(crate) asked: OnceCell<Instant>,
    is_finishing: AtomicBool,
    /// Cancelled when the service is shut down and all is closed.
    pub(crate) finished: CancellationToken,
}

impl DrainState {
    pub(crate) fn refuses_sessions(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// True for the first caller, who begins the last step.
    pub(crate) fn begin_finish(&self) -> bool {
        !self.is_finishing.swap(true, Ordering::AcqRel)
    }

    /// Refuses new sessions from now on.
    pub(crate) fn refuse_sessions(&self) {
        self.refuses.store(true, Ordering::Release);
    }
}
