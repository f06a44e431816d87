//! Routes commands to the server that has their slot.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::RwLock;
use rand::seq::SliceRandom;
use redis::{Cmd, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value};
use roomwire_core::StateError;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    RedisConfig,
    command_connection::Failure,
    keys::{Keys, Partition},
    refusal::refusal,
    reply::Reply,
    script::Script,
    shard::{self, Shard},
    topology::{Address, Topology},
};

/// The delay before a command is retried that the cluster cannot execute at the moment.
const PAUSE: Duration = Duration::from_millis(20);
/// The grace of a lease of ten seconds, until one begins.
const GRACE: u64 = 3000;
/// The minimum bandwidth between a node and Redis: 80 Mbit/s.
const BYTES_PER_SECOND: f64 = 10e6;
/// The timeout of `CLUSTER SLOTS` on one server.
const TOPOLOGY_ANSWER: Duration = Duration::from_millis(400);

/// Whether to retry a command with an unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Retry: the command is idempotent, and the second response equals the first.
    Always,
    /// Fail: the command is not idempotent, or the second response would differ.
    Never,
    /// Like `Never`, in a batch with others, and fail at once if the server is unavailable.
    NeverWait,
}

/// The servers and their slots.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) keys: Keys,
    pub(crate) timeout: Duration,
    /// How many milliseconds new joins are refused after data was lost.
    grace: AtomicU64,
    /// The connection settings of a server; the first one answered at start.
    seeds: Vec<ConnectionInfo>,
    clustered: bool,
    connections: usize,
    connect_timeout: Duration,
    /// The time to transfer the largest message.
    transfer: Duration,
    topology: watch::Sender<Arc<Topology>>,
    shards: RwLock<HashMap<Address, Arc<Shard>>>,
    /// The server that had a partition when its data was last checked.
    looked_at: RwLock<HashMap<Partition, Address>>,
    /// Set while a task requests the topology.
    is_asking: AtomicBool,
    next_lane: AtomicUsize,
}

impl Router {
    /// `seeds` begins with a server that is known to answer.
    pub(crate) fn new(config: &RedisConfig, keys: Keys, seeds: Vec<ConnectionInfo>, clustered: bool) -> Self {
        let first = shard::address_of(&seeds[0]);
        let topology = Topology::single(first);
        Self {
            keys,
            timeout: config.timeout,
            grace: AtomicU64::new(GRACE),
            seeds,
            clustered,
            connections: config.pool_size,
            connect_timeout: config.connect_timeout,
            transfer: Duration::from_secs_f64(config.payload as f64 / BYTES_PER_SECOND),
            topology: watch::Sender::new(Arc::new(topology)),
            shards: RwLock::default(),
            looked_at: RwLock::default(),
            is_asking: AtomicBool::new(false),
            next_lane: AtomicUsize::new(0),
        }
    }

    /// The deadline of an operation that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.patience()
    }

    /// The timeout of an operation. An hour is practically unlimited, and does not overflow.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.min(Duration::from_secs(3600))
    }

    /// Runs a script in a partition.
    pub(crate) async fn run(
        self: &Arc<Self>,
        script: &Script,
        partition: Partition,
        args: &[Vec<u8>],
        repeat: Repeat,
        deadline: Instant,
    ) -> Result<Reply, StateError> {
        let connection = self.next_lane.fetch_add(1, Ordering::Relaxed);
        self.run_on(connection, script, partition, args, repeat, deadline).await
    }

    /// Like [`Self::run`], on the connection with this number.
    pub(crate) async fn run_on(
        self: &Arc<Self>,
        connection: usize,
        script: &Script,
        partition: Partition,
        args: &[Vec<u8>],
        repeat: Repeat,
        deadline: Instant,
    ) -> Result<Reply, StateError> {
        let slot = self.keys.slot(partition);
        let mut command = script.by_hash(&self.keys, partition);
        command.arg(args);
        let answer = loop {
            let owner = self.topology.borrow().owner(slot).cloned();
            if let Some(owner) = &owner
                && self.is_new(partition, owner)
            {
                self.heed_restart(slot, deadline).await?;
                self.looked_at.write().insert(partition, owner.clone());
            }
            match self.call_at(owner.as_ref(), slot, connection, &command, repeat, deadline).await {
                Err(Failure::Moved) => {}
                Err(Failure::Answered(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    self.heed_restart(slot, deadline).await?;
                    command = script.by_source(&self.keys, partition);
                    command.arg(args);
                }
                answer => break answer,
            }
        };
        Reply::read(script.name(), answer.map_err(|failure| state_error(script.name(), &failure))?)
    }

    /// Whether this partition has moved to another server since its data was last checked.
    fn is_new(&self, partition: Partition, owner: &Address) -> bool {
        if let Some(known) = self.looked_at.read().get(&partition) {
            return known != owner;
        }
        // The first server is checked when it lacks a script.
        self.looked_at.write().insert(partition, owner.clone());
        false
    }

    /// Sends a command to the server that has the slot, with retries as far as they are safe.
    pub(crate) async fn call(
        self: &Arc<Self>,
        slot: u16,
        connection: usize,
        command: &Cmd,
        repeat: Repeat,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.call_at(None, slot, connection, command, repeat, deadline).await
    }

    /// Like [`Self::call`], only to this server if one is given.
    async fn call_at(
        self: &Arc<Self>,
        only: Option<&Address>,
        slot: u16,
        connection: usize,
        command: &Cmd,
        repeat: Repeat,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let mut asking = None;
        loop {
            let topology = self.topology.borrow().clone();
            if only.is_some() && topology.owner(slot) != only {
                return Err(Failure::Moved);
            }
            let (failure, server) = match asking.take() {
                Some(server) => (self.ask(&server, connection, command, deadline).await, Some(server)),
                None => match topology.owner(slot) {
                    Some(server) => {
                        let shard = self.shard(server)?;
                        let answer = match repeat {
                            Repeat::NeverWait => shard.send_in_batch(connection, command, deadline).await,
                            Repeat::Always | Repeat::Never => shard.send(connection, command, deadline).await,
                        };
                        (answer, Some(server.clone()))
                    }
                    None => (Err(Failure::Unconnected("no server has this slot".to_owned())), None),
                },
            };
            let failure = match failure {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            match &failure {
                Failure::Answered(error) => match error.kind() {
                    ErrorKind::Server(ServerErrorKind::Ask) => {
                        asking = error.redirect_node().and_then(|(address, _)| Address::parse(address));
                        continue;
                    }
                    ErrorKind::Server(ServerErrorKind::Moved) => {}
                    ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                        // The server was made a replica, and the address may lead new connections to the primary.
                        if let Some(server) = &server {
                            self.reset(server);
                        }
                    }
                    ErrorKind::Server(
                        ServerErrorKind::TryAgain
                        | ServerErrorKind::ClusterDown
                        | ServerErrorKind::MasterDown
                        | ServerErrorKind::BusyLoading,
                    ) => {}
                    _ => return Err(failure),
                },
                Failure::Unconnected(_) if repeat != Repeat::NeverWait => {}
                Failure::Broken(_) if repeat == Repeat::Always => {}
                Failure::Unconnected(_)
                | Failure::Broken(_)
                | Failure::Moved
                | Failure::TimedOut
                | Failure::Stalled => return Err(failure),
            }
            let again = Instant::now() + PAUSE;
            if again >= deadline {
                return Err(failure);
            }
            self.ask_for_topology(&topology);
            sleep_until(again).await;
        }
    }

    /// Sends a command to a server that is importing its slot.
    async fn ask(
        &self,
        server: &Address,
        connection: usize,
        command: &Cmd,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("ASKING").add_command(command.clone());
        self.shard(server)?.send_all(connection, &commands, deadline).await
    }

    /// The current topology, and its changes.
    pub(crate) fn topology(&self) -> watch::Receiver<Arc<Topology>> {
        self.topology.subscribe()
    }

    /// The number of command connections of each server.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Closes all command connections to this address, which may lead to another server by now.
    pub(crate) fn reset(&self, server: &Address) {
        if let Some(shard) = self.shards.read().get(server) {
            shard.reset();
        }
    }

    /// A connection to this server failed: checks all of them.
    pub(crate) fn suspect(&self, server: &Address) {
        if let Some(shard) = self.shards.read().get(server) {
            shard.suspect();
        }
    }

    /// How many milliseconds new joins are refused after data was lost.
    pub(crate) fn grace(&self) -> u64 {
        self.grace.load(Ordering::Relaxed)
    }

    pub(crate) fn note_grace(&self, grace: Duration) {
        self.grace.store(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The time to transfer the largest message.
    pub(crate) fn transfer(&self) -> Duration {
        self.transfer
    }

    /// The connection settings of this server.
    pub(crate) fn connection_to(&self, server: &Address) -> ConnectionInfo {
        shard::at(&self.seeds[0], server)
    }

    /// Starts a task that requests the topology, unless it is newer than `known` already.
    pub(crate) fn ask_for_topology(self: &Arc<Self>, known: &Arc<Topology>) {
        if !self.clustered
            || !Arc::ptr_eq(&self.topology.borrow(), known)
            || self.is_asking.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let (router, known) = (self.clone(), known.clone());
        tokio::spawn(async move {
            router.learn_topology(&known).await;
            router.is_asking.store(false, Ordering::Release);
        });
    }

    /// Queries all servers concurrently and uses the first response.
    pub(crate) async fn learn_topology(&self, known: &Arc<Topology>) {
        let mut servers = known.servers();
        servers.extend(self.seeds.iter().map(shard::address_of));
        servers.sort();
        servers.dedup();
        servers.shuffle(&mut rand::rng());
        let mut asked: FuturesUnordered<_> = servers.iter().map(|server| self.topology_of(server)).collect();
        while let Some(answer) = asked.next().await {
            let Some(topology) = answer else { continue };
            if topology != **known {
                let servers = topology.servers();
                self.shards.write().retain(|address, _| servers.contains(address));
                self.topology.send_replace(Arc::new(topology));
            }
            return;
        }
    }

    async fn topology_of(&self, server: &Address) -> Option<Topology> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let deadline = Instant::now() + TOPOLOGY_ANSWER;
        let answer = self.shard(server).ok()?.send(0, &command, deadline).await.ok()?;
        // A server that is not part of the cluster (any more) reports no slots.
        Topology::read(answer, server).filter(|topology| !topology.servers().is_empty())
    }

    pub(crate) fn shard(&self, server: &Address) -> Result<Arc<Shard>, Failure> {
        if let Some(shard) = self.shards.read().get(server) {
            return Ok(shard.clone());
        }
        let info = self.connection_to(server);
        let shard = Shard::new(&info, self.connections, self.connect_timeout)
            .map_err(|error| Failure::Unconnected(error.to_string()))?;
        Ok(self.shards.write().entry(server.clone()).or_insert_with(|| Arc::new(shard)).clone())
    }
}

/// Converts the error of a failed command.
pub(crate) fn state_error(what: &'static str, failure: &Failure) -> StateError {
    error_about(what, None, failure)
}

/// Like [`state_error`], for a command on this key or channel.
pub(crate) fn error_about(what: &'static str, about: Option<&str>, failure: &Failure) -> StateError {
    if let Failure::Answered(error) = failure {
        if is_out_of_memory(error) {
            return StateError::OutOfMemory;
        }
        if let Some(refusal) = refusal(what, about, error) {
            return StateError::Refused(refusal);
        }
    }
    StateError::unavailable(format!("{what}: {failure}"))
}

fn is_out_of_memory(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.detail().is_some_and(|detail| detail.contains("OOM command not allowed"))
}
