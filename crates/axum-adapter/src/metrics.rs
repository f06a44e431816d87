//! What is counted of connections and requests, through the `metrics` facade. The handles of connections are created
//! once, with the listener: install the recorder before.

use std::sync::Arc;

use metrics::{Counter, Gauge, counter};
use roomwire_core::{ByLabel, Metric, metric_table};
use roomwire_service::count_limited;

metric_table! {
    CONNECTIONS = Metric::gauge("roomwire_connections", "Open TCP connections of the listener, to all routes.");
    ACCEPTED = Metric::counter("roomwire_connections_accepted_total", "TCP connections that were accepted.");
    REFUSED = Metric::counter("roomwire_connections_refused_total", "TCP connections that were refused, by cause.")
        .by("cause", &["full", "address", "open files"]);
    CLOSED = Metric::counter("roomwire_connections_closed_total", "TCP connections that were closed, by cause.")
        .by("cause", &["done", "ended", "broken", "write timeout", "head timeout", "head", "malformed", "tls"]);
    REQUESTS_REFUSED = Metric::counter("roomwire_requests_refused_total", "Requests that were refused, by cause.")
        .by("cause", &["origin", "host", "head", "session", "full", "address", "reconnects", "payload", "body timeout"]);
    ACCEPT_ERRORS = Metric::counter("roomwire_accept_errors_total", "Failures to accept TCP connections.");
}

/// Describes the metrics to the recorder that is installed now.
pub(crate) fn describe() {
    Metric::describe_all(METRICS);
}

/// The handles of one listener.
#[derive(Debug)]
pub(crate) struct ConnectionMetrics {
    connections: Gauge,
    accepted: Counter,
    closed: ByLabel<Counter>,
}

impl ConnectionMetrics {
    pub(crate) fn new() -> Arc<Self> {
        describe();
        Arc::new(Self {
            connections: CONNECTIONS.gauge_handle(),
            accepted: ACCEPTED.handle(),
            closed: CLOSED.counters(),
        })
    }

    pub(crate) fn accepted(&self) {
        self.accepted.increment(1);
        self.connections.increment(1);
    }

    pub(crate) fn closed(&self, cause: &'static str) {
        self.closed.increment(cause);
        self.connections.decrement(1);
        count_limit(cause);
    }
}

/// A TCP connection was refused. Both causes follow from `maxConnections`.
pub(crate) fn connection_refused(cause: &'static str) {
    counter!(REFUSED.name, "cause" => cause).increment(1);
    count_limit("full");
}

/// A request was turned away.
pub(crate) fn request_refused(cause: &'static str) {
    counter!(REQUESTS_REFUSED.name, "cause" => cause).increment(1);
    count_limit(cause);
}

/// Counts what is beyond a limit under the configuration key that says how much that is, as the service does.
fn count_limit(cause: &'static str) {
    count_limited(match cause {
        "full" | "open files" => "maxConnections",
        "address" => "connectionsPerAddress",
        "reconnects" => "reconnectsPerSecond",
        "head" => "headers",
        "payload" => "payload",
        "head timeout" | "body timeout" => "handshakeTimeout",
        _ => return,
    });
}

pub(crate) fn accept_failed() {
    counter!(ACCEPT_ERRORS.name).increment(1);
}
