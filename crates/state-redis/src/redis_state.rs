//! One node's handle on Redis.

use std::{fmt, sync::Arc};

use roomwire_core::MessageLimit;

use crate::{
    ConnectError, RedisConfig,
    keys::{CLUSTER_PARTITIONS, Keys},
    rights,
    router::Router,
    server_check,
    state::Shared,
    subscriptions::Subscriptions,
};

/// The state backend of one node, in Redis: a [`StateStore`](roomwire_core::StateStore) and a
/// [`Backplane`](roomwire_core::Backplane).
///
/// One for each service: all writes of an incarnation must use the same handle. Dropping it without
/// [`close`](roomwire_core::Backplane::close) is equivalent to the crash of a node: its lease expires, and another node
/// cleans up after it.
///
/// ```no_run
/// use roomwire_state_redis::{RedisConfig, RedisState};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let state = RedisState::connect(&RedisConfig::new("redis://127.0.0.1:6379")).await?;
/// // WebSocketService::builder(config).state(state)
/// # let _ = state;
/// # Ok(())
/// # }
/// ```
pub struct RedisState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) message_limit: Option<MessageLimit>,
}

impl RedisState {
    /// Connects, and checks that the server is usable.
    ///
    /// Retries as `retryConfig` says while no server is reachable. Logs a warning about a server that evicts keys. Must
    /// be called on a tokio runtime.
    ///
    /// # Errors
    /// If no server was reachable in time, and at once if one refuses the user or a required permission, is too old, or
    /// is a replica. The text says what to do, and names all missing permissions.
    ///
    /// # Cancellation
    /// Dropping the future leaves nothing behind.
    pub async fn connect(config: &RedisConfig) -> Result<Self, ConnectError> {
        // Fails if the application has installed a provider before; that one is used then.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seeds = config.seeds()?;
        let (seeds, clustered) = server_check::find(config, seeds).await?;
        let partitions = if clustered { CLUSTER_PARTITIONS } else { 1 };
        let keys = Keys::new(&config.prefix, partitions).in_database(seeds[0].redis_settings().db());
        let router = Arc::new(Router::new(config, keys, seeds, clustered));
        let known = router.topology().borrow().clone();
        if clustered {
            router.learn_topology(&known).await;
        }
        let message_limit = rights::check(&router).await?;
        let shared = Arc::new(Shared::new(router));
        let subscriptions = Subscriptions::new(shared.clone());
        Ok(Self { shared, subscriptions, message_limit })
    }
}

impl fmt::Debug for RedisState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisState").finish_non_exhaustive()
    }
}
