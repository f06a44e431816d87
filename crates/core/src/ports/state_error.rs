//! How a store or a backplane fails.

use std::error::Error as StdError;

use super::Refusal;

/// Why a store or a backplane did not do what it was asked.
///
/// The service turns it into an [`Error`](crate::Error) for its callers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The room has as many members as it may.
    #[error("room is full")]
    RoomFull,
    /// The room is closed.
    #[error("room is closed")]
    RoomClosed,
    /// There is no such room.
    #[error("room does not exist")]
    RoomNotFound,
    /// There is such a room already.
    #[error("room exists already")]
    RoomExists,
    /// There is no such client.
    #[error("client is not connected")]
    ClientNotFound,
    /// The store has no memory for what was to be added.
    #[error("store has no memory left")]
    OutOfMemory,
    /// The message is larger than the backplane carries. Nothing was sent.
    #[error("message of {bytes} bytes is too large, at most {most} can be sent")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest that is possible.
        most: usize,
    },
    /// The writer's incarnation is over: its lease was lost or reaped. Nothing was written.
    #[error("this node's lease was lost")]
    Fenced,
    /// The backend did not answer, or not in time. Whether something was written is unknown.
    #[error("backend cannot be reached: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The backend answered that it does not do this. A part of it may have been written.
    #[error("backend refused: {0}")]
    Refused(#[source] Refusal),
}

impl StateError {
    /// [`Self::Unavailable`] for this reason.
    #[must_use]
    pub fn unavailable(reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// Whether something may have been written though the operation failed.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Refused(_))
    }
}
