//! What this node notices of the store and the backplane going away and coming back: each change is told once.

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

/// What is known of the store and the backplane.
#[derive(Debug)]
pub(super) struct BackendHealth {
    state: HealthState,
    backplane: HealthState,
    pub(super) refusals: Refusals,
    /// When the store was last found to have lost data.
    data_lost: Mutex<Option<(Instant, Timestamp)>>,
    /// How often messages of other nodes were missed, or began to be.
    gaps: AtomicU64,
    /// Whether this node is to be compared with the store once that was told all it was not.
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

    /// The store has lost data of this node, which is about to put it back.
    pub(super) fn state_lost_data(&self) {
        *self.backend_health.data_lost.lock() = Some((Instant::now(), self.clock.now()));
        self.events.send(|| ServiceEvent::StateLost);
    }

    /// The heartbeat came through.
    pub(super) fn state_answers(&self) {
        let Some(before) = self.backend_health.state.note(true, &*self.clock) else { return };
        metrics::state_available(true);
        let away = self.since(before);
        tracing::info!(target: "roomwire", ?away, "shared state is back");
        self.events.send(|| ServiceEvent::StateRecovered);
        self.compare_soon();
    }

    /// The heartbeat did not come through.
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

    /// Some call was not answered. Whether the store is away is for the heartbeat to find out, at once.
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

    /// Messages of other nodes come in, and some may have been missed.
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
        // The store may have been away with it, and what other nodes said of rooms was missed.
        self.compare_at_once();
    }

    /// Whether this node itself gave its lease back and closed its backplane, or is about to: neither is an outage
    /// then.
    ///
    /// Background tasks cannot rely on their own cancellation instead. They are polled before the token is, and may run
    /// while another thread cancels it. The token is cancelled before anything is given back or closed, so a task that
    /// observes either of the two also observes the token.
    pub(super) fn has_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Counts a moment at which messages of other nodes were missed, or began to be.
    pub(super) fn note_gap(&self) {
        self.backend_health.gaps.fetch_add(1, Ordering::SeqCst);
    }

    /// How often messages of other nodes were missed, or began to be.
    pub(crate) fn gaps(&self) -> u64 {
        self.backend_health.gaps.load(Ordering::SeqCst)
    }

    /// Has the next upkeep begin with a comparison of revocations, and end with one of this node with the store.
    pub(super) fn compare_soon(&self) {
        self.revocations.note_stale();
        self.backend_health.comparison_due.store(true, Ordering::Release);
    }

    /// As [`Self::compare_soon`], with a heartbeat that does not wait for its time.
    pub(crate) fn compare_at_once(&self) {
        self.compare_soon();
        self.beat_now.notify_one();
    }

    /// Whether a comparison is due, which then counts as begun.
    pub(super) fn take_comparison_due(&self) -> bool {
        self.backend_health.comparison_due.swap(false, Ordering::AcqRel)
    }

    fn since(&self, before: Availability) -> Duration {
        Duration::from_millis(self.clock.now().as_millis().saturating_sub(before.since.as_millis()))
    }
}
