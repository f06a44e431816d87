//! What the calls of one node share.

use std::{
    collections::{BTreeMap, HashMap},
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
    cached_rooms::CachedRooms,
    client_locks::ClientLocks,
    keys::Partition,
    pending_cleanup::PendingCleanup,
    reply::Reply,
    router::{Repeat, Router},
    script::Script,
    verdict::Verdict,
    write_counts::WriteCounts,
};

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

impl Shared {
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self {
            clients: ClientLocks::new(!router.keys.is_single()),
            router,
            writes: WriteCounts::default(),
            rooms: CachedRooms::default(),
            pending_cleanup: PendingCleanup::default(),
            unanswered_reaps: Mutex::default(),
            reaped: Mutex::default(),
            verdict: Mutex::default(),
            is_looking: AtomicBool::new(false),
            last_beat: Mutex::default(),
            beats: AtomicU64::new(0),
            warned: Mutex::default(),
        }
    }

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
