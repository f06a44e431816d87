//! Errors of a store or a backplane.

use std::error::Error as StdError;

use super::Refusal;

/// Why an operation of a store or a backplane failed.
///
/// The service turns it into an [`Error`](crate::Error) for its callers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The room is full.
    #[error("room is full")]
    RoomFull,
    /// The room is closed.
    #[error("room is closed")]
    RoomClosed,
    /// The room does not exist.
    #[error("room does not exist")]
    RoomNotFound,
    /// The room exists already.
    #[error("room exists already")]
    RoomExists,
    /// The client does not exist.
    #[error("client is not connected")]
    ClientNotFound,
    /// The store has no memory for the new data.
    #[error("store has no memory left")]
    OutOfMemory,
    /// The message is too large for the backplane. Nothing was sent.
    #[error("message of {bytes} bytes is too large, at most {most} can be sent")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest possible size.
        most: usize,
    },
    /// The writer's incarnation is over: its lease was lost or reaped. Nothing was written.
    #[error("this node's lease was lost")]
    Fenced,
    /// The backend did not answer in time. The operation may or may not have been performed.
    #[error("backend cannot be reached: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The backend refused the operation. A part of it may have been performed.
    #[error("backend refused: {0}")]
    Refused(#[source] Refusal),
}

impl StateError {
    /// [`Self::Unavailable`] with this reason.
    #[must_use]
    pub fn unavailable(reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// Whether something may have been written although the operation failed.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Refused(_))
    }
}
