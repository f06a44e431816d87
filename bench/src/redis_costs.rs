//! What each operation on shared state costs the Redis server.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use roomwire_core::{
    Backplane, Channel, ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NodeId, PageRequest, RoomId,
    RoomKey, StateStore, Timestamp,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;

use crate::usage::Usage;

/// How often each operation is done.
const TIMES: usize = 5000;
/// How many rooms the clients spread over.
const ROOMS: usize = 500;
/// The members of a large room.
const LARGE_ROOM: usize = 100_000;
/// The size of a message between nodes in bytes: a chat message with its envelope.
const MESSAGE: usize = 250;
const LEASE: Duration = Duration::from_secs(60);

struct Bench {
    server: RedisServer,
    state: RedisState,
    incarnation: Incarnation,
}

/// What the server counted, and what this process used.
struct Counted {
    commands: f64,
    microseconds: f64,
    own: Usage,
    received: f64,
    sent: f64,
}

/// Measures and prints one line for each operation.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let server = RedisServer::start().await;
    let state = RedisState::connect(&RedisConfig::new(server.url())).await?;
    let incarnation = Incarnation::begin(NodeId::random());
    state.begin_lease(&incarnation, LEASE).await?;
    let bench = Bench { server, state, incarnation };
    println!(
        "{:<34} {:>8} {:>9} {:>9} {:>10} {:>8}",
        "each", "commands", "Redis µs", "nodes µs", "received B", "sent B"
    );

    let (state, incarnation) = (&bench.state, &bench.incarnation);
    let empty = bench.memory().await?;
    bench.line("connect", async |number| state.connect(incarnation, &client(number)).await).await?;
    let connected = bench.memory().await?;
    bench.line("join", async |number| state.join(incarnation, &key(number), &room(number)).await.map(drop)).await?;
    let joined = bench.memory().await?;
    bench.line("client", async |number| state.client(&key(number)).await.map(drop)).await?;
    bench.line("where a client is", async |number| state.locate(&key(number)).await.map(drop)).await?;
    bench.line("room of 10", async |number| state.room(&room(number)).await.map(drop)).await?;
    let page = PageRequest::first(100);
    bench.line("page of 100 clients", async |_| state.clients(&Namespace::root(), &page).await.map(drop)).await?;
    bench.pages_of_rooms().await?;
    bench.line("heartbeat", async |_| state.renew_lease(incarnation, LEASE).await.map(drop)).await?;
    bench.messages().await?;
    bench.line("leave", async |number| state.leave(incarnation, &key(number), &room(number)).await.map(drop)).await?;
    bench.line("disconnect", async |number| state.disconnect(incarnation, &key(number)).await.map(drop)).await?;
    println!(
        "memory: {:.0} bytes a client, {:.0} a membership",
        (connected - empty) / TIMES as f64,
        (joined - connected) / TIMES as f64
    );
    Ok(())
}

impl Bench {
    /// Reads a page of the members of a small and of a large room.
    async fn pages_of_rooms(&self) -> anyhow::Result<()> {
        let clients: Vec<usize> = (TIMES..TIMES + LARGE_ROOM).collect();
        for (name, members) in [("small", 100), ("large", LARGE_ROOM)] {
            let room = RoomKey::new(Namespace::root(), RoomId::new(name)?);
            stream::iter(&clients[..members])
                .map(|number| async {
                    self.state.connect(&self.incarnation, &client(*number)).await?;
                    self.state.join(&self.incarnation, &key(*number), &room).await
                })
                .buffer_unordered(64)
                .try_for_each(|_| async { Ok(()) })
                .await?;
            let page = PageRequest::first(100);
            let line = format!("page of 100 of {members} members");
            self.line(&line, async |_| self.state.members(&room, &page).await.map(drop)).await?;
        }
        // They are no part of the memory that is counted.
        for number in clients {
            self.state.disconnect(&self.incarnation, &key(number)).await?;
        }
        Ok(())
    }

    /// Broadcasts to a room that 1, 3 and 10 nodes hear.
    async fn messages(&self) -> anyhow::Result<()> {
        let channel = Channel::Room(room(0));
        let mut nodes = Vec::new();
        for hearing in [1, 3, 10] {
            while nodes.len() < hearing {
                let node = RedisState::connect(&RedisConfig::new(self.server.url())).await?;
                let incoming = node.open(&Incarnation::begin(NodeId::random()).process()).await?;
                node.subscribe(&channel).await?;
                nodes.push((node, incoming));
            }
            let message = Bytes::from(vec![b'x'; MESSAGE]);
            let name = format!("message that {hearing} nodes hear");
            self.line(&name, async |_| self.state.publish(&channel, message.clone()).await).await?;
        }
        Ok(())
    }

    async fn line<E>(&self, name: &str, operation: impl AsyncFn(usize) -> Result<(), E>) -> anyhow::Result<()>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        // So that the server knows the script.
        operation(0).await?;
        let before = self.counted().await?;
        for number in 0..TIMES {
            operation(number).await?;
        }
        let after = self.counted().await?;
        let each = |before: f64, after: f64| (after - before) / TIMES as f64;
        println!(
            "{name:<34} {:>8.2} {:>9.1} {:>9.1} {:>10.0} {:>8.0}",
            each(before.commands, after.commands),
            each(before.microseconds, after.microseconds),
            after.own.microseconds_since(&before.own) / TIMES as f64,
            each(before.received, after.received),
            each(before.sent, after.sent),
        );
        Ok(())
    }

    async fn counted(&self) -> anyhow::Result<Counted> {
        let info: String = self.server.ask(&["INFO", "everything"]).await;
        let number = |field: &str| -> anyhow::Result<f64> {
            let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            Ok(line.with_context(|| format!("the server does not say {field}"))?.trim().parse()?)
        };
        // What scripts call is not counted by these.
        let commands = ["evalsha", "eval", "spublish"].map(|name| calls(&info, name)).iter().sum();
        // With reading from and writing to connections, which a command's own time leaves out.
        let microseconds = (number("used_cpu_user")? + number("used_cpu_sys")?) * 1e6;
        let (received, sent) = (number("total_net_input_bytes")?, number("total_net_output_bytes")?);
        Ok(Counted { commands, microseconds, own: Usage::now(), received, sent })
    }

    async fn memory(&self) -> anyhow::Result<f64> {
        let info: String = self.server.ask(&["INFO", "memory"]).await;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(line.context("the server does not say its memory")?.trim().parse()?)
    }
}

/// How often clients called a command.
fn calls(info: &str, command: &str) -> f64 {
    let line =
        info.lines().find_map(|line| line.strip_prefix("cmdstat_")?.strip_prefix(command)?.strip_prefix(":calls="));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
}

fn key(number: usize) -> ClientKey {
    let id = ClientId::new(format!("c{number:019}")).unwrap_or_else(|error| unreachable!("plain characters: {error}"));
    ClientKey::new(Namespace::root(), id)
}

fn client(number: usize) -> NewClient {
    let metadata = Metadata::from_iter([("name".to_owned(), "Ada Lovelace".into())]);
    NewClient { key: key(number), user: None, metadata, connected_at: Timestamp::now() }
}

fn room(number: usize) -> RoomKey {
    let id = RoomId::new(format!("room-{}", number % ROOMS))
        .unwrap_or_else(|error| unreachable!("plain characters: {error}"));
    RoomKey::new(Namespace::root(), id)
}
