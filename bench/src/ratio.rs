//! Which peers are divided by which, and the bounds of that.

use crate::{
    figure::Figure,
    peer::Peer::{self, *},
};

/// The CPU time of a delivered message with limits, divided by that without.
const LIMITS: f64 = 1.03;
/// The CPU time of a delivered message with metrics and logs, divided by that without.
const OBSERVED: f64 = 1.02;
/// The microseconds that connecting with a token may take longer.
const TOKEN: f64 = 60.0;
/// The bounds of a quick run, far beyond what a busy machine does to a median: a regression, not noise.
const QUICK_CPU: f64 = 2.0;
const QUICK_MEMORY: f64 = 1.5;

/// A peer and the one that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) measured: Peer,
    pub(crate) reference: Peer,
}

impl Ratio {
    pub(crate) const ALL: [Self; 9] = [
        Self::of(Roomwire, Socketioxide),
        Self::of(Roomwire, SocketIo),
        Self::of(RoomwireRedis, SocketioxideRedis),
        Self::of(RoomwireRedis, SocketIoRedis),
        Self::of(RoomwireRedis, Nestjs),
        Self::of(RoomwireRedis, Socketioxide),
        Self::of(RoomwireTokens, Roomwire),
        Self::of(RoomwireLimits, RoomwireUnlimited),
        Self::of(RoomwireObserved, Roomwire),
    ];

    const fn of(measured: Peer, reference: Peer) -> Self {
        Self { measured, reference }
    }

    /// True if the table has it: what shared state costs is told by connecting and joining alone.
    pub(crate) fn is_shown(self, figure: Figure) -> bool {
        let crosses_state = self == Self::of(RoomwireRedis, Socketioxide);
        figure.is_cost() && (!crosses_state || figure == Figure::ConnectAndJoinCpu)
    }

    /// The bound that a full run reports on.
    pub(crate) fn bound(self, figure: Figure) -> Option<Bound> {
        use Figure::{ConnectAndJoinCpu, ConnectCpu, ConnectedMemory, InFlightCpu, RoomCpu, RoomLatency, RoomsCpu};
        match (self.measured, self.reference, figure) {
            (Roomwire, Socketioxide, RoomCpu | InFlightCpu | RoomsCpu)
            | (RoomwireRedis, SocketioxideRedis, RoomsCpu) => Some(Bound::Times(0.9)),
            (Roomwire, Socketioxide, RoomLatency) => Some(Bound::Times(1.0)),
            (Roomwire, Socketioxide, ConnectedMemory) => Some(Bound::Times(0.7)),
            (Roomwire, Socketioxide, ConnectAndJoinCpu) => Some(Bound::Times(1.1)),
            (RoomwireRedis, Nestjs, RoomCpu | RoomsCpu) => Some(Bound::Times(0.3)),
            (RoomwireRedis, Socketioxide, ConnectAndJoinCpu) => Some(Bound::Times(1.6)),
            (RoomwireTokens, Roomwire, ConnectCpu) => Some(Bound::MoreMicroseconds(TOKEN)),
            (RoomwireLimits, RoomwireUnlimited, RoomCpu | InFlightCpu | RoomsCpu) => Some(Bound::Times(LIMITS)),
            (RoomwireObserved, Roomwire, RoomCpu | InFlightCpu | RoomsCpu) => Some(Bound::Times(OBSERVED)),
            _ => None,
        }
    }

    /// The bound whose violation fails a quick run.
    pub(crate) fn quick_bound(self, figure: Figure) -> Option<Bound> {
        let compared = matches!(self.reference, Socketioxide | SocketioxideRedis) && figure != Figure::RoomLatency;
        compared.then_some(Bound::Times(if figure.is_memory() { QUICK_MEMORY } else { QUICK_CPU }))
    }
}

/// How far the measured peer may be above its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    Times(f64),
    MoreMicroseconds(f64),
}

impl Bound {
    /// How it reads in the table.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Times(times) => format!("≤ {times}"),
            Self::MoreMicroseconds(more) => format!("≤ {more} µs more"),
        }
    }
}
