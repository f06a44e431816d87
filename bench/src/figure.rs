//! The figures that a workload gives.

use serde::Serialize;

/// One number about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Figure {
    RoomCpu,
    RoomKernel,
    RoomLatency,
    InFlightCpu,
    RoomsCpu,
    Room1kCpu,
    Room16kCpu,
    ConnectCpu,
    JoinCpu,
    ConnectAndJoinCpu,
    ConnectedMemory,
    JoinedMemory,
    ServerMemory,
    ElsewhereCpu,
}

impl Figure {
    pub(crate) const ALL: [Self; 14] = [
        Self::RoomCpu,
        Self::RoomKernel,
        Self::RoomLatency,
        Self::InFlightCpu,
        Self::RoomsCpu,
        Self::Room1kCpu,
        Self::Room16kCpu,
        Self::ConnectCpu,
        Self::JoinCpu,
        Self::ConnectAndJoinCpu,
        Self::ConnectedMemory,
        Self::JoinedMemory,
        Self::ServerMemory,
        Self::ElsewhereCpu,
    ];

    /// What it says, and in which unit.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::RoomCpu => "CPU per delivered message, one room of 500 [µs]",
            Self::RoomKernel => "share of the kernel in it [%]",
            Self::RoomLatency => "p99 latency, one room of 500 [ms]",
            Self::InFlightCpu => "CPU per delivered message, four in flight [µs]",
            Self::RoomsCpu => "CPU per delivered message, 50 rooms of 10 [µs]",
            Self::Room1kCpu => "CPU per delivered message, 1 KiB [µs]",
            Self::Room16kCpu => "CPU per delivered message, 16 KiB [µs]",
            Self::ConnectCpu => "CPU per connect [µs]",
            Self::JoinCpu => "CPU per join [µs]",
            Self::ConnectAndJoinCpu => "CPU per connect and join [µs]",
            Self::ConnectedMemory => "resident memory per idle client, connected [KiB]",
            Self::JoinedMemory => "resident memory per idle client, in one room [KiB]",
            Self::ServerMemory => "resident memory of the server with all idle clients [MiB]",
            Self::ElsewhereCpu => "CPU of a node without members per broadcast elsewhere [µs]",
        }
    }

    /// The name of its plot.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::RoomCpu => "room-cpu",
            Self::RoomKernel => "room-kernel",
            Self::RoomLatency => "room-latency",
            Self::InFlightCpu => "in-flight-cpu",
            Self::RoomsCpu => "rooms-cpu",
            Self::Room1kCpu => "room-1k-cpu",
            Self::Room16kCpu => "room-16k-cpu",
            Self::ConnectCpu => "connect-cpu",
            Self::JoinCpu => "join-cpu",
            Self::ConnectAndJoinCpu => "connect-and-join-cpu",
            Self::ConnectedMemory => "connected-memory",
            Self::JoinedMemory => "joined-memory",
            Self::ServerMemory => "server-memory",
            Self::ElsewhereCpu => "elsewhere-cpu",
        }
    }

    /// True if less is better, so that a ratio says something.
    pub(crate) fn is_cost(self) -> bool {
        self != Self::RoomKernel
    }

    /// True for memory, which hardly differs from round to round.
    pub(crate) fn is_memory(self) -> bool {
        matches!(self, Self::ConnectedMemory | Self::JoinedMemory | Self::ServerMemory)
    }
}
