//! The state backend of an episode.

use std::sync::Arc;

use parking_lot::Mutex;
use roomwire_core::{Backplane, StateStore};
use roomwire_state_memory::MemoryHub;
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;

use crate::node::RuntimeClock;

/// The store and the backplane of one node.
pub(crate) type Ports = (Arc<dyn StateStore>, Arc<dyn Backplane>);

/// The state backend.
#[derive(Debug)]
pub(crate) enum Backend {
    /// In memory. The hub of the store is replaced when it loses all data.
    Memory { store: Mutex<MemoryHub>, bus: MemoryHub },
    /// In Redis, on a server of its own.
    Redis(RedisServer),
}

impl Backend {
    pub(crate) fn memory(clock: &Arc<RuntimeClock>) -> Self {
        Self::Memory { store: Mutex::new(MemoryHub::with_clock(clock.clone())), bus: MemoryHub::new() }
    }

    pub(crate) async fn redis() -> Self {
        Self::Redis(RedisServer::start().await)
    }

    /// Creates the ports of a node.
    pub(crate) async fn ports(&self) -> Ports {
        match self {
            Self::Memory { store, bus } => (Arc::new(store.lock().node()), Arc::new(bus.node())),
            Self::Redis(server) => {
                let state = Arc::new(RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects"));
                (state.clone(), state)
            }
        }
    }

    /// Deletes all data of the store. Returns new stores for the nodes, if they need them.
    pub(crate) async fn forget(&self, clock: &Arc<RuntimeClock>, nodes: usize) -> Vec<Arc<dyn StateStore>> {
        match self {
            Self::Memory { store, .. } => {
                let hub = MemoryHub::with_clock(clock.clone());
                *store.lock() = hub.clone();
                (0..nodes).map(|_| -> Arc<dyn StateStore> { Arc::new(hub.node()) }).collect()
            }
            Self::Redis(server) => {
                server.flush_all().await;
                Vec::new()
            }
        }
    }
}
