//! A cluster whose leases run out when a test says so.

use std::{sync::Arc, time::Duration};

use roomwire_core::NodeId;
use roomwire_service::{Gateway, IntoGateways, WebSocketConfig};
use roomwire_state_memory::{ManualClock, MemoryHub};
use tokio::runtime::Runtime;

use super::{Cluster, Node, config, watched};

/// Nodes that renew their leases often, by a clock that moves by hand.
#[derive(Debug)]
pub(crate) struct Leases {
    clock: Arc<ManualClock>,
    pub(crate) cluster: Cluster,
}

impl Leases {
    pub(crate) async fn of(nodes: usize) -> Self {
        let clock = Arc::new(ManualClock::new());
        let hub = MemoryHub::with_clock(clock.clone());
        Self { clock, cluster: Cluster::configured(hub, often(), nodes, Gateway::new).await }
    }

    /// One node more, which runs on this runtime and ends with it, without a goodbye.
    pub(crate) async fn mortal<G: IntoGateways + Send + 'static>(&self, runtime: &Runtime, gateways: G) -> Node {
        let node_id = Some(NodeId::new("mortal").expect("valid"));
        let config = WebSocketConfig { node_id, ..often() };
        runtime.spawn(watched(self.cluster.hub.node(), config, gateways)).await.expect("no panic")
    }

    /// Lets the leases run out that nobody renews, and no others.
    pub(crate) async fn run_out(&self, renewing: &[&Node]) {
        for _ in 0..4 {
            self.clock.advance(often().lease.duration / 3);
            for node in renewing {
                node.store.heartbeat().await;
            }
        }
    }
}

fn often() -> WebSocketConfig {
    let mut config = config();
    config.lease.heartbeat = Duration::from_millis(10);
    config
}
