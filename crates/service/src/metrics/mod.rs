//! Metrics, through the `metrics` facade.
//!
//! The handles are created once, when the service is built, so that nothing is looked up for a message or an event:
//! install the recorder before. Without a recorder they are empty and cost next to nothing.

mod labels;
mod limit;
mod table;
mod timed_backplane;
mod timed_call;
mod timed_store;

use std::{sync::Arc, time::Instant};

use metrics::{Counter, Gauge, Histogram};
use roomwire_core::{Backplane, ByLabel, ErrorCode, Metric, StateStore, Timestamp};

pub(crate) use limit::Limit;
pub use table::METRICS;
use timed_backplane::TimedBackplane;
use timed_call::TimedCalls;
use timed_store::TimedStore;

/// The handles of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    clients: Gauge,
    clients_connected: Counter,
    clients_disconnected: ByLabel<Counter>,
    clients_refused: ByLabel<Counter>,
    authentications: ByLabel<Counter>,
    pub(crate) access_revoked: Counter,
    pub(crate) slow_consumers: Counter,
    events_received: Counter,
    events: ByLabel<Counter>,
    events_dropped: Counter,
    events_pending: Gauge,
    event_duration: Histogram,
    pub(crate) messages_queued: Counter,
    messages_dropped: ByLabel<Counter>,
    pub(crate) acknowledgements_queued: Counter,
    pub(crate) rooms: Gauge,
    pub(crate) memberships: Gauge,
    pub(crate) broadcasts: Histogram,
    pub(crate) sends_to_users: Histogram,
    pub(crate) sends_to_clients: Histogram,
    pub(crate) joins: Histogram,
    pub(crate) leaves: Histogram,
    rollbacks: ByLabel<Counter>,
    state_available: Gauge,
    pub(crate) state_retries: Counter,
    state_refused: ByLabel<Counter>,
    pub(crate) state_losses: Counter,
    reconciled: ByLabel<Counter>,
    pub(crate) pending_writes: Gauge,
    lease_renewed: Gauge,
    pub(crate) leases_lost: Counter,
    reaped: ByLabel<Counter>,
    backplane_available: Gauge,
    backplane_delay: Histogram,
    pub(crate) backplane_gaps: Counter,
    pub(crate) backplane_ignored: Counter,
}

impl Metrics {
    /// Describes the metrics to the recorder that is installed now, and takes their handles.
    pub(crate) fn new() -> Arc<Self> {
        Metric::describe_all(METRICS);
        let operations = table::OPERATION_DURATION.histograms();
        let operation = |name| operations.get(name).cloned().unwrap_or(Histogram::noop());
        Arc::new(Self {
            clients: table::CLIENTS.gauge_handle(),
            clients_connected: table::CLIENTS_CONNECTED.handle(),
            clients_disconnected: table::CLIENTS_DISCONNECTED.counters(),
            clients_refused: table::CLIENTS_REFUSED.counters(),
            authentications: table::AUTHENTICATIONS.counters(),
            access_revoked: table::ACCESS_REVOKED.handle(),
            slow_consumers: table::SLOW_CONSUMERS.handle(),
            events_received: table::EVENTS_RECEIVED.handle(),
            events: table::EVENTS.counters(),
            events_dropped: table::EVENTS_DROPPED.handle(),
            events_pending: table::EVENTS_PENDING.gauge_handle(),
            event_duration: table::EVENT_DURATION.histogram_handle(),
            messages_queued: table::MESSAGES_QUEUED.handle(),
            messages_dropped: table::MESSAGES_DROPPED.counters(),
            acknowledgements_queued: table::ACKNOWLEDGEMENTS_QUEUED.handle(),
            rooms: table::ROOMS.gauge_handle(),
            memberships: table::MEMBERSHIPS.gauge_handle(),
            broadcasts: operation("broadcast"),
            sends_to_users: operation("send to user"),
            sends_to_clients: operation("send to client"),
            joins: operation("join"),
            leaves: operation("leave"),
            rollbacks: table::ROLLBACKS.counters(),
            state_available: table::STATE_AVAILABLE.gauge_handle(),
            state_retries: table::STATE_RETRIES.handle(),
            state_refused: table::STATE_REFUSED.counters(),
            state_losses: table::STATE_LOSSES.handle(),
            reconciled: table::RECONCILED.counters(),
            pending_writes: table::PENDING_WRITES.gauge_handle(),
            lease_renewed: table::LEASE_RENEWED.gauge_handle(),
            leases_lost: table::LEASES_LOST.handle(),
            reaped: table::REAPED.counters(),
            backplane_available: table::BACKPLANE_AVAILABLE.gauge_handle(),
            backplane_delay: table::BACKPLANE_DELAY.histogram_handle(),
            backplane_gaps: table::BACKPLANE_GAPS.handle(),
            backplane_ignored: table::BACKPLANE_IGNORED.handle(),
        })
    }

    pub(crate) fn client_connected(&self) {
        self.clients_connected.increment(1);
        self.clients.increment(1);
    }

    pub(crate) fn client_disconnected(&self, reason: &'static str) {
        self.clients_disconnected.increment(reason);
        self.clients.decrement(1);
    }

    /// A client was not admitted.
    pub(crate) fn client_refused(&self, code: ErrorCode) {
        self.clients_refused.increment(labels::code(code));
    }

    /// An authentication, with the error code of one that failed.
    pub(crate) fn authenticated(&self, failed: Option<ErrorCode>) {
        self.authentications.increment(failed.map_or(labels::OK, labels::code));
    }

    /// An event arrived. It is pending until it is handled or dropped.
    pub(crate) fn event_received(&self) {
        self.events_received.increment(1);
        self.events_pending.increment(1);
    }

    /// An event was answered or handled, with the error code of one that failed.
    pub(crate) fn event_handled(&self, failed: Option<ErrorCode>) {
        self.events.increment(failed.map_or(labels::OK, labels::code));
        self.events_pending.decrement(1);
    }

    /// The time in the layers and the handler of an event.
    pub(crate) fn event_took(&self, time: std::time::Duration) {
        self.event_duration.record(time);
    }

    /// Events were dropped with their client.
    pub(crate) fn events_dropped(&self, events: usize) {
        if events > 0 {
            self.events_dropped.increment(events as u64);
            self.events_pending.decrement(events as f64);
        }
    }

    /// Events were not queued for clients.
    pub(crate) fn messages_dropped(&self, disconnected: usize, buffer_full: usize) {
        if disconnected > 0 {
            self.messages_dropped.add("disconnected", disconnected as u64);
        }
        if buffer_full > 0 {
            self.messages_dropped.add("buffer full", buffer_full as u64);
        }
    }

    /// The store is asked to undo an operation without an answer.
    pub(crate) fn rolled_back(&self, operation: &'static str) {
        self.rollbacks.increment(operation);
    }

    pub(crate) fn state_available(&self, available: bool) {
        self.state_available.set(f64::from(u8::from(available)));
    }

    pub(crate) fn backplane_available(&self, available: bool) {
        self.backplane_available.set(f64::from(u8::from(available)));
    }

    /// The backend refused something, with this code.
    pub(crate) fn state_refused(&self, code: &str) {
        self.state_refused.increment(labels::refused(code));
    }

    /// A difference between this node and its store was repaired.
    pub(crate) fn reconciled(&self, what: &'static str, count: usize) {
        self.reconciled.add(what, count as u64);
    }

    pub(crate) fn lease_renewed(&self, now: Timestamp) {
        self.lease_renewed.set(now.as_millis() as f64 / 1000.0);
    }

    /// Something of a lost node was cleaned up.
    pub(crate) fn reaped(&self, what: &'static str, count: usize) {
        if count > 0 {
            self.reaped.add(what, count as u64);
        }
    }

    /// A message of another node is delivered.
    pub(crate) fn backplane_delay(&self, sent_at: Timestamp, now: Timestamp) {
        self.backplane_delay.record(seconds_between(sent_at, now));
    }
}

/// Zero if the clocks of two nodes differ so much that the message seems to arrive before it was sent.
fn seconds_between(sent_at: Timestamp, now: Timestamp) -> f64 {
    now.as_millis().saturating_sub(sent_at.as_millis()) as f64 / 1000.0
}

/// This store, with its calls measured.
pub(crate) fn measured_store(store: Arc<dyn StateStore>) -> Arc<dyn StateStore> {
    let calls = TimedCalls::new(&table::STATE_CALL_DURATION, &table::STATE_CALL_FAILURES);
    Arc::new(TimedStore::new(store, calls))
}

/// This backplane, with its calls measured.
pub(crate) fn measured_backplane(backplane: Arc<dyn Backplane>) -> Arc<dyn Backplane> {
    let calls = TimedCalls::new(&table::BACKPLANE_CALL_DURATION, &table::BACKPLANE_CALL_FAILURES);
    Arc::new(TimedBackplane::new(backplane, calls))
}

/// Something was rejected or delayed because of a limit.
pub(crate) fn limited(limit: Limit) {
    count_limited(limit.as_str());
}

/// Counts something that a server rejected or delayed because of a limit, as `roomwire_limited_total`. For authors of
/// servers. The limit is the last part of its configuration key, one of the label's values in [`METRICS`].
pub fn count_limited(limit: &'static str) {
    debug_assert!(limit::LIMITS.contains(&limit), "{limit:?} is not in the table of metrics");
    metrics::counter!(table::LIMITED.name, "limit" => limit).increment(1);
}

/// Records the time until it is dropped.
#[derive(Debug)]
pub(crate) struct Timer<'a> {
    histogram: &'a Histogram,
    began: Instant,
}

impl<'a> Timer<'a> {
    pub(crate) fn start(histogram: &'a Histogram) -> Self {
        Self { histogram, began: Instant::now() }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.histogram.record(self.began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use roomwire_core::Timestamp;

    use super::seconds_between;

    #[test]
    fn a_message_from_the_future_took_no_time() {
        let [early, late] = [1_795_446_540_000, 1_795_446_540_250].map(Timestamp::from_millis);
        assert_eq!(seconds_between(early, late), 0.25);
        assert_eq!(seconds_between(late, early), 0.0);
    }
}
