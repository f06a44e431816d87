//! Profiles: the actions and faults of an episode.

use std::time::Duration;

use roomwire_service::WebSocketConfig;

/// The actions and faults of an episode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    /// Whether the state is in Redis, with a clock that runs.
    pub(crate) redis: bool,
    /// The configuration of leases.
    pub(crate) heartbeat: Duration,
    pub(crate) lease: Duration,
    /// The duration of slow handlers, in milliseconds.
    pub(crate) slowest_handler: u64,
    /// The number of nodes.
    pub(crate) nodes: usize,
    /// The number of clients.
    pub(crate) devices: usize,
    /// The number of rounds. Each ends with a check.
    pub(crate) rounds: usize,
    /// The number of steps of each client in a round.
    pub(crate) steps: usize,
    /// The probability, in a thousand, that a call of store or backplane fails before or after it is carried out.
    pub(crate) lost_calls: u32,
    /// Clients connect to another node with the same id while the former connection is still closing.
    pub(crate) moves: bool,
    /// The backplane reports gaps.
    pub(crate) suspects: bool,
    /// The store is unreachable for less than a lease.
    pub(crate) outages: bool,
    /// The store is unreachable for longer than a lease.
    pub(crate) cut_offs: bool,
    /// The backplane loses messages, and reports the gap.
    pub(crate) gaps: bool,
    /// Leases end, and renewals report lost writes.
    pub(crate) fences: bool,
    /// The store loses all data.
    pub(crate) forgets: bool,
    /// Nodes shut down and start again.
    pub(crate) stops: bool,
    /// Nodes are killed and start again.
    pub(crate) kills: bool,
}

/// No faults.
pub(crate) const CALM: Profile = Profile {
    name: "calm",
    redis: false,
    heartbeat: Duration::from_millis(240),
    lease: Duration::from_secs(1),
    slowest_handler: 6000,
    nodes: 2,
    devices: 4,
    rounds: 40,
    steps: 12,
    lost_calls: 0,
    moves: false,
    suspects: true,
    outages: false,
    cut_offs: false,
    gaps: false,
    fences: false,
    forgets: false,
    stops: false,
    kills: false,
};

/// Clients move to other nodes while their former connection is still closing.
pub(crate) const MOVES: Profile = Profile { name: "moves", nodes: 3, moves: true, suspects: false, ..CALM };

/// Calls of store and backplane fail.
pub(crate) const LOST_CALLS: Profile = Profile { name: "lost calls", lost_calls: 30, outages: true, ..CALM };

/// Leases are lost.
pub(crate) const FENCES: Profile = Profile { name: "fences", fences: true, ..CALM };

/// Nodes shut down.
pub(crate) const STOPS: Profile = Profile { name: "stops", stops: true, nodes: 3, ..CALM };

/// The store loses all data.
pub(crate) const FORGETS: Profile = Profile { name: "forgets", forgets: true, ..CALM };

/// Nodes are killed.
pub(crate) const KILLS: Profile = Profile { name: "kills", kills: true, nodes: 3, ..CALM };

/// Nodes are cut off from the store for longer than their leases last.
pub(crate) const CUT_OFFS: Profile = Profile { name: "cut-offs", cut_offs: true, nodes: 3, ..CALM };

/// All faults.
pub(crate) const EVERYTHING: Profile = Profile {
    name: "everything",
    nodes: 3,
    lost_calls: 15,
    outages: true,
    cut_offs: true,
    gaps: true,
    fences: true,
    stops: true,
    kills: true,
    ..CALM
};

impl Profile {
    /// The same profile on Redis: fewer rounds of more clients, because time passes.
    pub(crate) const fn in_redis(self) -> Self {
        let (heartbeat, lease) = (Duration::from_millis(100), Duration::from_secs(10));
        Self { redis: true, heartbeat, lease, slowest_handler: 300, devices: 12, steps: 30, rounds: 10, ..self }
    }

    /// As [`Self::in_redis`], for profiles with faults: each takes leases or deadlines to heal.
    pub(crate) const fn briefly_in_redis(self) -> Self {
        Self { rounds: 3, ..self.in_redis() }
    }

    /// A configuration without jitter, so that a seed replays an episode: each delay that the service varies is clamped
    /// to its bound.
    pub(crate) fn config(&self) -> WebSocketConfig {
        let mut config = WebSocketConfig::default();
        config.limits = config.limits.without_rates();
        config.limits.rooms_per_client = 100_000;
        // The clock of an episode on Redis runs, and the machine may be busy.
        config.state.timeout = if self.redis { Duration::from_secs(5) } else { Duration::from_millis(200) };
        // The limit of a restore: one that hangs must end before the cluster counts as idle.
        config.retry_config.timeout = config.state.timeout;
        config.retry_config.attempts = 2;
        config.retry_config.delay = Duration::from_millis(1);
        config.retry_config.max_delay = Duration::from_millis(1);
        config.lease.heartbeat = self.heartbeat;
        config.lease.duration = self.lease;
        // Reconciliation runs after gaps and losses only.
        config.lease.reconcile = Duration::from_secs(3600);
        config.drain.timeout = Duration::from_secs(1);
        config
    }

    /// Whether calls may fail with `STATE_UNAVAILABLE`.
    pub(crate) fn loses_calls(&self) -> bool {
        self.lost_calls > 0 || self.outages || self.cut_offs || self.forgets
    }

    /// Whether nodes may lose their leases.
    pub(crate) fn loses_leases(&self) -> bool {
        self.fences || self.loses_calls()
    }
}
