//! Time limits of backend calls.

use std::time::Duration;

use roomwire_core::StateError;
use tokio::time::{Instant, timeout_at};

use super::Backend;

/// The time limit of one operation, which includes waiting for a lock, every call and every retry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// A deadline after this time.
    pub(crate) fn within(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// The earlier of the two.
    pub(crate) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Whether the deadline is still ahead after a pause.
    pub(crate) fn leaves_time_after(self, pause: Duration) -> bool {
        Instant::now() + pause < self.0
    }

    /// Waits for a lock or permit until the deadline.
    pub(crate) async fn turn<T>(self, wait: impl Future<Output = T>) -> Result<T, StateError> {
        timeout_at(self.0, wait).await.map_err(|_| StateError::unavailable("no answer in time"))
    }
}

impl Backend {
    /// The deadline of a caller: `state.timeout` from now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::within(self.config.state.timeout)
    }

    /// The deadline of background work that needs a large answer and delays no caller.
    pub(crate) fn patience(&self) -> Deadline {
        Deadline::within(self.config.retry_config.timeout.max(self.config.state.timeout))
    }

    /// Makes one backend call without retries.
    pub(crate) async fn call<T>(
        &self,
        until: Deadline,
        call: impl Future<Output = Result<T, StateError>>,
    ) -> Result<T, StateError> {
        let outcome = until.turn(call).await.flatten();
        match &outcome {
            Err(StateError::Unavailable(_)) => self.suspect_state(),
            Err(StateError::Refused(refusal)) => self.note_refusal(refusal),
            _ => {}
        }
        outcome
    }

    /// Like [`Self::call`], for an operation that begins with the call and ends with it.
    pub(crate) async fn bounded<T>(&self, call: impl Future<Output = Result<T, StateError>>) -> Result<T, StateError> {
        self.call(self.deadline(), call).await
    }
}
