//! How long the backend is waited for.

use std::time::Duration;

use roomwire_core::StateError;
use tokio::time::{Instant, timeout_at};

use super::Node;
use crate::gateway::HANDLER_GRACE;

/// The time limit of one operation: waiting for its turn, every call and every retry together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub(crate) fn within(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// The earlier of the two.
    pub(super) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Whether it is still to come after a pause.
    pub(super) fn leaves_time_after(self, pause: Duration) -> bool {
        Instant::now() + pause < self.0
    }

    /// What comes of waiting for one's turn, unless it does not come in time.
    pub(crate) async fn turn<T>(self, wait: impl Future<Output = T>) -> Result<T, StateError> {
        timeout_at(self.0, wait).await.map_err(|_| StateError::unavailable("no answer in time"))
    }
}

impl Node {
    /// Until when a caller that comes now waits: `state.timeout`.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::within(self.config.state.timeout)
    }

    /// Until when a client that comes back now waits for the end of its former stay: for an event handler and
    /// `on_disconnect`, for the store, and for news of deleted rooms.
    pub(crate) fn end_of_former_stay(&self) -> Deadline {
        let handlers = 2 * HANDLER_GRACE;
        let store = self.config.retry_config.timeout.max(self.config.state.timeout);
        Deadline::within(handlers + store + self.look_again_after())
    }

    /// Until when work of the node's own that begins now waits for a large answer that no caller waits for.
    pub(super) fn patience(&self) -> Deadline {
        Deadline::within(self.config.retry_config.timeout.max(self.config.state.timeout))
    }

    /// Makes one call of the backend that is not repeated.
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

    /// As [`Self::call`], for an operation that begins with it and ends with it.
    pub(crate) async fn bounded<T>(&self, call: impl Future<Output = Result<T, StateError>>) -> Result<T, StateError> {
        self.call(self.deadline(), call).await
    }
}
