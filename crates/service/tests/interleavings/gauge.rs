//! The gauge of connected clients, summed over all nodes.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// A metrics recorder that keeps the gauge `roomwire_clients`.
#[derive(Debug, Default)]
pub(crate) struct ClientGauge(Arc<Value>);

#[derive(Debug, Default)]
struct Value(AtomicI64);

impl ClientGauge {
    pub(crate) fn clients(&self) -> i64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

impl GaugeFn for Value {
    fn increment(&self, value: f64) {
        self.0.fetch_add(value as i64, Ordering::Relaxed);
    }

    fn decrement(&self, value: f64) {
        self.0.fetch_sub(value as i64, Ordering::Relaxed);
    }

    fn set(&self, value: f64) {
        self.0.store(value as i64, Ordering::Relaxed);
    }
}

impl Recorder for ClientGauge {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        if key.name() == "roomwire_clients" { Gauge::from_arc(self.0.clone()) } else { Gauge::noop() }
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
