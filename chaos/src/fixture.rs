//! A Redis, some nodes and a crowd.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::{RedisServer, Settings};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    Checker, Client, Comeback, Crowd, Ledger, Node, NodeSettings, Proxy, Turn,
    client::{Servers, next_number},
    eventually,
};

/// How many clients, nodes and rooms there are unless a test says otherwise.
const CLIENTS: usize = 1000;
const NODES: usize = 3;
const ROOMS: usize = 100;
/// In how many rooms a client is.
const ROOMS_EACH: usize = 3;

/// What a fixture is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many clients come.
    pub clients: usize,
    /// What they do when their connection ends.
    pub comeback: Comeback,
    /// Whether each node reaches Redis through a proxy of its own.
    pub proxied: bool,
    /// Where Redis is, when it is not one server that the fixture starts.
    pub urls: Option<Vec<String>>,
    /// More variables for the processes of nodes.
    pub variables: Vec<(String, String)>,
    /// More variables for the process of the last node.
    pub variables_of_last: Vec<(String, String)>,
    /// How many files the process of the last node may open, when that is not as many as this process.
    pub open_files_of_last: Option<u32>,
    /// With what the server is started.
    pub redis: Settings,
    /// To which node a client comes, by its number.
    pub node_of: fn(usize) -> usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            clients: CLIENTS,
            comeback: Comeback::Never,
            proxied: false,
            urls: None,
            variables: Vec::new(),
            variables_of_last: Vec::new(),
            open_files_of_last: None,
            redis: Settings::default(),
            node_of: |client| client % NODES,
        }
    }
}

/// A cluster under test. All of it is gone when this is dropped.
#[derive(Debug)]
pub struct Fixture {
    /// The clients.
    pub crowd: Crowd,
    /// By number; none where a node was killed.
    pub nodes: Vec<Option<Node>>,
    /// What is between each node and Redis, if anything.
    pub proxies: Vec<Proxy>,
    /// Everything that any node reported.
    pub ledger: Ledger,
    /// Compares.
    pub checker: Checker,
    /// The server, unless Redis is somewhere else.
    redis: Option<RedisServer>,
    plan: Plan,
    urls: Vec<String>,
    servers: Servers,
    program: PathBuf,
    /// With the logs of the nodes; it stays when `CHAOS_KEEP_LOGS` is set.
    folder: TempDir,
    _turn: Turn,
}

impl Fixture {
    /// Waits for its turn, starts everything, lets the clients come and join, and waits until all agree.
    ///
    /// `program` is the node's, which only a test of this package knows.
    ///
    /// # Panics
    /// When anything does not start.
    pub async fn set(program: &str, plan: Plan) -> Self {
        let turn = Turn::wait().await;
        let begin = Instant::now();
        let redis = if plan.urls.is_none() { Some(RedisServer::start_with(plan.redis.clone()).await) } else { None };
        let urls = match (&plan.urls, &redis) {
            (None, Some(redis)) => vec![redis.url()],
            (urls, _) => urls.clone().unwrap_or_default(),
        };
        let checker = RedisState::connect(&RedisConfig::nodes(urls.clone()).timeout(Duration::from_secs(5))).await;
        let checker = Checker::new(Box::new(checker.unwrap_or_else(|error| panic!("the checker: {error}"))));
        let mut folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        if std::env::var_os("CHAOS_KEEP_LOGS").is_some() {
            folder.disable_cleanup(true);
            println!("logs are in {}", folder.path().display());
        }
        let mut fixture = Self {
            crowd: Crowd::default(),
            nodes: Vec::new(),
            proxies: Vec::new(),
            ledger: Ledger::default(),
            checker,
            redis,
            plan,
            urls,
            servers: Servers::default(),
            program: Path::new(program).to_owned(),
            folder,
            _turn: turn,
        };
        for index in 0..NODES {
            if fixture.plan.proxied {
                let proxy = Proxy::to(fixture.redis().address()).await;
                fixture.proxies.push(proxy);
            }
            fixture.nodes.push(None);
            fixture.start_node(index).await;
        }
        let Plan { clients, comeback, node_of, .. } = fixture.plan;
        fixture.crowd = Crowd::come(clients, &fixture.servers, node_of, comeback, rooms_of).await;
        fixture.converged(Instant::now(), Duration::from_secs(10)).await;
        println!("fixture set in {:.1?}", begin.elapsed());
        fixture
    }

    /// The server.
    ///
    /// # Panics
    /// When Redis is somewhere else.
    #[must_use]
    pub fn redis(&self) -> &RedisServer {
        self.redis.as_ref().unwrap_or_else(|| panic!("this fixture has no server of its own"))
    }

    /// The server, to be killed and started again.
    ///
    /// # Panics
    /// When Redis is somewhere else.
    pub fn redis_mut(&mut self) -> &mut RedisServer {
        self.redis.as_mut().unwrap_or_else(|| panic!("this fixture has no server of its own"))
    }

    /// A node that runs.
    ///
    /// # Panics
    /// When it was killed.
    #[must_use]
    pub fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().unwrap_or_else(|| panic!("node {index} was killed"))
    }

    /// The nodes that run.
    #[must_use]
    pub fn alive(&self) -> Vec<&Node> {
        self.nodes.iter().flatten().collect()
    }

    /// Starts the node of this number, again under the same name if it was killed.
    pub async fn start_node(&mut self, index: usize) {
        let mut variables = self.plan.variables.clone();
        if index == NODES - 1 {
            variables.extend(self.plan.variables_of_last.clone());
        }
        let settings = NodeSettings {
            name: node_name(index),
            urls: self.proxies.get(index).map_or_else(|| self.urls.clone(), |proxy| vec![proxy.url()]),
            variables,
            open_files: self.plan.open_files_of_last.filter(|_| index == NODES - 1),
        };
        let node = Node::start(&self.program, self.folder.path(), &self.ledger, &settings).await;
        self.servers.set(index, Some(node.address()));
        self.nodes[index] = Some(node);
    }

    /// Kills nodes, all at the same moment; when this returns they are gone and the ledger has all they told.
    pub async fn kill_nodes(&mut self, indices: &[usize]) -> Instant {
        let killed: Vec<Node> = indices.iter().filter_map(|index| self.nodes[*index].take()).collect();
        let at = Instant::now();
        killed.iter().for_each(Node::kill_at_once);
        indices.iter().for_each(|index| self.servers.set(*index, None));
        for node in &killed {
            node.kill().await;
        }
        at
    }

    /// Stops nodes in good order, all at the same time; when this returns they are gone and the ledger has all they
    /// told.
    pub async fn stop_nodes(&mut self, indices: &[usize]) -> Vec<Node> {
        let stopped: Vec<Node> = indices.iter().filter_map(|index| self.nodes[*index].take()).collect();
        indices.iter().for_each(|index| self.servers.set(*index, None));
        join_all(stopped.iter().map(Node::stop)).await;
        stopped
    }

    /// One more client, at the node of this number.
    pub async fn newcomer(&self, node: usize) -> Client {
        Client::connect(self.servers.clone(), node, Comeback::Never).await
    }

    /// Whether a client can be let in by the node of this number.
    ///
    /// # Errors
    /// What the client is told when not.
    pub async fn try_newcomer(&self, node: usize) -> Result<Client, String> {
        Client::try_connect(self.servers.clone(), node, Comeback::Never).await
    }

    /// Waits until all running nodes agree. Returns the time since `begin`.
    ///
    /// # Panics
    /// When they do not within that time.
    pub async fn converged(&self, begin: Instant, within: Duration) -> Duration {
        self.checker.converged(begin, within, &self.alive(), &self.crowd, &names()).await
    }

    /// What differs right now between the store, the nodes and the clients, for people.
    pub async fn differences(&self) -> Option<String> {
        self.checker.differences(&self.alive(), &self.crowd, &names()).await
    }

    /// That the events from a number on are just those that lead from the memberships of `before` to those of now.
    ///
    /// # Panics
    /// With what is wrong.
    pub fn assert_ledger(&self, from: usize, before: &BTreeSet<(String, String)>) {
        let faults = self.ledger.faults(from, before, &self.crowd.memberships());
        assert!(
            faults.is_empty(),
            "{} faults in the ledger:\n  {}",
            faults.len(),
            faults[..faults.len().min(12)].join("\n  ")
        );
    }

    /// That messages flow: each node sends one to each room with members, and each client hears just those of its
    /// rooms.
    ///
    /// # Panics
    /// If one is missing after `within`, comes twice, or reaches another client.
    pub async fn assert_messages_flow(&self, within: Duration) {
        let begin = Instant::now();
        self.crowd.forget();
        let number = next_number();
        let rooms: BTreeSet<String> = self.crowd.memberships().into_iter().map(|(room, _)| room).collect();
        let rooms: Vec<String> = rooms.into_iter().collect();
        for node in self.alive() {
            let failed = node.broadcast(&rooms, "probe", number).await.failed;
            assert!(failed.is_empty(), "{} cannot send: {failed:?}{}", node.name(), node.log_tail());
        }
        let senders: BTreeSet<String> = self.alive().iter().map(|node| node.name().to_owned()).collect();
        let missing = || self.missing_probes(number, &senders);
        let deadline = begin + within;
        loop {
            let missing = missing();
            if missing.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                let logs: String = self.alive().iter().map(|node| node.log_tail()).collect();
                panic!(
                    "{} messages are missing after {within:?}:\n  {}{logs}",
                    missing.len(),
                    missing[..missing.len().min(12)].join("\n  ")
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The probes that clients have not heard.
    ///
    /// # Panics
    /// When one heard something twice, or that it should not.
    fn missing_probes(&self, number: u64, senders: &BTreeSet<String>) -> Vec<String> {
        let mut missing = Vec::new();
        for client in self.crowd.iter() {
            let belief = client.belief();
            let Some(id) = &belief.id else { continue };
            let mut heard = BTreeMap::<(&str, &str), usize>::new();
            for message in
                belief.heard.iter().filter(|message| message.event == "probe" && message.said.number == number)
            {
                *heard.entry((&message.said.room, &message.said.from)).or_default() += 1;
            }
            for ((room, from), times) in &heard {
                assert!(*times == 1, "{id} heard the message of {from} to {room} {times} times");
                assert!(belief.rooms.contains(*room), "{id} heard a message to {room} and is not in it");
            }
            for room in &belief.rooms {
                for from in senders {
                    if !heard.contains_key(&(room.as_str(), from.as_str())) {
                        missing.push(format!("{id} at {}: that of {from} to {room}", node_name(belief.server)));
                    }
                }
            }
        }
        missing
    }

    /// Waits until a message of one node reaches a client of another; how long it took since `begin`.
    ///
    /// # Panics
    /// When none does within that time.
    pub async fn remote_messages_flow(&self, begin: Instant, within: Duration) -> Duration {
        let nodes = self.alive();
        for (index, from) in nodes.iter().enumerate() {
            let to = (index + 1) % nodes.len();
            let listener = self.crowd.iter().find(|client| {
                let belief = client.belief();
                belief.id.is_some() && node_name(belief.server) == nodes[to].name()
            });
            let listener = listener.unwrap_or_else(|| panic!("nobody is at {}", nodes[to].name()));
            let Some(room) = listener.belief().rooms.first().cloned() else { panic!("a client without rooms") };
            let what = format!("a message of {} reaches {}", from.name(), nodes[to].name());
            eventually(&what, within.saturating_sub(begin.elapsed()), async || {
                let number = next_number();
                from.broadcast(std::slice::from_ref(&room), "ping", number).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                listener.belief().heard.iter().any(|message| message.said.number == number).then_some(())
            })
            .await;
        }
        begin.elapsed()
    }
}

/// The rooms of a client's number.
fn rooms_of(client: usize) -> Vec<String> {
    (0..ROOMS_EACH).map(|nth| room_name((client + nth * (client / ROOMS + 11)) % ROOMS)).collect()
}

/// The names of all rooms.
#[must_use]
pub fn rooms() -> Vec<String> {
    (0..ROOMS).map(room_name).collect()
}

fn room_name(index: usize) -> String {
    format!("room-{index}")
}

fn node_name(index: usize) -> String {
    format!("node-{index}")
}

/// The names of all nodes, by number.
fn names() -> Vec<String> {
    (0..NODES).map(node_name).collect()
}
