//! What is counted of the keys, through the `metrics` facade. The handles are created with the key ring: install the
//! recorder before the authenticator is created.

use metrics::Counter;
use roomwire_core::{ByLabel, Metric, metric_table};

metric_table! {
    KEY_REFRESHES = Metric::counter("roomwire_jwt_key_refreshes_total", "Attempts to read the keys of tokens again, by outcome.")
        .by("outcome", &["ok", "failed"]);
}

/// The handles of one key ring.
#[derive(Debug)]
pub(crate) struct Metrics(ByLabel<Counter>);

impl Metrics {
    /// Describes the metrics to the recorder that is installed now, and takes their handles.
    pub(crate) fn new() -> Self {
        Metric::describe_all(METRICS);
        Self(KEY_REFRESHES.counters())
    }

    /// The keys were read again, or could not be.
    pub(crate) fn refreshed(&self, is_read: bool) {
        self.0.increment(if is_read { "ok" } else { "failed" });
    }
}
