//! What a backend provides for its tests.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{Backplane, StateStore};

/// Several nodes on one shared state, which nothing else writes to.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// One more node, with its own handles of the shared state, like a separate process.
    async fn node(&self) -> Node;

    /// The lease duration for tests of expiry: long enough to do some work under it, short enough to wait for its end
    /// several times.
    fn short_lease(&self) -> Duration;

    /// Advances the time of leases and of room dates: by moving a clock, or by waiting.
    async fn advance(&self, by: Duration);

    /// The number of rounds for a race that would have this many with a backend of one millisecond a call. With one of
    /// a microsecond, interesting interleavings are rarer, and there is time for more rounds.
    fn rounds(&self, usual: usize) -> usize {
        usual
    }
}

/// The handles of one node.
#[derive(Clone, Debug)]
pub struct Node {
    /// The handle of the shared state.
    pub state: Arc<dyn StateStore>,
    /// The handle of the backplane; not open yet.
    pub backplane: Arc<dyn Backplane>,
}

impl Node {
    /// Both handles, from a backend that implements both.
    pub fn of<B: StateStore + Backplane>(backend: Arc<B>) -> Self {
        Self { state: backend.clone(), backplane: backend }
    }
}
