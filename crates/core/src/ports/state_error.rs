//! How a store or a backplane fails.

use std::error::Error as StdError;

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
    /// The writer's life is over: its lease was lost or cleaned up. Nothing was written.
    #[error("this node's lease was lost")]
    Fenced,
    /// The backend did not answer, or not in time. Whether something was written is unknown.
    #[error("backend cannot be reached: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl StateError {
    /// [`Self::Unavailable`] for this reason.
    #[must_use]
    pub fn unavailable(reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(reason.into())
    }
}
