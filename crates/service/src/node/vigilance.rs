//! What this node notices of the store and the backplane going away and coming back: each change is told once.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use roomwire_core::{Clock, Printable, StateError};

use super::Node;
use crate::{
    Health, ServiceEvent,
    health::{Availability, Watched},
    instruments,
};

/// What is known of the store and the backplane.
#[derive(Debug)]
pub(super) struct Vigilance {
    state: Watched,
    backplane: Watched,
    /// How often messages of other nodes were missed, or began to be.
    gaps: AtomicU64,
    /// Whether this node is to be compared with the store once that was told all it was not.
    comparison_due: AtomicBool,
}

impl Vigilance {
    pub(super) fn begin(clock: &dyn Clock) -> Self {
        instruments::state_available(true);
        instruments::backplane_available(true);
        Self {
            state: Watched::available(clock),
            backplane: Watched::available(clock),
            gaps: AtomicU64::new(0),
            comparison_due: AtomicBool::new(false),
        }
    }
}

impl Node {
    pub(crate) fn health(&self) -> Health {
        Health { state: self.vigilance.state.now(), backplane: self.vigilance.backplane.now() }
    }

    /// The heartbeat came through.
    pub(super) fn state_answers(&self) {
        let Some(before) = self.vigilance.state.note(true, &*self.clock) else { return };
        instruments::state_available(true);
        let away = self.since(before);
        tracing::info!(target: "roomwire", ?away, "shared state is back");
        self.events.send(|| ServiceEvent::StateRecovered);
        self.compare_soon();
    }

    /// The heartbeat did not come through.
    pub(super) fn state_is_away(&self, error: &StateError) {
        if self.vigilance.state.note(false, &*self.clock).is_none() {
            tracing::debug!(target: "roomwire", error = %Printable(&error), "shared state is still away");
            return;
        }
        instruments::state_available(false);
        tracing::warn!(
            target: "roomwire", error = %Printable(&error), "shared state cannot be reached: joins fail, members on this node hear each other"
        );
        self.events.send(|| ServiceEvent::StateUnavailable);
    }

    /// Some call was not answered. Whether the store is away is for the heartbeat to find out, at once.
    pub(super) fn suspect_state(&self) {
        if self.vigilance.state.now().available {
            self.beat_now.notify_one();
        }
    }

    /// Messages of other nodes are being missed.
    pub(super) fn backplane_is_away(&self) {
        self.vigilance.gaps.fetch_add(1, Ordering::SeqCst);
        self.suspect_state();
        if self.vigilance.backplane.note(false, &*self.clock).is_none() {
            return;
        }
        instruments::backplane_available(false);
        tracing::warn!(target: "roomwire", "other nodes cannot be reached: their messages are being missed");
        self.events.send(|| ServiceEvent::BackplaneInterrupted);
    }

    /// Messages of other nodes come in, and some may have been missed.
    pub(super) fn backplane_had_a_gap(&self) {
        self.vigilance.gaps.fetch_add(1, Ordering::SeqCst);
        instruments::backplane_gap();
        match self.vigilance.backplane.note(true, &*self.clock) {
            Some(before) => {
                instruments::backplane_available(true);
                let away = self.since(before);
                tracing::info!(target: "roomwire", ?away, "other nodes are reached again: their messages were missed");
            }
            None => tracing::warn!(target: "roomwire", "messages of other nodes may have been missed"),
        }
        self.events.send(|| ServiceEvent::BackplaneGap);
        // The store may have been away with it, and what other nodes said of rooms was missed.
        self.compare_at_once();
    }

    /// How often messages of other nodes were missed, or began to be.
    pub(crate) fn gaps(&self) -> u64 {
        self.vigilance.gaps.load(Ordering::SeqCst)
    }

    /// Whether no message of another node was missed since there were so many gaps.
    pub(crate) fn heard_all_since(&self, gaps: u64) -> bool {
        self.health().backplane.available && self.gaps() == gaps
    }

    /// Has the next upkeep begin with a comparison of revocations, and end with one of this node with the store.
    pub(super) fn compare_soon(&self) {
        self.revocations.note_stale();
        self.vigilance.comparison_due.store(true, Ordering::Release);
    }

    /// As [`Self::compare_soon`], with a heartbeat that does not wait for its time.
    pub(crate) fn compare_at_once(&self) {
        self.compare_soon();
        self.beat_now.notify_one();
    }

    /// Whether a comparison is due, which then counts as begun.
    pub(super) fn take_comparison_due(&self) -> bool {
        self.vigilance.comparison_due.swap(false, Ordering::AcqRel)
    }

    fn since(&self, before: Availability) -> Duration {
        Duration::from_millis(self.clock.now().as_millis().saturating_sub(before.since.as_millis()))
    }
}
