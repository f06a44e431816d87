//! Repeating calls of the state backend that may succeed a moment later.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use roomwire_core::{Escaped, StateError};

use super::{Deadline, Node};

impl Node {
    /// Makes a call that may be repeated without harm, as `retryConfig` says: only when the backend could not be
    /// reached, `attempts` times at most, with growing pauses, and never beyond its `timeout` or this deadline.
    ///
    /// A pause after which no time would be left is not waited for: the call fails at once, with the reason of its
    /// last try.
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

    /// As [`Self::retrying`], and logs each repeat: a start that waits says what for.
    pub(super) async fn retrying_at_start<T, F, Fut>(&self, until: Deadline, call: F) -> Result<T, StateError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, StateError>> + Send,
        T: Send,
    {
        self.retry(until, call, |error, pause| {
            tracing::warn!(target: "roomwire", error = %Escaped(&error), ?pause, "service cannot start yet, trying again");
        })
        .await
    }

    async fn retry<T, F, Fut>(
        &self,
        until: Deadline,
        call: F,
        notify: impl FnMut(&StateError, Duration) + Send,
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
            .notify(notify);
        self.call(until, attempts).await
    }
}
