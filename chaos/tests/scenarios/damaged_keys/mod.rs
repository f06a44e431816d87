//! Every kind of key in Redis is deleted, overwritten and filled with garbage, with numbers that are too great and with
//! bytes that are no text in turn, while clients come and go: nodes and store agree again, or one warning names the
//! key.

mod damage;
mod scene;

use std::{
    collections::BTreeMap,
    io,
    sync::{LazyLock, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use roomwire_chaos::{Turn, eventually};
use roomwire_test_servers::RedisServer;
use tokio::time::{Instant, sleep};

use self::{
    damage::{Damage, KINDS, Kind, OF_KEYS, OF_VALUES},
    scene::{LEASE, RECONCILE, Scene, connect},
};

/// How many damages are done at the same time, each to keys of its own.
const AT_ONCE: usize = 8;
/// Comparisons are up to a fifth further apart. A membership that is missing is in doubt for as long as a lease lasts,
/// and is looked for again then. The rest is for a machine that does all this at once.
const MENDED: Duration = RECONCILE.saturating_mul(2).saturating_add(LEASE).saturating_add(Duration::from_secs(4));
/// A node is taken for lost after a lease and a fifth. What its lists do not name any more is removed when each node
/// had the time to say that it is its own.
const CLEANED_UP: Duration = LEASE.saturating_mul(2).saturating_add(RECONCILE.saturating_mul(3)).saturating_add(MENDED);

/// The log of everything that runs in this process.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("roomwire=info"))
        .with_ansi(false)
        .with_writer(|| LOG_WRITER)
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("is the only one");
    log
});

#[derive(Debug, Default)]
struct Log(Mutex<Vec<u8>>);

#[derive(Clone, Copy, Debug)]
struct LogWriter;
const LOG_WRITER: LogWriter = LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Warnings that name this.
    fn warnings(&self, name: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.0.lock()).into_owned();
        text.lines().filter(|line| line.contains("WARN") && line.contains(name)).map(str::to_owned).collect()
    }
}

/// When the damage is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// While all nodes live; one is killed after it was mended.
    Before,
    /// A moment after a node was killed, before others clean up.
    After,
}

#[derive(Debug)]
struct Outcome {
    mended: Option<Duration>,
    cleaned_up: Duration,
}

async fn agree(scene: &Scene, what: &str, since: Instant, within: Duration) -> Duration {
    loop {
        let Some(differences) = scene.differences().await else { return since.elapsed() };
        assert!(since.elapsed() < within, "{what}: not within {within:?}: {differences}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn assert_settings(scene: &Scene, what: &str, kind: Kind, key: &str) {
    let expected = BTreeMap::from(
        [("club", (Some(1000), false)), ("empty", (Some(3), false)), ("closed", (None, true))]
            .map(|(room, settings)| (room.to_owned(), settings)),
    );
    let settings = scene.settings().await;
    if settings == expected {
        return;
    }
    assert!(kind.is_known_to_redis_alone(), "{what}: {settings:?}");
    // The heartbeat after the repair takes it along.
    eventually(&format!("{what}: a warning"), Duration::from_secs(5), async || {
        (!LOG.warnings(key).is_empty()).then_some(())
    })
    .await;
}

async fn damage(redis: &RedisServer, name: &str, kind: Kind, damage: Damage, when: When) -> Outcome {
    let what = format!("{kind:?}, {damage:?}, {when:?}");
    let mut scene = Scene::set(redis, name).await;
    agree(&scene, &format!("{what}: at first"), Instant::now(), MENDED).await;
    let of = if when == When::Before { "a" } else { "c" };
    let key = kind.key(redis, &scene.prefix, of).await;
    let mut mended = None;
    let mut killed = Instant::now();
    if when == When::After {
        scene.kill().await;
        killed = Instant::now();
    }
    damage.inflict(redis, &key).await;
    if when == When::Before {
        let damaged = Instant::now();
        mended = Some(agree(&scene, &what, damaged, MENDED).await);
        // It stays so.
        sleep(RECONCILE).await;
        agree(&scene, &format!("{what}: later"), damaged, MENDED + RECONCILE).await;
        joins_work(&scene, &what).await;
        scene.kill().await;
        killed = Instant::now();
    }
    let cleaned_up = agree(&scene, &format!("{what}: after the kill"), killed, CLEANED_UP).await;
    joins_work(&scene, &what).await;
    assert_settings(&scene, &what, kind, &key).await;
    // What the store has lost is reported when it is certain that no other node does.
    let due = Instant::now() + LEASE + Duration::from_secs(5);
    loop {
        let faults = scene.faults().await;
        if faults.is_empty() {
            break;
        }
        assert!(Instant::now() < due, "{what}: {} faults: {:?}", faults.len(), &faults[..faults.len().min(5)]);
        sleep(Duration::from_millis(100)).await;
    }
    let left = scene.end(redis).await;
    let ghosts: Vec<_> = left
        .iter()
        .filter(|key| [":c:", ":m:", ":n:", ":nc:", ":cs:", ":us:"].iter().any(|kind| key.starts_with(kind)))
        .collect();
    assert!(ghosts.is_empty(), "{what}: {ghosts:?}");
    Outcome { mended, cleaned_up }
}

async fn joins_work(scene: &Scene, what: &str) {
    let before = scene.visits.load(Ordering::Relaxed);
    eventually(&format!("{what}: visitors join"), Duration::from_secs(5), async || {
        (scene.visits.load(Ordering::Relaxed) > before + 10).then_some(())
    })
    .await;
    for node in &scene.nodes {
        let mut client =
            connect(&node.server, &format!("newcomer-{}", rand::random::<u32>()), 0).await.expect("connects");
        for room in ["hall", "new"] {
            let joined = node.server.service().join_room(client.handle(), room).await;
            joined.unwrap_or_else(|error| panic!("{what}: {room}: {error}"));
        }
        for other in &scene.nodes {
            other.server.service().broadcast_to_room("new", "hi", &other.name).await.expect("sends");
            assert_eq!(client.expect::<String>("hi").await, other.name);
        }
        let handle = client.handle().clone();
        drop(client);
        eventually("it is gone", Duration::from_secs(5), async || {
            node.server.service().local_client(handle.id()).is_none().then_some(())
        })
        .await;
    }
}

async fn each_kind(when: When, kinds: &[Kind], damages: &[Damage]) {
    let _turn = Turn::wait().await;
    LazyLock::force(&LOG);
    let redis = RedisServer::start().await;
    let cases = kinds.iter().flat_map(|kind| damages.iter().map(|damage| (*kind, *damage)));
    let outcomes = cases.enumerate().map(|(number, (kind, how))| {
        let redis = &redis;
        async move { (kind, how, damage(redis, &format!("case{number}"), kind, how, when).await) }
    });
    let outcomes: Vec<_> = stream::iter(outcomes).buffer_unordered(AT_ONCE).collect().await;
    for (kind, how, outcome) in &outcomes {
        let Outcome { mended, cleaned_up } = outcome;
        println!("{kind:?}, {how:?}: mended after {mended:.2?}, cleaned up {cleaned_up:.2?} after the kill");
    }
    let slowest = outcomes.iter().filter_map(|(.., outcome)| outcome.mended).max();
    println!("{} damages; the slowest was mended after {slowest:.2?}", outcomes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_key_is_lost_or_damaged_nodes_and_store_agree_again() {
    each_kind(When::Before, &KINDS, &OF_KEYS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_number_is_too_great_or_text_is_none_nodes_and_store_agree_again() {
    each_kind(When::Before, &KINDS, &OF_VALUES).await;
}

/// What Redis holds of each node.
const OF_NODES: [Kind; 13] = [
    Kind::Incarnations,
    Kind::Lease,
    Kind::Counters,
    Kind::Writes,
    Kind::Memberships,
    Kind::Clients,
    Kind::Client,
    Kind::NamespaceClients,
    Kind::NamespaceRooms,
    Kind::UserClients,
    Kind::RoomWithMembers,
    Kind::Members,
    Kind::Removed,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_key_is_lost_or_damaged_of_a_node_that_was_killed_no_ghost_is_left() {
    each_kind(When::After, &OF_NODES, &OF_KEYS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_number_is_too_great_or_text_is_none_of_a_node_that_was_killed_no_ghost_is_left() {
    each_kind(When::After, &OF_NODES, &OF_VALUES).await;
}
