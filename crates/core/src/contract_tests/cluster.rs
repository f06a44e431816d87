//! What a backend gives to be tested.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{Backplane, StateStore};

/// Several nodes on one shared state, which nothing else writes to.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// One more node: handles of its own on the shared state, as a process of its own would have.
    async fn node(&self) -> Node;

    /// How long a lease lasts that is to run out: long enough to do a little work under it, short enough
    /// to wait for its end several times.
    fn short_lease(&self) -> Duration;

    /// Lets so much time pass for the leases and for the dates of rooms: by moving a clock, or by waiting.
    async fn advance(&self, by: Duration);

    /// How many rounds a race has that would have so many with a backend that takes a millisecond a call.
    /// One that takes a microsecond meets the interesting instants more rarely, and has time for more.
    fn rounds(&self, usual: usize) -> usize {
        usual
    }
}

/// The handles of one node.
#[derive(Clone, Debug)]
pub struct Node {
    /// On the shared state.
    pub state: Arc<dyn StateStore>,
    /// On the other nodes; not opened yet.
    pub backplane: Arc<dyn Backplane>,
}

impl Node {
    /// Both handles, from one backend that is both.
    pub fn of<B: StateStore + Backplane>(backend: Arc<B>) -> Self {
        Self { state: backend.clone(), backplane: backend }
    }
}
