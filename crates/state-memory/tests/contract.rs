//! The contract that every backend keeps, kept by the hub in memory.

use std::{sync::Arc, time::Duration};

use roomwire_core::contract_tests::{Cluster, Node};
use roomwire_state_memory::{ManualClock, MemoryHub};

struct MemoryCluster {
    hub: MemoryHub,
    clock: Arc<ManualClock>,
}

#[async_trait::async_trait]
impl Cluster for MemoryCluster {
    async fn node(&self) -> Node {
        Node::of(Arc::new(self.hub.node()))
    }

    fn short_lease(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn rounds(&self, usual: usize) -> usize {
        usual * 10
    }
}

async fn cluster() -> impl Cluster {
    let clock = Arc::new(ManualClock::new());
    MemoryCluster { hub: MemoryHub::with_clock(clock.clone()), clock }
}

roomwire_core::contract_tests!(cluster);
