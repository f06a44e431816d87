//! The state that the nodes of a cluster within one process share.

use std::{fmt, sync::Arc};

use parking_lot::{Mutex, MutexGuard};
use roomwire_core::{Clock, SystemClock, Timestamp};

use crate::{MemoryState, bus::Bus, clock::SteadyClock, state::State};

/// Joins several services of one process into a cluster.
///
/// Each service gets a [`node`](Self::node) of its own. Cheap to clone: clones are the same hub. Its data exists until
/// the hub and all of its nodes are dropped.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use roomwire_core::{Incarnation, NodeId, StateStore};
/// use roomwire_state_memory::{ManualClock, MemoryHub};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Arc::new(ManualClock::new());
/// let hub = MemoryHub::with_clock(clock.clone());
/// let (first, second) = (hub.node(), hub.node());
///
/// let lease = Duration::from_secs(10);
/// let lost = Incarnation::begin(NodeId::new("first")?);
/// let survivor = Incarnation::begin(NodeId::new("second")?);
/// first.begin_lease(&lost, lease).await?;
/// second.begin_lease(&survivor, lease).await?;
///
/// clock.advance(lease);
/// assert_eq!(second.renew_lease(&survivor, lease).await?.expired, [lost]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryHub(Arc<Shared>);

/// The state and the bus that all nodes of a hub use.
pub(crate) struct Shared {
    /// One lock for everything. A call holds it for about a microsecond, and it makes each call atomic: a lock per room
    /// would have to be combined with those of the client and of its lease, in a different order for every method. It
    /// is never held across an await point.
    state: Mutex<State>,
    /// The clock for the times of rooms and the expiry of revocations.
    clock: Arc<dyn Clock>,
    /// The clock for the expiry of leases.
    lease_clock: Arc<dyn Clock>,
    pub(crate) bus: Bus,
}

impl MemoryHub {
    /// A hub without nodes, on the system clock. Setting that clock ends no lease.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clocks(Arc::new(SystemClock), Arc::new(SteadyClock::start()))
    }

    /// A hub that uses this clock for the times of rooms and the expiry of leases.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::with_clocks(clock.clone(), clock)
    }

    fn with_clocks(clock: Arc<dyn Clock>, lease_clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), clock, lease_clock, bus: Bus::default() }))
    }

    /// One more node of this cluster, for one service.
    #[must_use]
    pub fn node(&self) -> MemoryState {
        MemoryState::on(self.0.clone())
    }
}

impl Default for MemoryHub {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHub").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn lease_now(&self) -> Timestamp {
        self.lease_clock.now()
    }
}
