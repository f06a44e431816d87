//! The phases of a service: mounted on a server, admitting sessions, shutting down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use roomwire_core::{Error, ErrorCode};
use tokio_util::sync::CancellationToken;

/// Counts sessions, and refuses them during shutdown.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    is_enabled: bool,
    /// Whether a server holds the connections.
    is_mounted: AtomicBool,
    /// Sessions that are being admitted, are connected, or still run a handler.
    sessions: AtomicUsize,
    /// Whether the node should get no new clients.
    draining: AtomicBool,
    shutting_down: AtomicBool,
    /// Cancelled when a node of the cluster asks this one to drain.
    drain_requested: CancellationToken,
}

impl Lifecycle {
    pub(super) fn new(is_enabled: bool) -> Self {
        Self {
            is_enabled,
            is_mounted: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            shutting_down: AtomicBool::new(false),
            drain_requested: CancellationToken::new(),
        }
    }

    /// Marks the service as mounted on a server.
    ///
    /// # Errors
    /// `INTERNAL` if it is mounted already.
    pub(crate) fn attach_server(&self) -> Result<(), Error> {
        if self.is_mounted.swap(true, Ordering::Relaxed) {
            return Err(Error::internal("this service is mounted already; build a second one for a second server"));
        }
        Ok(())
    }

    /// Rejects work that must not begin during shutdown.
    ///
    /// # Errors
    /// `SHUTTING_DOWN`, also if the service is not enabled.
    pub(crate) fn check_running(&self) -> Result<(), Error> {
        if self.is_shutting_down() || !self.is_enabled { Err(ErrorCode::ShuttingDown.into()) } else { Ok(()) }
    }

    /// Marks the node as not ready for new clients.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Asks the server of this node to drain it. The node gets no new clients from now on, also without a server.
    pub(crate) fn request_drain(&self) {
        self.begin_drain();
        self.drain_requested.cancel();
    }

    /// Cancelled by [`request_drain`](Self::request_drain).
    pub(crate) fn drain_requests(&self) -> CancellationToken {
        self.drain_requested.clone()
    }

    /// Also during shutdown.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire) || self.is_shutting_down()
    }

    // Sequentially consistent, this flag and the number of sessions: a session is either counted before the flag is
    // set, or sees it.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::SeqCst)
    }

    /// Rejects new clients from now on. Returns false if it did so already.
    pub(crate) fn begin_shutdown(&self) -> bool {
        !self.shutting_down.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }

    pub(crate) fn session_begins(&self) {
        self.sessions.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn session_ends(&self) {
        self.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}
