//! Putting a service together.

use std::sync::Arc;

use roomwire_core::{Backplane, Clock, Error, ErrorCode, Namespace, NodeId, StateStore, SystemClock, WebSocketConfig};

use super::WebSocketService;
use crate::node::Node;

/// Chooses the state backend of a [`WebSocketService`].
#[derive(Debug)]
pub struct WebSocketServiceBuilder {
    config: WebSocketConfig,
    state: Option<(Arc<dyn StateStore>, Arc<dyn Backplane>)>,
    clock: Arc<dyn Clock>,
}

impl WebSocketServiceBuilder {
    pub(super) fn new(config: WebSocketConfig) -> Self {
        Self { config, state: None, clock: Arc::new(SystemClock) }
    }

    /// Where state is kept, and how nodes reach each other: `MemoryState` for one process.
    #[must_use]
    pub fn state<S: StateStore + Backplane>(mut self, state: S) -> Self {
        let state = Arc::new(state);
        self.state = Some((state.clone(), state));
        self
    }

    /// A store and a backplane that are two things, for example a store that a test wraps.
    #[must_use]
    pub fn state_and_backplane(mut self, store: Arc<dyn StateStore>, backplane: Arc<dyn Backplane>) -> Self {
        self.state = Some((store, backplane));
        self
    }

    /// Where the time comes from; the machine's clock unless it is set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the configuration, begins this node's lease and starts its background work. A backend that is not there
    /// yet is waited for, as `retryConfig` says.
    ///
    /// With `enabled: false` nothing is begun or started, and no client is admitted.
    ///
    /// Must be called on a tokio runtime. The work ends with [`WebSocketService::shutdown`]; for a service that was
    /// never mounted also when its last handle is dropped.
    ///
    /// # Errors
    /// `INTERNAL` when no state was chosen or the configuration is not valid (the source says why),
    /// `STATE_UNAVAILABLE` when the backend cannot be reached.
    pub async fn build(self) -> Result<WebSocketService, Error> {
        self.config.validate().map_err(refused)?;
        let (store, backplane) =
            self.state.ok_or_else(|| refused("no state was chosen: call `.state(MemoryState::new())`"))?;
        let id = match &self.config.node_id {
            Some(name) => name.clone(),
            None => NodeId::random(),
        };
        tracing::debug!(target: "roomwire", node = %id, state = store.name(), "service starts");
        let node = Arc::new(Node::new(self.config, id, store, backplane, self.clock));
        if node.config.enabled {
            node.start().await?;
        }
        let namespace = node.namespace(&Namespace::root());
        Ok(WebSocketService { node, namespace })
    }
}

/// The person who starts the server reads this message, not a client: it says what is wrong.
fn refused(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let problem = problem.into();
    Error::with_message(ErrorCode::Internal, format!("service cannot start: {problem}")).with_source(problem)
}
