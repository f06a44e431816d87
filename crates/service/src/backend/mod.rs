//! The store and the backplane of a node: calls with deadlines and retries, and their health.

mod deadline;
mod health;
mod lost_messages;
mod message_size;
mod refusals;
mod retry;
mod start_error;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use roomwire_core::{Backplane, Clock, MessageLimit, StateStore, WebSocketConfig, config::LogLevel};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{deadline::Deadline, start_error::refused};
use self::{health::BackendHealth, lost_messages::LostMessages};
use crate::{
    RefusalLog,
    events::EventBus,
    follow::Followers,
    metrics::{Metrics, measured_backplane, measured_store},
};

/// The store and the backplane, shared by all parts of a node.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) backplane: Arc<dyn Backplane>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// Reports outages.
    pub(crate) events: EventBus,
    pub(crate) followers: Arc<Followers>,
    pub(crate) refusals: Arc<RefusalLog>,
    /// Requests a heartbeat now.
    pub(crate) beat_now: Arc<Notify>,
    /// Ends the background tasks: cancelled when the service stops or its last handle is dropped.
    pub(crate) stop: CancellationToken,
    config: Arc<WebSocketConfig>,
    health: BackendHealth,
    lost_messages: LostMessages,
    /// The largest message of the backplane, read at the start.
    message_limit: Option<MessageLimit>,
    /// Whether to compare the node with the store after the pending writes are flushed.
    comparison_due: AtomicBool,
    /// Whether the store may have revocations that the node lacks.
    revocations_due: AtomicBool,
}

/// Whether the configuration shows all events in the log.
pub(crate) fn shows_events(config: &WebSocketConfig) -> bool {
    config.debug || config.logger.level == LogLevel::Debug
}

impl Backend {
    pub(crate) fn new(
        config: Arc<WebSocketConfig>,
        store: Arc<dyn StateStore>,
        backplane: Arc<dyn Backplane>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shows_events = shows_events(&config);
        let (metrics, followers) = (Metrics::new(), Arc::new(Followers::new(clock.clone(), shows_events)));
        let (health, message_limit) = (BackendHealth::begin(&*clock, &metrics), backplane.message_limit());
        Self {
            store: measured_store(store),
            backplane: measured_backplane(backplane),
            clock,
            metrics,
            events: EventBus::new(followers.clone()),
            followers,
            refusals: Arc::default(),
            beat_now: Arc::default(),
            stop: CancellationToken::new(),
            config,
            health,
            lost_messages: LostMessages::default(),
            message_limit,
            comparison_due: AtomicBool::new(false),
            revocations_due: AtomicBool::new(false),
        }
    }

    /// Whether this node has ended its lease and closed its backplane, or is about to. Neither counts as an outage
    /// then.
    ///
    /// Background tasks cannot rely on their own cancellation instead. They are polled before the token is, and may run
    /// while another thread cancels it. The token is cancelled before the lease ends or the backplane closes, so a task
    /// that observes either of the two also observes the token.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Makes the next heartbeat compare the revocations.
    pub(crate) fn compare_revocations_soon(&self) {
        self.revocations_due.store(true, Ordering::Release);
    }

    /// Whether a comparison of the revocations is due. Resets the flag.
    pub(crate) fn take_revocations_due(&self) -> bool {
        self.revocations_due.swap(false, Ordering::AcqRel)
    }

    /// Makes the next upkeep begin with a comparison of revocations and end with a comparison of this node with the
    /// store.
    pub(crate) fn compare_soon(&self) {
        self.compare_revocations_soon();
        self.comparison_due.store(true, Ordering::Release);
    }

    /// Like [`Self::compare_soon`], and requests a heartbeat now.
    pub(crate) fn compare_at_once(&self) {
        self.compare_soon();
        self.beat_now.notify_one();
    }

    /// Whether a comparison is due. Resets the flag.
    pub(crate) fn take_comparison_due(&self) -> bool {
        self.comparison_due.swap(false, Ordering::AcqRel)
    }
}
