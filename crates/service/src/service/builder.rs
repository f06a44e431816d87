//! Putting a service together.

use std::sync::Arc;

use roomwire_core::{
    Authenticator, Backplane, Clock, DefaultPolicy, Error, ErrorCode, Namespace, NodeId, Printable, RoomPolicy,
    StateStore, SystemClock, WebSocketConfig,
};

use super::WebSocketService;
use crate::node::{Gates, Node};

const NO_AUTHENTICATOR: &str = "`auth` says how tokens are checked, but nobody checks them: call \
     `.authenticator(JwtAuthenticator::from_config(&config.auth).await?)`, or take the settings away";

/// Chooses the state backend of a [`WebSocketService`].
#[derive(Debug)]
pub struct WebSocketServiceBuilder {
    config: WebSocketConfig,
    state: Option<(Arc<dyn StateStore>, Arc<dyn Backplane>)>,
    clock: Arc<dyn Clock>,
    gates: Gates,
}

impl WebSocketServiceBuilder {
    pub(super) fn new(config: WebSocketConfig) -> Self {
        let gates = Gates { authenticator: None, policy: Arc::new(DefaultPolicy) };
        Self { config, state: None, clock: Arc::new(SystemClock), gates }
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

    /// Who decides who a client is, before it is told that it is connected. Without one everybody is admitted, as nobody
    /// in particular.
    ///
    /// A connected client shows something newer by the event `authenticate`, which handlers do not see then: its data is
    /// what the handshake's `auth` would be, its acknowledgement `{"expiresAt"}`. It must prove the same user.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.gates.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Who decides what is done for a client through [`ActingClient`](crate::ActingClient); the
    /// [default policy](DefaultPolicy) unless it is set.
    #[must_use]
    pub fn room_policy(mut self, policy: impl RoomPolicy) -> Self {
        self.gates.policy = Arc::new(policy);
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
    /// `INTERNAL` when no state was chosen, `auth` says how tokens are checked but there is no authenticator, or the configuration is not valid (the source says why),
    /// `STATE_UNAVAILABLE` when the backend cannot be reached.
    pub async fn build(self) -> Result<WebSocketService, Error> {
        self.config.validate().map_err(refused)?;
        let (store, backplane) =
            self.state.ok_or_else(|| refused("no state was chosen: call `.state(MemoryState::new())`"))?;
        if self.config.auth.is_configured() && self.gates.authenticator.is_none() {
            return Err(refused(NO_AUTHENTICATOR));
        }
        let id = match &self.config.node_id {
            Some(name) => name.clone(),
            None => NodeId::random(),
        };
        tracing::debug!(target: "roomwire", node = %Printable(&id), state = store.name(), "service starts");
        let node = Arc::new(Node::new(self.config, id, store, backplane, self.clock, self.gates));
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
