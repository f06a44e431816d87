//! What is counted of sessions, through the `metrics` facade. The handles of sessions are created once, with
//! [`Sessions`](crate::Sessions): install the recorder before.

use std::sync::Arc;

use metrics::{Counter, Gauge, counter};
use parking_lot::Mutex;
use roomwire_core::{ByLabel, DisconnectReason, Metric, config::Transport, metric_table};

const TRANSPORTS: &[&str] = &["websocket", "polling"];

metric_table! {
    SESSIONS = Metric::gauge("roomwire_sessions", "Open sessions, by their present transport.").by("transport", TRANSPORTS);
    OPENED = Metric::counter("roomwire_sessions_opened_total", "Sessions that were opened, by their first transport.")
        .by("transport", TRANSPORTS);
    CLOSED = Metric::counter("roomwire_sessions_closed_total", "Sessions that ended and have nothing more to send, by reason.")
        .by("reason", &DisconnectReason::NAMES);
    UPGRADED = Metric::counter("roomwire_sessions_upgraded_total", "Sessions that moved from HTTP long-polling to a websocket.");
    CONFLATED = Metric::counter("roomwire_conflated_total", "Queued values of slow clients that newer ones of their key replaced.");
    CONFLATED_DROPPED = Metric::counter("roomwire_conflated_dropped_total", "Queued values of slow clients that were dropped because those of too many keys were queued.");
}

/// The handles of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    sessions: ByLabel<Gauge>,
    opened: ByLabel<Counter>,
    closed: ByLabel<Counter>,
    upgraded: Counter,
}

impl Metrics {
    /// Describes the metrics to the recorder that is installed now, and takes their handles.
    pub(crate) fn new() -> Arc<Self> {
        Metric::describe_all(METRICS);
        Arc::new(Self {
            sessions: SESSIONS.gauges(),
            opened: OPENED.counters(),
            closed: CLOSED.counters(),
            upgraded: UPGRADED.handle(),
        })
    }

    fn gauge(&self, transport: Transport, change: impl FnOnce(&Gauge)) {
        if let Some(gauge) = self.sessions.get(label(transport)) {
            change(gauge);
        }
    }
}

fn label(transport: Transport) -> &'static str {
    match transport {
        Transport::Websocket => "websocket",
        Transport::Polling => "polling",
    }
}

/// A session in the counts, until it is closed or dropped.
#[derive(Debug)]
pub(crate) struct CountedSession {
    metrics: Arc<Metrics>,
    /// The transport under which it is counted. `None` after it was closed.
    transport: Mutex<Option<Transport>>,
}

impl CountedSession {
    pub(crate) fn open(metrics: Arc<Metrics>, transport: Transport) -> Self {
        metrics.opened.increment(label(transport));
        metrics.gauge(transport, |gauge| gauge.increment(1));
        Self { metrics, transport: Mutex::new(Some(transport)) }
    }

    pub(crate) fn moved_to_websocket(&self) {
        let mut transport = self.transport.lock();
        if let Some(before) = transport.replace(Transport::Websocket) {
            self.metrics.gauge(before, |gauge| gauge.decrement(1));
            self.metrics.gauge(Transport::Websocket, |gauge| gauge.increment(1));
            self.metrics.upgraded.increment(1);
        } else {
            *transport = None;
        }
    }

    /// The first call counts.
    pub(crate) fn close(&self, reason: DisconnectReason) {
        if let Some(transport) = self.transport.lock().take() {
            self.metrics.gauge(transport, |gauge| gauge.decrement(1));
            self.metrics.closed.increment(reason.as_str());
        }
    }
}

impl Drop for CountedSession {
    fn drop(&mut self) {
        self.close(DisconnectReason::ConnectionLost);
    }
}

/// A value of which only the newest counts waits for a client that is behind: whether it replaced an older one, and how
/// many of other keys were dropped for it.
pub(crate) fn conflated(replaced: bool, dropped: usize) {
    if replaced {
        counter!(CONFLATED.name).increment(1);
    }
    if dropped > 0 {
        counter!(CONFLATED_DROPPED.name).increment(dropped as u64);
    }
}
