//! Metrics as data: one table for each crate drives the descriptions, the handles and the check of the documentation.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// A metric that is recorded through the [`metrics`] facade.
///
/// Each crate that records metrics has a table of them, its `METRICS`. The values of a label are a closed set: no label
/// contains the name of a room, a user, a client or an event.
///
/// ```
/// use roomwire_core::{Metric, MetricKind};
///
/// const JOBS: Metric = Metric::counter("jobs_total", "Jobs, by outcome.").by("outcome", &["ok", "failed"]);
/// assert_eq!((JOBS.name, JOBS.kind), ("jobs_total", MetricKind::Counter));
/// JOBS.counters().increment("ok");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name. It ends with the unit, and with `_total` if it is a counter.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// The base unit, unless it counts things.
    pub unit: Option<Unit>,
    /// What it means, in a sentence.
    pub help: &'static str,
    /// The name of its label, if it has one, and all values of the label.
    pub label: Option<(&'static str, &'static [&'static str])>,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only increases.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution.
    Histogram,
}

impl MetricKind {
    /// The type as Prometheus names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Metric {
    /// A counter.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, unit: None, help, label: None }
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, unit: None, help, label: None }
    }

    /// A histogram of durations in seconds.
    #[must_use]
    pub const fn seconds(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: MetricKind::Histogram, unit: Some(Unit::Seconds), help, label: None }
    }

    /// The same metric, in this unit.
    #[must_use]
    pub const fn in_unit(self, unit: Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// The same metric, with a label.
    #[must_use]
    pub const fn by(self, label: &'static str, values: &'static [&'static str]) -> Self {
        Self { label: Some((label, values)), ..self }
    }

    /// Describes these metrics to the recorder. Counters and gauges exist from then on, with the value zero for each
    /// value of their labels: an increase from nothing is no increase for Prometheus.
    pub fn describe_all(metrics: &[Self]) {
        for metric in metrics {
            metric.describe();
            match metric.kind {
                MetricKind::Counter => {
                    metric.counters();
                }
                MetricKind::Gauge => {
                    metric.gauges();
                }
                MetricKind::Histogram => {}
            }
        }
    }

    fn describe(&self) {
        let &Self { name, kind, unit, help, .. } = self;
        let unit = unit.unwrap_or(Unit::Count);
        match kind {
            MetricKind::Counter => describe_counter!(name, unit, help),
            MetricKind::Gauge => describe_gauge!(name, unit, help),
            MetricKind::Histogram => describe_histogram!(name, unit, help),
        }
    }

    /// The handle of a counter without a label. It stays with the recorder that is installed now.
    pub fn handle(&self) -> Counter {
        counter!(self.name)
    }

    /// The handle of a gauge without a label.
    pub fn gauge_handle(&self) -> Gauge {
        gauge!(self.name)
    }

    /// The handle of a histogram without a label.
    pub fn histogram_handle(&self) -> Histogram {
        histogram!(self.name)
    }

    /// The handles of a counter for each value of its label.
    pub fn counters(&self) -> ByLabel<Counter> {
        ByLabel::new(self, || counter!(self.name), |label, value| counter!(self.name, label => value))
    }

    /// The handles of a gauge for each value of its label.
    pub fn gauges(&self) -> ByLabel<Gauge> {
        ByLabel::new(self, || gauge!(self.name), |label, value| gauge!(self.name, label => value))
    }

    /// The handles of a histogram for each value of its label.
    #[must_use]
    pub fn histograms(&self) -> ByLabel<Histogram> {
        ByLabel::new(self, || histogram!(self.name), |label, value| histogram!(self.name, label => value))
    }
}

/// The handles of one metric, by the value of its label.
#[derive(Clone, Debug)]
pub struct ByLabel<T>(Box<[(&'static str, T)]>);

impl<T> ByLabel<T> {
    fn new(metric: &Metric, plain: impl Fn() -> T, labelled: impl Fn(&'static str, &'static str) -> T) -> Self {
        Self(match metric.label {
            Some((label, values)) => values.iter().map(|value| (*value, labelled(label, value))).collect(),
            None => Box::new([("", plain())]),
        })
    }

    /// The handle for a value of the label. Cheapest for the first value. `None` for a value that is not in the table.
    #[must_use]
    pub fn get(&self, value: &str) -> Option<&T> {
        let found = self.0.iter().find(|(known, _)| *known == value).map(|(_, handle)| handle);
        debug_assert!(found.is_some(), "{value:?} is not in the table of metrics");
        found
    }
}

impl ByLabel<Counter> {
    /// Adds one.
    pub fn increment(&self, value: &str) {
        self.add(value, 1);
    }

    /// Adds so many.
    pub fn add(&self, value: &str, count: u64) {
        if let Some(counter) = self.get(value) {
            counter.increment(count);
        }
    }
}

/// Declares the metrics of a crate: a constant for each, and `METRICS` with all of them.
#[macro_export]
macro_rules! metric_table {
    ($($name:ident = $metric:expr;)*) => {
        $(pub(crate) const $name: $crate::Metric = $metric;)*

        /// The metrics of this crate. `docs/metrics.md` documents them.
        pub const METRICS: &[$crate::Metric] = &[$($name),*];
    };
}

#[cfg(test)]
mod tests {
    use super::{Metric, MetricKind};

    use table::{LABELLED, METRICS, PLAIN};

    #[allow(unreachable_pub, reason = "the table of a crate is public")]
    mod table {
        use super::Metric;

        crate::metric_table! {
            PLAIN = Metric::counter("plain_total", "Things.");
            LABELLED = Metric::seconds("labelled_seconds", "Times.").by("what", &["this", "that"]);
        }
    }

    #[test]
    fn the_table_has_each_metric_in_order() {
        assert_eq!(METRICS, [PLAIN, LABELLED]);
        assert_eq!(METRICS[1].kind, MetricKind::Histogram);
    }

    #[test]
    fn handles_exist_for_the_values_of_the_label_and_for_no_other() {
        Metric::describe_all(METRICS);
        let handles = LABELLED.histograms();
        assert!(handles.get("that").is_some());
        assert!(
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handles.get("other").is_none())).is_err(),
            "a mistake of the code"
        );
    }
}
