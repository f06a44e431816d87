//! Three nodes on a part of one Redis, with clients that stay, clients that come and go, and one node that can be cut
//! off.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_chaos::{Checker, View};
use roomwire_core::{
    ClientId, Namespace, NewRoom, NodeId, Page, PageRequest, StateError, Timestamp, TokenId, UserId, config::Limits,
};
use roomwire_service::{
    Gateway, Handshake, Identity, Metadata, ServiceEvent, WebSocketConfig, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tokio::{runtime::Runtime, sync::RwLock, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::damage;

pub(crate) const LEASE: Duration = Duration::from_secs(2);
pub(crate) const RECONCILE: Duration = Duration::from_secs(1);
const CLIENTS_EACH: usize = 5;
const USERS: usize = 4;

type Events = Arc<Mutex<Vec<ServiceEvent>>>;

pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) server: TestServer,
    pub(crate) clients: Vec<TestClient>,
    events: Events,
}

pub(crate) struct Scene {
    pub(crate) prefix: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) mortal: Option<(Node, Runtime)>,
    pub(crate) checker: Checker,
    /// Held by all that changes anything, for as long as it does.
    quiet: Arc<RwLock<()>>,
    load: Vec<AbortOnDropHandle<()>>,
    pub(crate) visits: Arc<AtomicUsize>,
    /// What nodes said that are gone.
    told: Vec<Events>,
}

async fn state(url: &str, name: &str) -> RedisState {
    let config = RedisConfig::new(url).prefix(name).timeout(Duration::from_secs(5));
    RedisState::connect(&config).await.expect("connects")
}

async fn node(url: String, prefix: String, name: &'static str) -> Node {
    let mut config = WebSocketConfig {
        node_id: Some(NodeId::new(name).expect("valid")),
        limits: Limits::default().without_rates(),
        ..WebSocketConfig::default()
    };
    config.lease.duration = LEASE;
    config.lease.heartbeat = Duration::from_millis(200);
    config.lease.reconcile = RECONCILE;
    config.state.timeout = Duration::from_secs(5);
    let service = WebSocketService::builder(config).state(state(&url, &prefix).await).build().await.expect("builds");
    let events = Events::default();
    let (book, mut stream) = (events.clone(), service.events());
    tokio::spawn(async move {
        while let Some(event) = stream.next().await {
            book.lock().push(event);
        }
    });
    let server = TestServer::new(service, Gateway::new()).expect("serves");
    let mut clients = Vec::new();
    for number in 0..CLIENTS_EACH {
        let client = connect(&server, &format!("{name}-{number}"), number).await.expect("connects");
        let own = format!("room-{number}");
        for room in ["hall", "club", &own].into_iter().take(1 + number % 3) {
            server.service().join_room(client.handle(), room).await.expect("joins");
        }
        clients.push(client);
    }
    Node { name, server, clients, events }
}

pub(crate) async fn connect(
    server: &TestServer,
    id: &str,
    number: usize,
) -> Result<TestClient, roomwire_service::Error> {
    let identity = Identity::of(UserId::new(format!("user-{}", number % USERS)).expect("valid"));
    let mut handshake = Handshake::identified(ClientId::new(id).expect("valid"), identity);
    handshake.metadata = Metadata::from_iter([("number".to_owned(), number.into())]);
    server.connect_with(&Namespace::root(), handshake).await
}

impl Scene {
    pub(crate) async fn set(redis: &RedisServer, name: &str) -> Self {
        let own =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (url, prefix) = (redis.url(), name.to_owned());
        let rooms = node(url.clone(), prefix.clone(), "a").await;
        let service = rooms.server.service();
        service.create_room("empty", NewRoom::with_capacity(3).named("Empty")).await.expect("creates");
        service.close_room("closed").await.expect("closes");
        service.set_room_capacity("club", Some(1000)).await.expect("changes");
        service.create_room("deleted", NewRoom::default()).await.expect("creates");
        service.delete_room("deleted").await.expect("deletes");
        let until = Timestamp::now().plus(Duration::from_secs(3600));
        for number in 0..3 {
            service
                .revoke_token(&TokenId::new(format!("token-{number}")).expect("valid"), until)
                .await
                .expect("revokes");
        }
        let nodes = vec![rooms, node(url.clone(), prefix.clone(), "b").await];
        let mortal = own.spawn(node(url.clone(), prefix.clone(), "c")).await.expect("no panic");
        let mut scene = Self {
            prefix: format!("{{{prefix}:0}}"),
            nodes,
            mortal: Some((mortal, own)),
            checker: Checker::new(Box::new(state(&url, &prefix).await)),
            quiet: Arc::default(),
            load: Vec::new(),
            visits: Arc::default(),
            told: Vec::new(),
        };
        scene.load = scene.nodes.iter().map(|node| scene.visit(node.server.clone(), node.name)).collect();
        scene
    }

    /// Clients that come, join, hear a message and go, one after the other. What the damage refuses is refused.
    fn visit(&self, server: TestServer, name: &'static str) -> AbortOnDropHandle<()> {
        let (quiet, visits) = (self.quiet.clone(), self.visits.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            for number in 0.. {
                sleep(Duration::from_millis(20)).await;
                let _changes = quiet.read().await;
                let id = format!("visitor-{name}-{number}");
                let Ok(client) = connect(&server, &id, number).await else { continue };
                let (service, room) = (server.service(), format!("visited-{}", number % 5));
                let joined = service.join_room(client.handle(), &room).await.is_ok();
                let _ = service.join_room(client.handle(), "hall").await;
                if number % 3 == 0 {
                    let _ = service.leave_room(client.handle(), &room).await;
                }
                let handle = client.handle().clone();
                drop(client);
                while service.local_client(handle.id()).is_some() {
                    sleep(Duration::from_millis(1)).await;
                }
                visits.fetch_add(usize::from(joined), Ordering::Relaxed);
            }
        }))
    }

    /// Cuts the mortal node off for good, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        let (node, own) = self.mortal.take().expect("is alive");
        tokio::task::spawn_blocking(move || drop(own)).await.expect("ends");
        self.told.push(node.events.clone());
        // Its clients learn nothing of it.
        drop(node);
    }

    fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain(self.mortal.iter().map(|(node, _)| node))
    }

    /// What differs between what nodes and the store hold, while no client comes or goes; nothing when all agree.
    pub(crate) async fn differences(&self) -> Option<String> {
        let _quiet = self.quiet.write().await;
        match self.compare().await {
            Ok(differences) => differences,
            Err(error) => Some(error.to_string()),
        }
    }

    async fn compare(&self) -> Result<Option<String>, StateError> {
        let (mut held, mut users, mut counts) = (View::default(), BTreeMap::<_, BTreeSet<_>>::new(), BTreeMap::new());
        for node in self.living() {
            let (mut clients, mut memberships) = (0, 0);
            for client in &node.clients {
                assert!(client.handle().is_connected(), "{} was disconnected", client.id());
                let rooms: BTreeSet<String> = client.handle().rooms().iter().map(ToString::to_string).collect();
                (clients, memberships) = (clients + 1, memberships + rooms.len() as u64);
                held.add(client.id(), node.name, rooms);
                users
                    .entry(client.handle().user().expect("has one").clone())
                    .or_default()
                    .insert(client.id().to_string());
            }
            counts.insert(node.name.to_owned(), (clients, memberships));
        }
        let stored = self.checker.stored().await?;
        if let Some(told) = stored.differences("the store", &held, "the nodes") {
            return Ok(Some(told));
        }
        let store = self.checker.store();
        let nodes =
            store.nodes().await?.into_iter().map(|node| (node.node.to_string(), (node.clients, node.memberships)));
        let nodes = BTreeMap::from_iter(nodes);
        if nodes != counts {
            return Ok(Some(format!("nodes are listed as {nodes:?} instead of {counts:?}")));
        }
        for number in 0..USERS {
            let user = UserId::new(format!("user-{number}")).expect("valid");
            let listed = store.user_clients(&Namespace::root(), &user, &PageRequest::first(1000)).await?.items;
            let listed: BTreeSet<_> = listed.into_iter().map(|client| client.id.to_string()).collect();
            let count = store.user_client_count(&Namespace::root(), &user).await?;
            let here = users.remove(&user).unwrap_or_default();
            if listed != here || count != here.len() as u64 {
                return Ok(Some(format!("{count} clients of {user}, {listed:?} instead of {here:?}")));
            }
        }
        let Page { items, .. } = store.revocations(&PageRequest::first(1000)).await?;
        Ok((items.len() != 3).then(|| format!("{} revocations instead of 3", items.len())))
    }

    /// The rooms with their settings, as far as these tests set them.
    pub(crate) async fn settings(&self) -> BTreeMap<String, (Option<u32>, bool)> {
        let _quiet = self.quiet.write().await;
        let rooms = self.checker.store().rooms(&Namespace::root(), &PageRequest::first(1000)).await.expect("reads");
        let rooms = rooms.items.into_iter().filter(|room| ["empty", "closed", "club"].contains(&room.id.as_str()));
        rooms.map(|room| (room.id.to_string(), (room.capacity, room.closed))).collect()
    }

    /// What is wrong with the events: each `Joined` has one `Left` unless it still holds.
    pub(crate) async fn faults(&self) -> Vec<String> {
        let _quiet = self.quiet.write().await;
        let mut balance: BTreeMap<(String, String), i64> = BTreeMap::new();
        for client in self.living().flat_map(|node| &node.clients) {
            for room in client.handle().rooms() {
                *balance.entry((room.to_string(), client.id().to_string())).or_default() -= 1;
            }
        }
        let books = self.living().map(|node| &node.events).chain(&self.told);
        for event in books.flat_map(|book| book.lock().clone()) {
            match event {
                ServiceEvent::Joined { room, client } => {
                    *balance.entry((room.room.to_string(), client.to_string())).or_default() += 1;
                }
                ServiceEvent::Left { room, client, .. } if !damage::MADE_UP.contains(&client.as_str()) => {
                    *balance.entry((room.room.to_string(), client.to_string())).or_default() -= 1;
                }
                ServiceEvent::Missed { events } => panic!("{events} events were missed"),
                _ => {}
            }
        }
        let wrong = balance.into_iter().filter(|(_, balance)| *balance != 0);
        wrong.map(|((room, client), balance)| format!("{client} in {room}: {balance}")).collect()
    }

    /// Stops everything in good order; the names of the keys that are left.
    pub(crate) async fn end(mut self, redis: &RedisServer) -> Vec<String> {
        self.load.clear();
        for node in &self.nodes {
            node.server.service().shutdown().await;
        }
        let keys: Vec<String> = redis.ask(&["KEYS", &format!("{}*", self.prefix)]).await;
        keys.into_iter().map(|key| key[self.prefix.len()..].to_owned()).collect()
    }
}
