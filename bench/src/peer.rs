//! The servers that are compared.

use clap::ValueEnum;

/// A server under measurement: which program it is and how it keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// Roomwire with its state in memory
    Roomwire,
    /// Plain socketioxide
    Socketioxide,
    /// Socket.IO on Node without an adapter
    SocketIo,
    /// Roomwire with its state in Redis
    RoomwireRedis,
    /// socketioxide with its Redis adapter
    SocketioxideRedis,
    /// Socket.IO on Node with its Redis adapter
    SocketIoRedis,
    /// A NestJS gateway with clients and rooms in Redis, and the Redis adapter
    Nestjs,
    /// Roomwire that authenticates clients with tokens; measured only if named
    RoomwireTokens,
    /// Roomwire with its default limits, except those of an address; measured only if named
    RoomwireLimits,
    /// Roomwire with each limit at its maximum; measured only if named
    RoomwireUnlimited,
    /// Roomwire with metrics for Prometheus and a log from info on; measured only if named
    RoomwireObserved,
}

impl Peer {
    pub(crate) const ALL: [Self; 11] = [
        Self::Roomwire,
        Self::Socketioxide,
        Self::SocketIo,
        Self::RoomwireRedis,
        Self::SocketioxideRedis,
        Self::SocketIoRedis,
        Self::Nestjs,
        Self::RoomwireTokens,
        Self::RoomwireLimits,
        Self::RoomwireUnlimited,
        Self::RoomwireObserved,
    ];

    /// Its name in tables, plots and progress output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Roomwire => "Roomwire",
            Self::Socketioxide => "socketioxide",
            Self::SocketIo => "Socket.IO on Node",
            Self::RoomwireRedis => "Roomwire, Redis",
            Self::SocketioxideRedis => "socketioxide-redis",
            Self::SocketIoRedis => "Socket.IO on Node, Redis",
            Self::Nestjs => "NestJS, Redis",
            Self::RoomwireTokens => "Roomwire, tokens",
            Self::RoomwireLimits => "Roomwire, limits on",
            Self::RoomwireUnlimited => "Roomwire, limits off",
            Self::RoomwireObserved => "Roomwire, metrics and logs",
        }
    }

    /// The value that selects it on the command line.
    pub(crate) fn argument(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// True if it is measured unless others are named.
    pub(crate) fn is_default(self) -> bool {
        !matches!(self, Self::RoomwireTokens | Self::RoomwireLimits | Self::RoomwireUnlimited | Self::RoomwireObserved)
    }

    /// True if its nodes are connected by a Redis server.
    pub(crate) fn uses_redis(self) -> bool {
        matches!(self, Self::RoomwireRedis | Self::SocketioxideRedis | Self::SocketIoRedis | Self::Nestjs)
    }

    /// Its script in the folder of the Node peers; `None` for a server of this program.
    pub(crate) fn script(self) -> Option<&'static str> {
        match self {
            Self::SocketIo | Self::SocketIoRedis => Some("socket-io.mjs"),
            Self::Nestjs => Some("nestjs/main.mjs"),
            _ => None,
        }
    }
}
