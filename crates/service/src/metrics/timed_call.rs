//! The time and the failure of one call of a backend.

use std::time::Instant;

use metrics::{Counter, Histogram};
use roomwire_core::{ByLabel, Metric, StateError};

use super::labels;

/// The handles of the calls of one backend.
#[derive(Debug)]
pub(super) struct TimedCalls {
    durations: ByLabel<Histogram>,
    failures: ByLabel<Counter>,
}

/// A call that is not answered yet. Its caller may drop it: then it counts as timed out.
struct Pending<'a> {
    calls: &'a TimedCalls,
    operation: &'static str,
    began: Instant,
    failure: Option<&'static str>,
}

impl TimedCalls {
    pub(super) fn new(durations: &Metric, failures: &Metric) -> Self {
        Self { durations: durations.histograms(), failures: failures.counters() }
    }

    pub(super) async fn time<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StateError>>,
    ) -> Result<T, StateError> {
        let mut pending = Pending { calls: self, operation, began: Instant::now(), failure: Some(labels::CANCELLED) };
        let answer = call.await;
        pending.failure = answer.as_ref().err().and_then(labels::failure);
        answer
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(duration) = self.calls.durations.get(self.operation) {
            duration.record(self.began.elapsed());
        }
        if let Some(failure) = self.failure {
            self.calls.failures.increment(failure);
        }
    }
}
