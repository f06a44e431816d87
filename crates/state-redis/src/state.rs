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
use roomwire_core::{Incarnation, ReapOutcome, StateError};
use tokio::time::Instant;

use crate::{
    ConnectError, RedisConfig,
    cached_rooms::CachedRooms,
    client_locks::ClientLocks,
    keys::{CLUSTER_PARTITIONS, Keys, Partition},
    lease::Verdict,
    leftovers::Leftovers,
    reply::Reply,
    router::{Repeat, Router},
    script::Script,
    server_check,
    subscriptions::Subscriptions,
    writes::Writes,
};

/// The state backend of one node, in Redis: a [`StateStore`](roomwire_core::StateStore) and a
/// [`Backplane`](roomwire_core::Backplane).
///
/// One for each service: a life's writes must all come through the same handle. Dropping it without
/// [`close`](roomwire_core::Backplane::close) is what a crash is to a node of a cluster: its lease runs out, and another
/// node cleans up after it.
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
}

/// What the calls of one node have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) writes: Writes,
    pub(crate) rooms: CachedRooms,
    pub(crate) clients: ClientLocks,
    pub(crate) leftovers: Leftovers,
    /// By which a step of a clean-up whose answer was lost asks for it again, by partition and lost life.
    pub(crate) unanswered_reaps: Mutex<HashMap<(Partition, Incarnation), u64>>,
    /// What clean-ups took and nobody has reported yet, by the lost life.
    pub(crate) reaped: Mutex<Vec<(Incarnation, ReapOutcome)>>,
    /// What partitions without leases said since the last heartbeat.
    pub(crate) verdict: Mutex<Verdict>,
    /// Set while they are asked.
    pub(crate) is_looking: AtomicBool,
    /// When a lease was begun or renewed last.
    pub(crate) last_beat: Mutex<Option<Instant>>,
    /// How often a lease was renewed.
    pub(crate) beats: AtomicU64,
}

impl RedisState {
    /// Connects, and checks that the server is one that can be used.
    ///
    /// Tries again as `retryConfig` says while no server can be reached. A server that evicts keys is warned of in the
    /// log. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When no server could be reached in time, and at once when one refuses the user, is too old, or is a replica. The
    /// text says what to do.
    ///
    /// # Cancellation
    /// Dropping the future leaves nothing behind.
    pub async fn connect(config: &RedisConfig) -> Result<Self, ConnectError> {
        // Whoever chose one before has a reason: then this fails and that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seeds = config.seeds()?;
        let (seeds, clustered) = server_check::find(config, seeds).await?;
        let keys = Keys::new(&config.prefix, if clustered { CLUSTER_PARTITIONS } else { 1 });
        let single = keys.is_single();
        let router = Arc::new(Router::new(config, keys, seeds, clustered));
        let known = router.topology().borrow().clone();
        if clustered {
            router.learn_topology(&known).await;
        }
        let shared = Arc::new(Shared {
            router,
            writes: Writes::default(),
            rooms: CachedRooms::default(),
            clients: ClientLocks::new(!single),
            leftovers: Leftovers::default(),
            unanswered_reaps: Mutex::default(),
            reaped: Mutex::default(),
            verdict: Mutex::default(),
            is_looking: AtomicBool::new(false),
            last_beat: Mutex::default(),
            beats: AtomicU64::new(0),
        });
        let subscriptions = Subscriptions::new(shared.clone());
        Ok(Self { shared, subscriptions })
    }
}

impl Shared {
    /// Runs a script in a partition. Boxed, because what is built on it is nested too deeply for the compiler otherwise.
    pub(crate) fn run<'a>(
        &'a self,
        script: &'a Script,
        partition: Partition,
        args: &'a [Vec<u8>],
        repeat: Repeat,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, StateError>> + Send + 'a>> {
        Box::pin(self.router.run(script, partition, args, repeat, self.router.deadline()))
    }

    /// As [`Self::run`], for who has other partitions to ask as well: half of the time is for those that do not answer.
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

    /// Runs a script that writes under a life, and notes how many writes of it the server has.
    pub(crate) async fn write(
        &self,
        script: &Script,
        partition: Partition,
        life: &Incarnation,
        args: &[Vec<u8>],
        repeat: Repeat,
    ) -> Result<Reply, StateError> {
        let before = self.writes.count(life, partition);
        let mut reply = self.run(script, partition, args, repeat).await?;
        if let Some(count) = reply.next()? {
            self.writes.confirmed(life, partition, before, count);
        }
        Ok(reply)
    }

    /// Sorts items by where they lie.
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
