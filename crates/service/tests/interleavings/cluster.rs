//! The nodes and clients of an episode.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{
    ClientId, ClientKey, DisconnectReason, ErrorCode, Identity, Namespace, Payload, Timestamp, UserId,
};
use roomwire_service::Handshake;
use tokio::time::sleep;

use crate::{
    backend::Backend,
    calls::Calls,
    connections::{Connection, Transport},
    node::{Node, Phase, RuntimeClock},
    profile::Profile,
    random::Random,
};

/// The nodes of an episode on one shared state, and the connections of clients.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) profile: Profile,
    pub(crate) random: Random,
    pub(crate) calls: Calls,
    pub(crate) clock: Arc<RuntimeClock>,
    backend: Backend,
    nodes: Mutex<Vec<Arc<Node>>>,
    /// Nodes that were replaced in this round.
    former: Mutex<Vec<Arc<Node>>>,
    /// Connections of this round, open and closed.
    connections: Mutex<Vec<Arc<Connection>>>,
    numbers: AtomicU64,
}

/// The user of a client.
pub(crate) fn user_of(device: usize) -> Option<UserId> {
    match device % 3 {
        0 | 1 => Some(UserId::new("ada").expect("valid")),
        _ => None,
    }
}

pub(crate) fn id_of(device: usize) -> ClientId {
    ClientId::new(format!("client-{device}")).expect("valid")
}

impl Cluster {
    pub(crate) async fn start(profile: Profile, random: Random) -> Arc<Self> {
        let calls = Calls::new(random.clone());
        let (clock, backend) = if profile.redis {
            (RuntimeClock::start(Timestamp::now()), Backend::redis().await)
        } else {
            let clock = RuntimeClock::start(Timestamp::from_millis(1_767_225_600_000));
            let backend = Backend::memory(&clock);
            (clock, backend)
        };
        let cluster = Arc::new(Self {
            profile,
            random,
            calls,
            backend,
            clock,
            nodes: Mutex::default(),
            former: Mutex::default(),
            connections: Mutex::default(),
            numbers: AtomicU64::new(0),
        });
        for place in 0..profile.nodes {
            let node = cluster.start_node(place).await;
            cluster.nodes.lock().push(node);
        }
        cluster
    }

    async fn start_node(&self, place: usize) -> Arc<Node> {
        let shared = (self.random.clone(), self.calls.clone(), self.clock.clone());
        let node = Node::start(place, self.number(), self.profile.config(), self.backend.ports().await, shared).await;
        node.store.lose_calls(self.profile.lost_calls);
        node.bus.lose_calls(self.profile.lost_calls);
        node
    }

    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// All nodes, by place.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        self.nodes.lock().clone()
    }

    /// The running nodes.
    pub(crate) fn running(&self) -> Vec<Arc<Node>> {
        let mut nodes = self.nodes();
        nodes.retain(|node| node.phase() == Phase::Running);
        nodes
    }

    /// A running node.
    pub(crate) fn any_node(&self) -> Arc<Node> {
        self.random.pick(&self.running()).clone()
    }

    /// The nodes that were replaced in this round.
    pub(crate) fn former(&self) -> Vec<Arc<Node>> {
        self.former.lock().clone()
    }

    /// Replaces a node by a new one with the same name.
    pub(crate) async fn restart(&self, gone: &Arc<Node>) {
        gone.set_phase(Phase::Gone);
        let next = self.start_node(gone.place).await;
        let former = std::mem::replace(&mut self.nodes.lock()[gone.place], next);
        self.former.lock().push(former);
    }

    /// Deletes all data of the store. The backplane is not affected.
    pub(crate) async fn forget_everything(&self) {
        let nodes = self.nodes();
        for (node, store) in nodes.iter().zip(self.backend.forget(&self.clock, nodes.len()).await) {
            node.store.replace(store);
        }
    }

    /// Connects a client. Returns none when the node refuses it, or when `may_go` let it give up first.
    pub(crate) async fn connect(
        &self,
        node: &Arc<Node>,
        device: usize,
        identity: Identity,
        may_go: bool,
    ) -> Option<Arc<Connection>> {
        let number = self.number();
        let handshake = Handshake::identified(id_of(device), identity);
        let handshake = Handshake { auth: Payload::encode(&number).expect("a number"), ..handshake };
        self.random.note(|| format!("{number} {} connects to {}", id_of(device), node.place));
        let namespace = Namespace::root();
        let transport = Arc::new(Transport::default());
        let admission = node.dispatcher.admit(&namespace, handshake, transport.clone());
        let admitted = if may_go { self.abandon(admission).await? } else { admission.await };
        let session = match admitted {
            Ok(session) => session,
            Err(error) => {
                self.random.note(|| format!("{number} is refused: {error}"));
                let is_expected = match error.code() {
                    ErrorCode::ShuttingDown => node.phase() != Phase::Running,
                    ErrorCode::StateUnavailable => self.profile.loses_leases() || node.phase() == Phase::Gone,
                    ErrorCode::Unauthorized => true,
                    _ => false,
                };
                assert!(is_expected, "{number} at {}: {error}", node.place);
                return None;
            }
        };
        let registered = node.store.registered_at(&ClientKey::new(Namespace::root(), id_of(device)));
        let node_is = (node.place, node.number);
        let connection = Connection::new(number, node_is, (session, transport), registered, self.random.clone());
        self.connections.lock().push(connection.clone());
        node.connections.add(&connection);
        if node.store.is_severed() {
            // The process was killed before it could send CONNECT.
            node.connections.end(&connection, DisconnectReason::ConnectionLost);
        }
        self.random.yield_randomly("connected").await;
        Some(connection)
    }

    /// Waits until the store does not know the client.
    pub(crate) async fn is_gone(&self, device: usize) {
        let key = ClientKey::new(Namespace::root(), id_of(device));
        let store = self.nodes()[0].store.inner();
        for _ in 0..20_000 {
            if store.locate(&key).await.expect("answers").is_none() {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("{key:?} does not go");
    }

    /// Polls a future for a random number of yields, then drops it.
    pub(crate) async fn abandon<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = self.random.yield_randomly("abandon") => None,
        }
    }

    /// The connections of this round, open and closed.
    pub(crate) fn connections(&self) -> Vec<Arc<Connection>> {
        self.connections.lock().clone()
    }

    /// Begins the next round: forgets closed connections and replaced nodes.
    pub(crate) fn forget_former(&self) {
        self.former.lock().clear();
        self.connections.lock().retain(|connection| connection.closed().is_none());
    }
}
