//! What is measured.

use std::fmt;

use clap::ValueEnum;

/// What clients do while a server is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// Messages to 500 clients in one room, one after the other
    Hall,
    /// The same, four at a time
    Burst,
    /// Messages to 50 rooms of 10 clients
    Rooms,
    /// Clients that connect, join a room and do nothing else
    Idle,
    /// The same with the state of Roomwire in Redis; measured only when it is asked for
    Redis,
}

impl Scenario {
    pub(crate) const ALL: [Self; 5] = [Self::Hall, Self::Burst, Self::Rooms, Self::Idle, Self::Redis];
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hall => "hall",
            Self::Burst => "burst",
            Self::Rooms => "rooms",
            Self::Idle => "idle",
            Self::Redis => "redis",
        })
    }
}

/// One number about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    HallCpu,
    BurstCpu,
    RoomsCpu,
    ConnectedMemory,
    JoinedMemory,
    ConnectCpu,
    JoinCpu,
    RedisCpu,
}

impl Figure {
    pub(crate) const ALL: [Self; 8] = [
        Self::HallCpu,
        Self::BurstCpu,
        Self::RoomsCpu,
        Self::ConnectedMemory,
        Self::JoinedMemory,
        Self::ConnectCpu,
        Self::JoinCpu,
        Self::RedisCpu,
    ];

    /// What it says, and in what unit.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::HallCpu => "CPU per delivered message, one room of 500 [µs]",
            Self::BurstCpu => "CPU per delivered message, four at a time [µs]",
            Self::RoomsCpu => "CPU per delivered message, 50 rooms of 10 [µs]",
            Self::ConnectedMemory => "memory per idle client, connected [KiB]",
            Self::JoinedMemory => "memory per idle client, in one room [KiB]",
            Self::ConnectCpu => "CPU per connect [µs]",
            Self::JoinCpu => "CPU per join [µs]",
            Self::RedisCpu => "CPU per connect and join, state in Redis [µs]",
        }
    }

    /// How many times that of the plain library it may be.
    pub(crate) fn bound(self) -> Option<f64> {
        match self {
            Self::HallCpu | Self::BurstCpu | Self::RoomsCpu | Self::ConnectedMemory => Some(1.1),
            Self::RedisCpu => Some(1.6),
            Self::JoinedMemory | Self::ConnectCpu | Self::JoinCpu => None,
        }
    }
}
