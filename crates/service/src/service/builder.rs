//! Builds a service.

use std::sync::Arc;

use roomwire_core::{
    Authenticator, Backplane, Clock, DefaultPolicy, Error, Escaped, Namespace, NodeId, RoomPolicy, StateStore,
    SystemClock, WebSocketConfig,
};

use super::WebSocketService;
use crate::{
    TraceContext,
    backend::refused,
    node::{AuthHooks, Node},
};

/// The name that a store in process memory reports.
const IN_MEMORY: &str = "memory";

const NO_AUTHENTICATOR: &str = "`auth` is configured, but the service has no authenticator: call \
     `.authenticator(JwtAuthenticator::from_config(&config.auth).await?)`, or remove the settings";

const NOT_SHARED: &str = "`state.urls` names Redis servers, but state is kept in the memory of this process: call \
     `.state(RedisState::connect(&RedisConfig::from_service(&config)).await?)`, or remove the setting";

/// Chooses the state backend of a [`WebSocketService`].
#[derive(Debug)]
pub struct WebSocketServiceBuilder {
    config: WebSocketConfig,
    state: Option<(Arc<dyn StateStore>, Arc<dyn Backplane>)>,
    clock: Arc<dyn Clock>,
    auth_hooks: AuthHooks,
    trace_context: Option<Arc<dyn TraceContext>>,
}

impl WebSocketServiceBuilder {
    pub(super) fn new(config: WebSocketConfig) -> Self {
        let auth_hooks = AuthHooks { authenticator: None, policy: Arc::new(DefaultPolicy) };
        Self { config, state: None, clock: Arc::new(SystemClock), auth_hooks, trace_context: None }
    }

    /// The state backend and the backplane: `MemoryState` for one process.
    #[must_use]
    pub fn state<S: StateStore + Backplane>(mut self, state: S) -> Self {
        let state = Arc::new(state);
        self.state = Some((state.clone(), state));
        self
    }

    /// A store and a backplane as separate values, for example a store that a test wraps.
    #[must_use]
    pub fn state_and_backplane(mut self, store: Arc<dyn StateStore>, backplane: Arc<dyn Backplane>) -> Self {
        self.state = Some((store, backplane));
        self
    }

    /// Authenticates clients before they are connected. Without an authenticator every client is accepted, as a guest:
    /// [`Client::user`](crate::Client::user) is `None`.
    /// A connected client reauthenticates with the event `authenticate`, which handlers do not see then: its data is
    /// that of the handshake's `auth`, its acknowledgement `{"expiresAt"}`. The user must be the same.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.auth_hooks.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Decides what a client may do through [`AuthorizedClient`](crate::AuthorizedClient); the
    /// [default policy](DefaultPolicy) by default.
    #[must_use]
    pub fn room_policy(mut self, policy: impl RoomPolicy) -> Self {
        self.auth_hooks.policy = Arc::new(policy);
        self
    }

    /// Joins the spans of this node, of other nodes and of clients into distributed traces. Without it no context is read,
    /// computed or sent.
    #[must_use]
    pub fn trace_context(mut self, trace_context: impl TraceContext) -> Self {
        self.trace_context = Some(Arc::new(trace_context));
        self
    }

    /// The source of the time; the system clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the configuration, begins this node's lease and starts its background work. Retries as `retryConfig` says
    /// while a backend is not available yet.
    ///
    /// With `enabled: false` nothing is started, and no client is accepted.
    ///
    /// Must be called on a tokio runtime. The work ends with [`WebSocketService::shutdown`]; for a service that was
    /// never mounted, also when its last handle is dropped.
    ///
    /// # Errors
    /// `INTERNAL` if no state was chosen, `state.urls` is set and the state is `MemoryState`, `auth` configures tokens
    /// but there is no authenticator, the configuration is not valid, or payloads of `limits.payload` cannot be sent to
    /// other nodes (the source contains the reason); `STATE_UNAVAILABLE` if the backend cannot be reached;
    /// `STATE_REFUSED` if it refuses.
    pub async fn build(self) -> Result<WebSocketService, Error> {
        self.config.validate().map_err(refused)?;
        let (store, backplane) =
            self.state.ok_or_else(|| refused("no state was chosen: call `.state(MemoryState::new())`"))?;
        if self.config.auth.is_configured() && self.auth_hooks.authenticator.is_none() {
            return Err(refused(NO_AUTHENTICATOR));
        }
        if !self.config.state.urls.is_empty() && store.name() == IN_MEMORY {
            return Err(refused(NOT_SHARED));
        }
        let id = match &self.config.node_id {
            Some(name) => name.clone(),
            None => NodeId::random(),
        };
        tracing::debug!(target: "roomwire", node = %Escaped(&id), state = store.name(), "service starts");
        let node =
            Arc::new(Node::new(self.config, id, (store, backplane), self.clock, self.auth_hooks, self.trace_context));
        if node.started().enabled {
            node.start().await?;
        }
        let namespace = node.namespace(&Namespace::root());
        Ok(WebSocketService { node, namespace })
    }
}
