//! Services, alone or joined in memory.

use std::{sync::Arc, time::Duration};

use roomwire_core::{Backplane, Channel, Namespace, NodeId, RoomId, RoomKey};
use roomwire_service::{IntoGateways, WebSocketConfig, WebSocketService, testing::TestServer};
use roomwire_state_memory::{MemoryHub, MemoryState};

use super::{WatchedBus, WatchedStore, eventually};

/// A configuration with buffers that hold what tests send without reading, as fast as they like, and with time for a store
/// that answers on a busy machine.
pub(crate) fn config() -> WebSocketConfig {
    let mut config = WebSocketConfig::default();
    config.state.timeout = Duration::from_secs(60);
    config.limits = config.limits.without_rates();
    config.limits.rooms_per_client = 100_000;
    config.limits.mailbox = 65_536;
    config.limits.send_buffer = 65_536;
    config
}

/// A service of its own, served.
pub(crate) async fn server(gateways: impl IntoGateways) -> TestServer {
    let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
    TestServer::new(service, gateways).expect("mounts")
}

/// A server and the decorators below it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) server: TestServer,
    pub(crate) service: WebSocketService,
    pub(crate) store: Arc<WatchedStore>,
    pub(crate) bus: Arc<WatchedBus>,
}

/// A server on this node of a hub, with decorators below.
pub(crate) async fn watched(state: MemoryState, config: WebSocketConfig, gateways: impl IntoGateways) -> Node {
    let state = Arc::new(state);
    let (store, bus) = (WatchedStore::new(state.clone()), WatchedBus::new(state));
    let builder = WebSocketService::builder(config).state_and_backplane(store.clone(), bus.clone());
    let service = builder.build().await.expect("builds");
    let server = TestServer::new(service.clone(), gateways).expect("mounts");
    Node { server, service, store, bus }
}

/// Several nodes joined in memory.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) hub: MemoryHub,
    /// Sees the bus as one more node.
    witness: MemoryState,
}

impl Cluster {
    /// So many nodes, named `a`, `b`, …
    pub(crate) async fn of<G: IntoGateways>(nodes: usize, gateways: impl FnMut() -> G) -> Self {
        Self::configured(MemoryHub::new(), config(), nodes, gateways).await
    }

    /// So many nodes on this hub, with this configuration.
    pub(crate) async fn configured<G: IntoGateways>(
        hub: MemoryHub,
        config: WebSocketConfig,
        nodes: usize,
        mut gateways: impl FnMut() -> G,
    ) -> Self {
        let mut started = Vec::new();
        for name in ('a'..='z').take(nodes) {
            let node_id = Some(NodeId::new(name.to_string()).expect("valid"));
            started.push(watched(hub.node(), WebSocketConfig { node_id, ..config.clone() }, gateways()).await);
        }
        Self { witness: hub.node(), hub, nodes: started }
    }

    pub(crate) fn services(&self) -> Vec<WebSocketService> {
        self.nodes.iter().map(|node| node.service.clone()).collect()
    }

    /// Returns when no node listens for messages to a room of the root namespace any more: nodes do for a moment after
    /// its last client went.
    pub(crate) async fn hears_no_more_of(&self, room: &str) {
        eventually("nobody hears the room", async || !self.hears(room)).await;
    }

    /// Whether any node listens for messages to a room of the root namespace.
    pub(crate) fn hears(&self, room: &str) -> bool {
        let room = RoomKey::new(Namespace::root(), RoomId::new(room).expect("valid"));
        self.witness.may_reach_others(&Channel::Room(room))
    }
}
