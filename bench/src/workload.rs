//! What clients do while a server is measured.

use std::fmt;

use clap::ValueEnum;

use crate::peer::Peer;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// Messages of 64 B to one room of 500, one in flight
    Room,
    /// The same with four messages in flight
    InFlight,
    /// Messages of 64 B to 50 rooms of 10
    Rooms,
    /// Messages of 1 KiB to one room of 500, one in flight
    #[value(name = "room-1k")]
    Room1k,
    /// Messages of 16 KiB to one room of 500, one in flight
    #[value(name = "room-16k")]
    Room16k,
    /// 2,000 clients connect, then join rooms of 10
    Connect,
    /// 8,000 clients in rooms of 10 that do nothing
    Idle,
    /// Messages to 50 rooms of 10 on one node; another node on the same Redis, without members, is measured
    Elsewhere,
}

impl Workload {
    pub(crate) const ALL: [Self; 8] = [
        Self::Room,
        Self::InFlight,
        Self::Rooms,
        Self::Room1k,
        Self::Room16k,
        Self::Connect,
        Self::Idle,
        Self::Elsewhere,
    ];

    /// True if it makes sense for the peer: a second node needs Redis.
    pub(crate) fn suits(self, peer: Peer) -> bool {
        self != Self::Elsewhere || peer.uses_redis()
    }

    /// True if `--quick` measures it with the peer.
    pub(crate) fn is_quick(self, peer: Peer) -> bool {
        let workload = !matches!(self, Self::Room1k | Self::Room16k | Self::Elsewhere);
        let peer_suits = !peer.uses_redis() || self == Self::Rooms;
        workload && peer_suits && peer.script().is_none()
    }

    /// How much is done.
    pub(crate) fn extent(self, quick: bool) -> Extent {
        let room =
            Extent { messages: if quick { 150 } else { 200 }, rooms: 1, members: 500, in_flight: 1, payload: 64 };
        let crowd = |clients: usize| Extent { messages: 0, rooms: clients / 10, members: 10, ..room };
        match self {
            Self::Room => room,
            Self::InFlight => Extent { in_flight: 4, ..room },
            Self::Rooms => Extent { rooms: 50, members: 10, ..room },
            Self::Room1k => Extent { payload: 1024, ..room },
            Self::Room16k => Extent { messages: 50, payload: 16 * 1024, ..room },
            Self::Connect => crowd(if quick { 1000 } else { 2000 }),
            Self::Idle => crowd(if quick { 1000 } else { 8000 }),
            Self::Elsewhere => Extent { messages: 40, rooms: 50, members: 10, ..room },
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Room => "one room of 500",
            Self::InFlight => "one room of 500, four in flight",
            Self::Rooms => "50 rooms of 10",
            Self::Room1k => "one room of 500, 1 KiB",
            Self::Room16k => "one room of 500, 16 KiB",
            Self::Connect => "connect and join",
            Self::Idle => "idle clients",
            Self::Elsewhere => "rooms on another node",
        })
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Messages to each room.
    pub(crate) messages: usize,
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    pub(crate) in_flight: usize,
    /// Bytes of a message.
    pub(crate) payload: usize,
}

impl Extent {
    /// The same with at most so many clients, in as few rooms as they need.
    pub(crate) fn limited_to(self, clients: usize) -> Self {
        let members = self.members.min(clients.max(1));
        Self { members, rooms: self.rooms.min((clients / members).max(1)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::Workload;

    #[test]
    fn fewer_clients_fill_fewer_rooms() {
        let extent = |workload: Workload, clients| {
            let extent = workload.extent(false).limited_to(clients);
            (extent.rooms, extent.members)
        };
        assert_eq!(extent(Workload::Room, 50), (1, 50));
        assert_eq!(extent(Workload::Rooms, 50), (5, 10));
        assert_eq!(extent(Workload::Idle, 3), (1, 3));
        assert_eq!(extent(Workload::Idle, 100_000), (800, 10));
    }
}
