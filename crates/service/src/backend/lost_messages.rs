//! Messages of other nodes that this node cannot read: damaged ones, and those of another version of Roomwire.
//!
//! Such a message is lost, and it may have contained anything: an event, the deletion of a room, a revocation. So it
//! counts as a gap of the backplane. Gaps of this kind are reported at most once a minute: in a rolling upgrade every
//! message of an older node is one.

use std::fmt;

use parking_lot::Mutex;
use roomwire_core::{Escaped, LogThrottle};
use tokio::time::Instant;

use super::Backend;
use crate::ServiceEvent;

/// Losses that are not reported yet.
#[derive(Debug, Default)]
pub(super) struct LostMessages(Mutex<Unreported>);

#[derive(Debug, Default)]
struct Unreported {
    throttle: LogThrottle,
    /// Why the last one could not be read.
    reason: String,
}

impl Backend {
    /// Counts an unreadable message, and reports it now or within a minute.
    pub(crate) fn message_is_lost(&self, reason: &dyn fmt::Display) {
        self.metrics.backplane_ignored.increment(1);
        tracing::debug!(target: "roomwire", error = %Escaped(reason), "message was ignored");
        self.note_gap();
        // The next heartbeat reads the revocations, whenever the gap is reported.
        self.compare_revocations_soon();
        let mut unreported = self.lost_messages.0.lock();
        unreported.reason = Escaped(reason).to_string();
        if let Some(messages) = unreported.throttle.count(Instant::now().into_std()) {
            self.report_unreadable(messages, &unreported.reason);
        }
    }

    /// Reports the messages lost since the last report, if that was at least a minute ago.
    pub(crate) fn report_lost_messages(&self) {
        let mut unreported = self.lost_messages.0.lock();
        if let Some(messages) = unreported.throttle.due(Instant::now().into_std()) {
            self.report_unreadable(messages, &unreported.reason);
        }
    }

    fn report_unreadable(&self, messages: u64, reason: &str) {
        self.metrics.backplane_gaps.increment(1);
        tracing::warn!(
            target: "roomwire", messages, reason = %Escaped(reason),
            "messages of other nodes cannot be read and are lost: run the same version of Roomwire on all nodes, and publish \
             nothing else on its channels"
        );
        self.events.send(|| ServiceEvent::BackplaneGap);
        self.compare_at_once();
    }
}
