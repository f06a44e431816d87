//! What is measured of the connections to Redis, through the `metrics` facade. The handles are created once, with the
//! connections: install the recorder before [`RedisState::connect`](crate::RedisState::connect).

use std::{sync::Arc, time::Duration};

use metrics::{Counter, Histogram};
use roomwire_core::{ByLabel, Metric, metric_table};

metric_table! {
    COMMAND_DURATION = Metric::seconds("roomwire_redis_command_duration_seconds", "Time from sending a command or a pipeline to Redis to its answer, or to its deadline.");
    COMMAND_FAILURES = Metric::counter("roomwire_redis_command_failures_total", "Commands that failed, each of a pipeline counted, by cause.")
        .by("cause", &["error answer", "no connection", "broken connection", "timeout", "stalled"]);
    CONNECTION_WAIT = Metric::seconds("roomwire_redis_connection_wait_seconds", "Time that a command waited for a connection, if none was open.");
    CONNECTIONS_OPENED = Metric::counter("roomwire_redis_connections_opened_total", "Connections for commands that were opened.");
    CONNECTION_FAILURES = Metric::counter("roomwire_redis_connection_failures_total", "Failed attempts to open a connection for commands.");
}

/// The handles of the connections to one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    command_duration: Histogram,
    command_failures: ByLabel<Counter>,
    connection_wait: Histogram,
    pub(crate) connections_opened: Counter,
    pub(crate) connection_failures: Counter,
}

impl Metrics {
    /// Describes the metrics to the recorder that is installed now, and takes their handles.
    pub(crate) fn new() -> Arc<Self> {
        Metric::describe_all(METRICS);
        Arc::new(Self {
            command_duration: COMMAND_DURATION.histogram_handle(),
            command_failures: COMMAND_FAILURES.counters(),
            connection_wait: CONNECTION_WAIT.histogram_handle(),
            connections_opened: CONNECTIONS_OPENED.handle(),
            connection_failures: CONNECTION_FAILURES.handle(),
        })
    }

    /// A command was sent and answered, or not in time.
    pub(crate) fn command(&self, time: Duration) {
        self.command_duration.record(time);
    }

    /// A command failed.
    pub(crate) fn failed(&self, cause: &'static str) {
        self.command_failures.increment(cause);
    }

    /// A command found no open connection, and waited for one.
    pub(crate) fn waited(&self, time: Duration) {
        self.connection_wait.record(time);
    }
}
