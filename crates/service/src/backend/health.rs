//! Outages and recoveries of the store and the backplane, as this node observes them: each change is reported once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{Clock, Escaped, StateError, Timestamp};
use tokio::time::Instant;

use super::{
    Backend,
    refusals::{MINUTE, Refusals},
};
use crate::{
    Health, ServiceEvent,
    health::{Availability, HealthState},
    metrics::Metrics,
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
}

impl BackendHealth {
    pub(super) fn begin(clock: &dyn Clock, metrics: &Metrics) -> Self {
        metrics.state_available(true);
        metrics.backplane_available(true);
        Self {
            state: HealthState::available(clock),
            backplane: HealthState::available(clock),
            refusals: Refusals::default(),
            data_lost: Mutex::default(),
            gaps: AtomicU64::new(0),
        }
    }
}

impl Backend {
    /// The health as applications see it.
    pub(crate) fn health(&self) -> Health {
        let recent = self.health.data_lost.lock().filter(|(noticed, _)| noticed.elapsed() < MINUTE);
        Health {
            state: self.health.state.now(),
            backplane: self.health.backplane.now(),
            refused: self.health.refusals.present(),
            data_lost: recent.map(|(_, since)| since),
        }
    }

    /// How long the store and the backplane have been out of reach, if they are.
    pub(crate) fn outages(&self) -> (Option<Duration>, Option<Duration>) {
        (self.health.state.outage(), self.health.backplane.outage())
    }

    /// The store has lost data of this node. The node is about to put it back.
    pub(crate) fn state_lost_data(&self) {
        self.metrics.state_losses.increment(1);
        *self.health.data_lost.lock() = Some((Instant::now(), self.clock.now()));
        self.events.send(|| ServiceEvent::StateLost);
    }

    /// The heartbeat succeeded.
    pub(crate) fn state_answers(&self) {
        let Some(before) = self.health.state.note(true, &*self.clock) else { return };
        self.metrics.state_available(true);
        let away = self.since(before);
        tracing::info!(target: "roomwire", ?away, "shared state is back");
        self.events.send(|| ServiceEvent::StateRecovered);
        self.compare_soon();
    }

    /// The heartbeat failed.
    pub(crate) fn state_is_away(&self, error: &StateError) {
        if self.has_stopped() {
            return;
        }
        if self.health.state.note(false, &*self.clock).is_none() {
            tracing::debug!(target: "roomwire", error = %Escaped(&error), "shared state is still away");
            return;
        }
        self.metrics.state_available(false);
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
    pub(crate) fn suspect_state(&self) {
        if self.health.state.now().available {
            self.beat_now.notify_one();
        }
    }

    /// Messages of other nodes are being missed.
    pub(crate) fn backplane_is_away(&self) {
        if self.has_stopped() {
            return;
        }
        self.note_gap();
        self.suspect_state();
        if self.health.backplane.note(false, &*self.clock).is_none() {
            return;
        }
        self.metrics.backplane_available(false);
        tracing::warn!(target: "roomwire", "other nodes cannot be reached: their messages are being missed");
        self.events.send(|| ServiceEvent::BackplaneInterrupted);
    }

    /// Messages of other nodes arrive again; some may have been missed.
    pub(crate) fn backplane_had_a_gap(&self) {
        if self.has_stopped() {
            return;
        }
        self.note_gap();
        self.metrics.backplane_gaps.increment(1);
        match self.health.backplane.note(true, &*self.clock) {
            Some(before) => {
                self.metrics.backplane_available(true);
                let away = self.since(before);
                tracing::info!(target: "roomwire", ?away, "other nodes are reached again: their messages were missed");
            }
            None => tracing::warn!(target: "roomwire", "messages of other nodes may have been missed"),
        }
        self.events.send(|| ServiceEvent::BackplaneGap);
        // The store may have been down too, and changes of rooms on other nodes were missed.
        self.compare_at_once();
    }

    /// Counts a gap of the backplane.
    pub(crate) fn note_gap(&self) {
        self.health.gaps.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of gaps of the backplane, including one in progress.
    pub(crate) fn gaps(&self) -> u64 {
        self.health.gaps.load(Ordering::SeqCst)
    }

    fn since(&self, before: Availability) -> Duration {
        Duration::from_millis(self.clock.now().as_millis().saturating_sub(before.since.as_millis()))
    }
}
