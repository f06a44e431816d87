//! The reasons for which clients disconnect and members leave.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Why a client's connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client disconnected, left the namespace or closed its connection.
    #[serde(rename = "client disconnected")]
    ClientDisconnected,
    /// The connection broke.
    #[serde(rename = "connection lost")]
    ConnectionLost,
    /// The client did not answer a ping in time.
    #[serde(rename = "ping timeout")]
    PingTimeout,
    /// The client sent something that is not Socket.IO.
    #[serde(rename = "protocol error")]
    ProtocolError,
    /// The application disconnected the client.
    #[serde(rename = "disconnected by server")]
    DisconnectedByServer,
    /// The client was a slow consumer: it did not read its messages fast enough.
    #[serde(rename = "slow consumer")]
    SlowConsumer,
    /// The client sent events faster than they could be handled and exceeded the hard limit.
    #[serde(rename = "too many pending events")]
    MailboxOverflow,
    /// The server stopped.
    #[serde(rename = "server shutting down")]
    ServerShutdown,
    /// The node that held the connection was lost.
    #[serde(rename = "node lost")]
    NodeLost,
    /// The client's credentials expired.
    #[serde(rename = "token expired")]
    TokenExpired,
    /// The client's credentials were revoked.
    #[serde(rename = "access revoked")]
    AccessRevoked,
    /// The client kept exceeding its rate limit.
    #[serde(rename = "too many requests")]
    RateLimited,
    /// The client sent no event for too long.
    #[serde(rename = "idle timeout")]
    IdleTimeout,
}

impl DisconnectReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::ClientDisconnected,
        Self::ConnectionLost,
        Self::PingTimeout,
        Self::ProtocolError,
        Self::DisconnectedByServer,
        Self::SlowConsumer,
        Self::MailboxOverflow,
        Self::ServerShutdown,
        Self::NodeLost,
        Self::TokenExpired,
        Self::AccessRevoked,
        Self::RateLimited,
        Self::IdleTimeout,
    ];

    /// Every reason as it appears in records, events and metrics.
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    /// The reason as it appears in records, events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientDisconnected => "client disconnected",
            Self::ConnectionLost => "connection lost",
            Self::PingTimeout => "ping timeout",
            Self::ProtocolError => "protocol error",
            Self::DisconnectedByServer => "disconnected by server",
            Self::SlowConsumer => "slow consumer",
            Self::MailboxOverflow => "too many pending events",
            Self::ServerShutdown => "server shutting down",
            Self::NodeLost => "node lost",
            Self::TokenExpired => "token expired",
            Self::AccessRevoked => "access revoked",
            Self::RateLimited => "too many requests",
            Self::IdleTimeout => "idle timeout",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a client is no longer a member of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// The client left the room.
    Left,
    /// The room was deleted.
    RoomDeleted,
    /// The client disconnected.
    Disconnected(DisconnectReason),
}

impl LeaveReason {
    /// The reason as it appears in events: `left`, `room deleted` or that of the disconnect.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::RoomDeleted => "room deleted",
            Self::Disconnected(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for LeaveReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{DisconnectReason, LeaveReason};

    #[test]
    fn reasons_are_written_as_they_read() {
        for reason in [
            LeaveReason::Left,
            LeaveReason::RoomDeleted,
            LeaveReason::Disconnected(DisconnectReason::NodeLost),
            LeaveReason::Disconnected(DisconnectReason::SlowConsumer),
        ] {
            let json = serde_json::to_string(&reason).expect("serializes");
            assert_eq!(json, format!("\"{reason}\""));
        }
    }
}
