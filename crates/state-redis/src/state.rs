//! One node's handle on Redis.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
};

use parking_lot::Mutex;
use roomwire_core::{Incarnation, MessageLimit, ReapOutcome, StateError};
use tokio::time::Instant;

use crate::{
    ConnectError, RedisConfig,
    cached_rooms::CachedRooms,
    client_locks::ClientLocks,
    keys::{CLUSTER_PARTITIONS, Keys, Partition},
    lease::Verdict,
    pending_cleanup::PendingCleanup,
    reply::Reply,
    rights,
    router::{Repeat, Router},
    script::Script,
    server_check,
    subscriptions::Subscriptions,
    write_counts::WriteCounts,
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

/// Shared by the calls of one node.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) writes: WriteCounts,
    pub(crate) rooms: CachedRooms,
    pub(crate) clients: ClientLocks,
    pub(crate) pending_cleanup: PendingCleanup,
    /// The tokens by which a cleanup step requests a lost answer again, by partition and lost incarnation.
    pub(crate) unanswered_reaps: Mutex<HashMap<(Partition, Incarnation), u64>>,
    /// What cleanups removed and no caller has received yet, by lost incarnation.
    pub(crate) reaped: Mutex<Vec<(Incarnation, ReapOutcome)>>,
    /// Results of the partitions without leases since the last heartbeat.
    pub(crate) verdict: Mutex<Verdict>,
    /// Set while they are queried.
    pub(crate) is_looking: AtomicBool,
    /// When a lease last began or was renewed.
    pub(crate) last_beat: Mutex<Option<Instant>>,
    /// The number of renewals.
    pub(crate) beats: AtomicU64,
    /// When the last warning about keys written by other programs was logged.
    pub(crate) warned: Mutex<Option<Instant>>,
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
        let single = keys.is_single();
        let router = Arc::new(Router::new(config, keys, seeds, clustered));
        let known = router.topology().borrow().clone();
        if clustered {
            router.learn_topology(&known).await;
        }
        let message_limit = rights::check(&router).await?;
        let shared = Arc::new(Shared {
            router,
            writes: WriteCounts::default(),
            rooms: CachedRooms::default(),
            clients: ClientLocks::new(!single),
            pending_cleanup: PendingCleanup::default(),
            unanswered_reaps: Mutex::default(),
            reaped: Mutex::default(),
            verdict: Mutex::default(),
            is_looking: AtomicBool::new(false),
            last_beat: Mutex::default(),
            beats: AtomicU64::new(0),
            warned: Mutex::default(),
        });
        let subscriptions = Subscriptions::new(shared.clone());
        Ok(Self { shared, subscriptions, message_limit })
    }
}

impl Shared {
    /// Runs a script in a partition. Boxed, because what is built on it is nested too deeply for the compiler
    /// otherwise.
    pub(crate) fn run<'a>(
        &'a self,
        script: &'a Script,
        partition: Partition,
        args: &'a [Vec<u8>],
        repeat: Repeat,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, StateError>> + Send + 'a>> {
        Box::pin(self.router.run(script, partition, args, repeat, self.router.deadline()))
    }

    /// Like [`Self::run`], with half of the timeout: a caller that asks several partitions keeps the other half if this
    /// one does not answer.
    pub(crate) fn run_soon<'a>(
        &'a self,
        script: &'a Script,
        partition: Partition,
        args: &'a [Vec<u8>],
        repeat: Repeat,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, StateError>> + Send + 'a>> {
        let deadline = Instant::now() + self.router.patience() / 2;
        Box::pin(self.router.run(script, partition, args, repeat, deadline))
    }

    /// Runs a script that writes under an incarnation, and records the server's count of its writes.
    pub(crate) async fn write(
        &self,
        script: &Script,
        partition: Partition,
        incarnation: &Incarnation,
        args: &[Vec<u8>],
        repeat: Repeat,
    ) -> Result<Reply, StateError> {
        let before = self.writes.count(incarnation, partition);
        let mut reply = self.run(script, partition, args, repeat).await?;
        if let Some(count) = reply.next()? {
            self.writes.confirmed(incarnation, partition, before, count);
        }
        Ok(reply)
    }

    /// Groups items by partition.
    pub(crate) fn by_partition<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        partition: impl Fn(&T) -> Partition,
    ) -> BTreeMap<Partition, Vec<T>> {
        let mut sorted = BTreeMap::<_, Vec<T>>::new();
        for item in items {
            sorted.entry(partition(&item)).or_default().push(item);
        }
        sorted
    }
}

/// The arguments of a script.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$($arg.to_string().into_bytes()),*] };
}
pub(crate) use args;

impl fmt::Debug for RedisState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisState").finish_non_exhaustive()
    }
}
