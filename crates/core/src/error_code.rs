//! The stable codes that distinguish failures.

use std::fmt;

/// Why an operation failed, as a stable code.
///
/// Codes never change their meaning; new ones may be added. `docs/error-codes.md` describes each one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The room has as many members as its capacity allows.
    RoomFull,
    /// The room is closed: no client may join until it is opened again.
    RoomClosed,
    /// The room does not exist.
    RoomNotFound,
    /// The client is not a member of the room.
    NotInRoom,
    /// The client does not exist, or has disconnected.
    ClientNotFound,
    /// The node is not in the cluster.
    NodeNotFound,
    /// The server has reached its connection limit.
    MaxConnections,
    /// The client is not authenticated.
    Unauthorized,
    /// The client may not do this.
    Forbidden,
    /// The client's token is no longer valid.
    TokenExpired,
    /// The client's data does not have the expected shape.
    InvalidPayload,
    /// A room, event, client or namespace name breaks the rules for names.
    InvalidName,
    /// No handler is registered for the event.
    UnknownEvent,
    /// The client exceeded a rate limit; `retryAfterMs` is the time until the next attempt.
    RateLimited,
    /// A newer event of the same name arrived before this one was handled; only the newer one is handled.
    Superseded,
    /// A configured limit was exceeded.
    LimitExceeded,
    /// The message is larger than the server accepts.
    PayloadTooLarge,
    /// The shared state is unreachable.
    StateUnavailable,
    /// The shared state is reachable and refused the operation.
    StateRefused,
    /// An operation timed out.
    Timeout,
    /// The server is shutting down.
    ShuttingDown,
    /// The server failed; only its log has the details.
    Internal,
    /// An application-defined code, such as `NOT_YOUR_TURN`.
    Application(&'static str),
}

impl ErrorCode {
    /// Every code of Roomwire's own, in the order of the documentation.
    pub const ALL: [Self; 22] = [
        Self::RoomFull,
        Self::RoomClosed,
        Self::RoomNotFound,
        Self::NotInRoom,
        Self::ClientNotFound,
        Self::NodeNotFound,
        Self::MaxConnections,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TokenExpired,
        Self::InvalidPayload,
        Self::InvalidName,
        Self::UnknownEvent,
        Self::RateLimited,
        Self::Superseded,
        Self::LimitExceeded,
        Self::PayloadTooLarge,
        Self::StateUnavailable,
        Self::StateRefused,
        Self::Timeout,
        Self::ShuttingDown,
        Self::Internal,
    ];

    /// The code as clients see it, for example `ROOM_FULL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoomFull => "ROOM_FULL",
            Self::RoomClosed => "ROOM_CLOSED",
            Self::RoomNotFound => "ROOM_NOT_FOUND",
            Self::NotInRoom => "NOT_IN_ROOM",
            Self::ClientNotFound => "CLIENT_NOT_FOUND",
            Self::NodeNotFound => "NODE_NOT_FOUND",
            Self::MaxConnections => "MAX_CONNECTIONS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::InvalidPayload => "INVALID_PAYLOAD",
            Self::InvalidName => "INVALID_NAME",
            Self::UnknownEvent => "UNKNOWN_EVENT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Superseded => "SUPERSEDED",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::StateUnavailable => "STATE_UNAVAILABLE",
            Self::StateRefused => "STATE_REFUSED",
            Self::Timeout => "TIMEOUT",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Internal => "INTERNAL",
            Self::Application(code) => code,
        }
    }

    /// The default message of the code.
    #[must_use]
    pub const fn default_message(self) -> &'static str {
        match self {
            Self::RoomFull => "Room is full",
            Self::RoomClosed => "Room is closed",
            Self::RoomNotFound => "Room does not exist",
            Self::NotInRoom => "Not a member of this room",
            Self::ClientNotFound => "Client is not connected",
            Self::NodeNotFound => "Node is not in the cluster",
            Self::MaxConnections => "Server has no free connection, try again later",
            Self::Unauthorized => "Not authorized",
            Self::Forbidden => "Not allowed",
            Self::TokenExpired => "Token has expired",
            Self::InvalidPayload => "Payload does not have the expected shape",
            Self::InvalidName => "Name is not valid",
            Self::UnknownEvent => "Event is not known",
            Self::RateLimited => "Too many requests",
            Self::Superseded => "A newer event took its place",
            Self::LimitExceeded => "Limit reached",
            Self::PayloadTooLarge => "Payload is too large",
            Self::StateUnavailable => "Shared state cannot be reached, try again later",
            Self::StateRefused => "Shared state refused this, try again later",
            Self::Timeout => "No answer in time",
            Self::ShuttingDown => "Server is about to stop, connect again",
            Self::Internal | Self::Application(_) => "Something went wrong on the server",
        }
    }

    /// Whether the same request can succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RoomFull
                | Self::RoomClosed
                | Self::MaxConnections
                | Self::RateLimited
                | Self::StateUnavailable
                | Self::StateRefused
                | Self::Timeout
                | Self::ShuttingDown
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn the_documentation_lists_every_code_with_its_message_and_whether_a_retry_can_help() {
        let documented = include_str!("../../../docs/error-codes.md");
        let rows: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), ErrorCode::ALL.len(), "one row for each code");
        for (row, code) in rows.iter().zip(ErrorCode::ALL) {
            let retry = if code.is_retryable() { "yes" } else { "no" };
            let start = format!("| `{code}` | {} | {retry} |", code.default_message());
            assert!(row.starts_with(&start), "row {row:?} should start with {start:?}");
        }
    }
}
