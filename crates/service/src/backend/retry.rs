//! Retries of calls of the state backend.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use roomwire_core::{Escaped, StateError};

use super::{Backend, Deadline};

impl Backend {
    /// Makes an idempotent call, with retries as `retryConfig` says: only while the backend is unreachable, at most
    /// `attempts` times, with exponential backoff, and never beyond its `timeout` or this deadline.
    ///
    /// If the deadline would pass during the backoff, the call fails at once with the error of its last attempt.
    pub(crate) async fn retrying<T, F, Fut>(&self, until: Deadline, call: F) -> Result<T, StateError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, StateError>> + Send,
        T: Send,
    {
        self.retry(until, call, |error, pause| {
            tracing::debug!(target: "roomwire", error = %Escaped(&error), ?pause, "state call is repeated");
        })
        .await
    }

    /// Like [`Self::retrying`], and logs each retry, so that the log shows what a start is waiting for.
    pub(crate) async fn retrying_at_start<T, F, Fut>(&self, until: Deadline, call: F) -> Result<T, StateError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, StateError>> + Send,
        T: Send,
    {
        let (mut attempt, attempts) = (0, self.config.retry_config.attempts + 1);
        self.retry(until, call, |error, pause| {
            attempt += 1;
            tracing::warn!(
                target: "roomwire",
                error = %Escaped(&error), state = self.store.name(), attempt, attempts, delay = ?pause,
                "service cannot start yet, trying again"
            );
        })
        .await
    }

    async fn retry<T, F, Fut>(
        &self,
        until: Deadline,
        call: F,
        mut notify: impl FnMut(&StateError, Duration) + Send,
    ) -> Result<T, StateError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, StateError>> + Send,
        T: Send,
    {
        let retry = &self.config.retry_config;
        let until = until.min(Deadline::within(retry.timeout));
        let pauses = ExponentialBuilder::default()
            .with_min_delay(retry.delay.max(Duration::from_millis(1)))
            .with_max_delay(retry.max_delay.max(Duration::from_millis(1)))
            .with_max_times(retry.attempts as usize)
            .with_jitter()
            .build()
            .map(|pause| pause.min(retry.max_delay));
        let attempts = call
            .retry(pauses)
            .when(|error| matches!(error, StateError::Unavailable(_)))
            .adjust(|_, pause| pause.filter(|pause| until.leaves_time_after(*pause)))
            .notify(|error: &StateError, pause| {
                self.metrics.state_retries.increment(1);
                notify(error, pause);
            });
        self.call(until, attempts).await
    }
}
