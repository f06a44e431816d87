//! Outages and recoveries of the store and the backplane, as this node observes them: each change is reported once.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{Clock, Escaped, StateError, Timestamp};
use tokio::time::Instant;

use super::{
    Node,
    refusals::{MINUTE, Refusals},
};
use crate::{
    Health, ServiceEvent,
    health::{Availability, HealthState},
    metrics,
};

/// The state of the store and the backplane.
#[derive(Debug)]
pub(super) struct BackendHealth {
    state: HealthState,
    backplane: HealthState,
    pub(super) refusals: Refusals,
    /// When the store was last found to have lost data.
    data_lost: Mutex<Option<(Instant, Timestamp)>>,
    /// The number of gaps of the backplane, including one in progress.
    gaps: AtomicU64,
    /// Whether to compare this node with the store after the pending writes are flushed.
    comparison_due: AtomicBool,
}

impl BackendHealth {
    pub(super) fn begin(clock: &dyn Clock) -> Self {
        metrics::state_available(true);
        metrics::backplane_available(true);
        Self {
            state: HealthState::available(clock),
            backplane: HealthState::available(clock),
            refusals: Refusals::default(),
            data_lost: Mutex::default(),
            gaps: AtomicU64::new(0),
            comparison_due: AtomicBool::new(false),
        }
    }
}

impl Node {
    pub(crate) fn health(&self) -> Health {
        let recent = self.backend_health.data_lost.lock().filter(|(noticed, _)| noticed.elapsed() < MINUTE);
        Health {
            state: self.backend_health.state.now(),
            backplane: self.backend_health.backplane.now(),
            refused: self.backend_health.refusals.present(),
            data_lost: recent.map(|(_, since)| since),
        }
    }

    /// The store has lost data of this node. The node is about to put it back.
    pub(super) fn state_lost_data(&self) {
        *self.backend_health.data_lost.lock() = Some((Instant::now(), self.clock.now()));
        self.events.send(|| ServiceEvent::StateLost);
    }

    /// The heartbeat succeeded.
    pub(super) fn state_answers(&self) {
        let Some(before) = self.backend_health.state.note(true, &*self.clock) else { return };
        metrics::state_available(true);
        let away = self.since(before);
        tracing::info!(target: "roomwire", ?away, "shared state is back");
        self.events.send(|| ServiceEvent::StateRecovered);
        self.compare_soon();
    }

    /// The heartbeat failed.
    pub(super) fn state_is_away(&self, error: &StateError) {
        if self.has_stopped() {
            return;
        }
        if self.backend_health.state.note(false, &*self.clock).is_none() {
            tracing::debug!(target: "roomwire", error = %Escaped(&error), "shared state is still away");
            return;
        }
        metrics::state_available(false);
        let problem = match error {
            StateError::Refused(_) => "shared state refuses to renew this node's lease",
            _ => "shared state cannot be reached",
        };
        tracing::warn!(
            target: "roomwire", error = %Escaped(&error), "{problem}: joins fail, members on this node hear each other"
        );
        self.events.send(|| ServiceEvent::StateUnavailable);
    }

    /// A call was not answered. The next heartbeat, which runs at once, finds out whether the store is down.
    pub(super) fn suspect_state(&self) {
        if self.backend_health.state.now().available {
            self.beat_now.notify_one();
        }
    }

    /// Messages of other nodes are being missed.
    pub(super) fn backplane_is_away(&self) {
        if self.has_stopped() {
            return;
        }
        self.note_gap();
        self.suspect_state();
        if self.backend_health.backplane.note(false, &*self.clock).is_none() {
            return;
        }
        metrics::backplane_available(false);
        tracing::warn!(target: "roomwire", "other nodes cannot be reached: their messages are being missed");
        self.events.send(|| ServiceEvent::BackplaneInterrupted);
    }

    /// Messages of other nodes arrive again; some may have been missed.
    pub(super) fn backplane_had_a_gap(&self) {
        if self.has_stopped() {
            return;
        }
        self.note_gap();
        metrics::backplane_gap();
        match self.backend_health.backplane.note(true, &*self.clock) {
            Some(before) => {
                metrics::backplane_available(true);
                let away = self.since(before);
                tracing::info!(target: "roomwire", ?away, "other nodes are reached again: their messages were missed");
            }
            None => tracing::warn!(target: "roomwire", "messages of other nodes may have been missed"),
        }
        self.events.send(|| ServiceEvent::BackplaneGap);
        // The store may have been down too, and changes of rooms on other nodes were missed.
        self.compare_at_once();
    }

    /// Whether this node has ended its lease and closed its backplane, or is about to. Neither counts as an outage
    /// then.
    ///
    /// Background tasks cannot rely on their own cancellation instead. They are polled before the token is, and may run
    /// while another thread cancels it. The token is cancelled before the lease ends or the backplane closes, so a task
    /// that observes either of the two also observes the token.
    pub(super) fn has_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Counts a gap of the backplane.
    pub(super) fn note_gap(&self) {
        self.backend_health.gaps.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of gaps of the backplane, including one in progress.
    pub(crate) fn gaps(&self) -> u64 {
        self.backend_health.gaps.load(Ordering::SeqCst)
    }

    /// Makes the next upkeep begin with a comparison of revocations and end with a comparison of this node with the
    /// store.
    pub(super) fn compare_soon(&self) {
        self.revocations.note_stale();
        self.backend_health.comparison_due.store(true, Ordering::Release);
    }

    /// Like [`Self::compare_soon`], and requests a heartbeat now.
    pub(crate) fn compare_at_once(&self) {
        self.compare_soon();
        self.beat_now.notify_one();
    }

    /// Whether a comparison is due. Resets the flag.
    pub(super) fn take_comparison_due(&self) -> bool {
        self.backend_health.comparison_due.swap(false, Ordering::AcqRel)
    }

    fn since(&self, before: Availability) -> Duration {
        Duration::from_millis(self.clock.now().as_millis().saturating_sub(before.since.as_millis()))
    }
}
