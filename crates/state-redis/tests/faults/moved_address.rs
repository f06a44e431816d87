//! An address of Redis that leads new connections to another server, while open connections stay at the former one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use roomwire_core::{Backplane, BackplaneEvent, BackplaneEvents, Channel, Incarnation, NodeId};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::{RedisServer, Settings, free_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::fixture::room;

/// Within this time messages must cross again, counted from the moment at which the address moved.
const BOUND: Duration = Duration::from_secs(5);

/// A TCP proxy with a target that changes for new connections only.
#[derive(Clone)]
struct Address {
    port: u16,
    target: Arc<Mutex<SocketAddr>>,
    /// Counts the cuts of connections that are not subscribed.
    cuts: watch::Sender<u64>,
}

impl Address {
    async fn of(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("has one").port();
        let address = Self { port, target: Arc::new(Mutex::new(target)), cuts: watch::Sender::new(0) };
        let proxy = address.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = *proxy.target.lock();
                let Ok(server) = TcpStream::connect(target).await else { continue };
                tokio::spawn(proxy.clone().pass(client, server));
            }
        });
        address
    }

    async fn pass(self, client: TcpStream, server: TcpStream) {
        let subscribed = Arc::new(AtomicBool::new(false));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let mut cuts = self.cuts.subscribe();
        tokio::select! {
            () = carry(from_client, to_server, Some(subscribed.clone())) => {}
            () = carry(from_server, to_client, None) => {}
            () = async {
                while cuts.changed().await.is_ok() && subscribed.load(Ordering::Relaxed) {}
            } => {}
        }
    }

    fn lead_to(&self, target: SocketAddr) {
        *self.target.lock() = target;
    }

    /// Ends the connections that subscribed to nothing.
    fn cut_commands(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    fn config(&self) -> RedisConfig {
        RedisConfig::new(format!("redis://127.0.0.1:{}", self.port))
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, subscribed: Option<Arc<AtomicBool>>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if let Some(subscribed) = &subscribed
            && buffer[..count].windows(11).any(|bytes| bytes == b"SSUBSCRIBE\r")
        {
            subscribed.store(true, Ordering::Relaxed);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// A node that hears one room, and remembers what it heard.
struct Listener {
    state: RedisState,
    events: BackplaneEvents,
    gaps: usize,
}

impl Listener {
    async fn on(config: RedisConfig) -> Self {
        let state = RedisState::connect(&config).await.expect("connects");
        let events = state.open(&Incarnation::begin(NodeId::random()).process()).await.expect("opens");
        state.subscribe(&Channel::Room(room("r"))).await.expect("subscribes");
        Self { state, events, gaps: 0 }
    }

    async fn say(&self, text: &str) {
        // A message that cannot be published is missed like one that reaches no subscription.
        let _ = self.state.publish(&Channel::Room(room("r")), Bytes::from(text.to_owned())).await;
    }

    /// Whether this text comes soon; counts gaps on the way.
    async fn hears(&mut self, text: &str) -> bool {
        let heard = timeout(Duration::from_millis(100), async {
            while let Some(event) = self.events.next().await {
                match event {
                    BackplaneEvent::Message(bytes) if bytes == text => return,
                    BackplaneEvent::Gap => self.gaps += 1,
                    _ => {}
                }
            }
        });
        heard.await.is_ok()
    }
}

/// Waits until each of the two hears the other; how long that took.
async fn crosses(first: &mut Listener, second: &mut Listener, since: Instant) -> Duration {
    for number in 0.. {
        let text = format!("message {number}");
        first.say(&text).await;
        let forth = second.hears(&text).await;
        second.say(&text).await;
        if forth && first.hears(&text).await {
            break;
        }
        assert!(since.elapsed() < BOUND * 3, "nothing crosses after {:.1?}", since.elapsed());
    }
    since.elapsed()
}

/// Reads what is left to be read, until both have counted this many gaps.
async fn count_gaps(listeners: [&mut Listener; 2], gaps: usize) {
    for listener in listeners {
        let deadline = Instant::now() + BOUND;
        while listener.gaps < gaps && Instant::now() < deadline {
            listener.hears("nothing").await;
        }
        assert_eq!(listener.gaps, gaps, "each gap is told once");
    }
}

/// No state is written, so no heartbeat finds out: the probe does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_cross_within_5_seconds_after_a_failover_that_leaves_connections_open() {
    let first = RedisServer::start_with(Settings::default().with("repl-diskless-sync-delay", "0")).await;
    let second = RedisServer::start_with(Settings::default().with("repl-diskless-sync-delay", "0")).await;
    let address = Address::of(first.address()).await;
    let (mut one, mut other) = (Listener::on(address.config()).await, Listener::on(address.config()).await);
    crosses(&mut one, &mut other, Instant::now()).await;

    let nothing = free_port().to_string();
    let mut slowest = Duration::ZERO;
    for round in 1..=10 {
        let (primary, copy) = if round % 2 == 1 { (&first, &second) } else { (&second, &first) };
        copy.ask::<()>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]).await;
        while !copy.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up") {
            sleep(Duration::from_millis(10)).await;
        }
        copy.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
        primary.ask::<()>(&["REPLICAOF", "127.0.0.1", &nothing]).await;
        address.lead_to(copy.address());
        let moved = Instant::now();
        count_gaps([&mut one, &mut other], round).await;
        let took = crosses(&mut one, &mut other, moved).await;
        println!("round {round}: both are at the new primary after {took:.2?}");
        slowest = slowest.max(took);
        let left: Vec<String> = primary.ask(&["PUBSUB", "SHARDCHANNELS"]).await;
        assert!(left.is_empty(), "no subscription stays behind: {left:?}");
    }
    assert!(slowest < BOUND, "{slowest:.2?}");
}

/// The former server stays a primary that accepts writes, so no error tells anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_stays_at_a_replaced_server_follows_the_commands() {
    let (former, new) = (RedisServer::start().await, RedisServer::start().await);
    let address = Address::of(former.address()).await;
    let (mut one, mut other) = (Listener::on(address.config()).await, Listener::on(address.config()).await);
    crosses(&mut one, &mut other, Instant::now()).await;
    address.lead_to(new.address());
    address.cut_commands();
    let moved = Instant::now();
    count_gaps([&mut one, &mut other], 1).await;
    let took = crosses(&mut one, &mut other, moved).await;
    println!("messages cross after {took:.2?}");
    assert!(took < BOUND, "{took:.2?}");
    let left: Vec<String> = former.ask(&["PUBSUB", "SHARDCHANNELS"]).await;
    assert!(left.is_empty(), "no subscription stays behind: {left:?}");
}

/// A probe that finds fault with what works would lose messages for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_at_the_right_server_is_left_alone() {
    let server = RedisServer::start().await;
    let config = RedisConfig::new(server.url()).pool_size(5);
    let (mut one, mut other) = (Listener::on(config.clone()).await, Listener::on(config).await);
    for _ in 0..20 {
        crosses(&mut one, &mut other, Instant::now()).await;
        sleep(Duration::from_millis(250)).await;
    }
    assert_eq!((one.gaps, other.gaps), (0, 0));
    let stats: String = server.ask(&["INFO", "commandstats"]).await;
    assert!(stats.contains("cmdstat_evalsha"), "it was probed: {stats}");
}
