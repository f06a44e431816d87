//! Two nodes on a real Redis, as a user with the rights that the documentation names, or fewer.

use std::time::Duration;

use roomwire_core::{ClientId, Identity, Incarnation, Metadata, Namespace, NewClient, NodeId, StateStore, TokenId};
use roomwire_service::{
    Error, ErrorCode, Gateway, Handshake, NewRoom, PageRequest, Refused, ServiceEvent, ServiceEvents, Timestamp,
    UserId, WebSocketConfig, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::log::Log;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns when the condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    roomwire_chaos::eventually(what, PATIENCE, async || holds().await.then_some(())).await;
}

/// The words of the documented `ACL SETUSER` after the user's name.
pub(crate) fn documented_rules() -> Vec<String> {
    let page = include_str!("../../../docs/scaling.md");
    let line = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER chat ")).expect("is documented");
    line.split(' ').map(str::to_owned).collect()
}

pub(crate) async fn set_user(server: &RedisServer, rules: &[&str]) {
    let words: Vec<&str> = ["ACL", "SETUSER", "chat"].into_iter().chain(rules.iter().copied()).collect();
    server.ask::<()>(&words).await;
}

/// Two nodes; the log is that of both.
pub(crate) struct Fixture {
    pub(crate) server: TestServer,
    pub(crate) service: WebSocketService,
    other: TestServer,
    events: [Mutex<ServiceEvents>; 2],
    log: Log,
    /// In the room `r`.
    member: TestClient,
    remote: TestClient,
    redis: RedisConfig,
}

fn user() -> UserId {
    UserId::new("ada").expect("valid")
}

async fn connect(server: &TestServer, id: &str) -> Result<TestClient, Error> {
    let identity = Identity::of(user());
    let handshake = Handshake::identified(ClientId::new(id).expect("valid"), identity);
    server.connect_with(&Namespace::root(), handshake).await
}

impl Fixture {
    pub(crate) async fn on(server: &RedisServer) -> Self {
        server.flush_all().await;
        let rules = documented_rules();
        set_user(server, &["reset"]).await;
        set_user(server, &rules.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let redis = RedisConfig::new(server.url());
        let signed_in = redis.clone().username("chat").password("secret");
        let log = Log::capture();
        let node = async || {
            let mut config = WebSocketConfig::default();
            config.lease.heartbeat = Duration::from_millis(200);
            config.lease.reconcile = Duration::from_secs(1);
            config.limits = config.limits.without_rates();
            let state = RedisState::connect(&signed_in).await.expect("connects");
            let service = WebSocketService::builder(config).state(state).build().await.expect("builds");
            TestServer::new(service, Gateway::new()).expect("mounts")
        };
        let (first, other) = (node().await, node().await);
        let service = first.service().clone();
        let events = [&service, other.service()].map(|service| Mutex::new(service.events()));
        let member = connect(&first, "member").await.expect("connects");
        let remote = connect(&other, "remote").await.expect("connects");
        service.join_room(member.handle(), "r").await.expect("joins");
        other.service().join_room(remote.handle(), "r").await.expect("joins");
        assert!(service.health().is_healthy());
        let lines = log.take_lines();
        assert!(lines.iter().all(|line| line.starts_with("INFO ")), "{lines:?}");
        Self { server: first, service, other, events, log, member, remote, redis }
    }

    /// One more client at this node.
    pub(crate) async fn newcomer(&self, id: &str) -> TestClient {
        connect(&self.server, id).await.expect("connects")
    }

    /// Everything that an application may ask for; what failed, with its code.
    pub(crate) async fn everything(&self) -> Vec<(&'static str, ErrorCode)> {
        let (service, member) = (&self.service, self.member.handle());
        let page = PageRequest::first(10);
        let mut failed = Vec::new();
        let mut note =
            |what, outcome: Result<(), Error>| failed.extend(outcome.err().map(|error| (what, error.code())));
        note("connect", connect(&self.server, "new").await.map(|client| client.disconnect()));
        note("join", service.join_room(member, "new").await);
        note("leave", service.leave_room(member, "new").await);
        note("notes", service.set_client_metadata(member, Metadata::new()).await);
        note("create", service.create_room("made", NewRoom::default()).await.map(drop));
        note("close", service.close_room("made").await.map(drop));
        note("delete", service.delete_room("made").await);
        note("room", service.room("r").await.map(drop));
        note("rooms", service.rooms(&page).await.map(drop));
        note("room count", service.room_count().await.map(drop));
        note("members", service.members("r", &page).await.map(drop));
        note("member count", service.member_count("r").await.map(drop));
        note("client", service.client(self.remote.id()).await.map(drop));
        note("clients", service.clients(&page).await.map(drop));
        note("client count", service.client_count().await.map(drop));
        note("sessions", service.user_sessions(&user(), &page).await.map(drop));
        note("session count", service.user_session_count(&user()).await.map(drop));
        note("nodes", service.nodes().await.map(drop));
        note("to room", service.broadcast_to_room("r", "news", &1).await);
        note("to all", service.broadcast("news", &2).await);
        note("to client", service.send_to_client(self.remote.id(), "news", &3).await);
        let token = TokenId::new("t").expect("valid");
        note("revoke", service.revoke_token(&token, Timestamp::now().plus(Duration::from_secs(60))).await);
        self.other.service().set_client_metadata(self.remote.handle(), Metadata::new()).await.ok();
        failed
    }

    /// Waits until a message of the other node reaches the member here.
    pub(crate) async fn messages_cross(&self) {
        let mut member = None;
        eventually("a client connects", async || {
            member = connect(&self.server, "listener").await.ok();
            member.is_some()
        })
        .await;
        let mut member = member.expect("connects");
        eventually("a message of the other node arrives", async || {
            // A node that is still refused sends nothing yet.
            let _ = self.other.service().broadcast("crossing", &1).await;
            sleep(Duration::from_millis(50)).await;
            member.drain().iter().any(|received| &*received.name == "crossing")
        })
        .await;
    }

    /// Stops both nodes, so that nothing of them is logged later.
    pub(crate) async fn end(self, server: &RedisServer) {
        set_user(server, &["+@all", "~*", "&*"]).await;
        server.flush_all().await;
        let Self { service, other, log, .. } = self;
        service.shutdown().await;
        other.service().shutdown().await;
        drop(log);
    }

    /// The state of a third node, by a user with all rights.
    pub(crate) async fn another_state(&self) -> RedisState {
        RedisState::connect(&self.redis).await.expect("connects")
    }

    /// Leaves something that this node must clean up.
    pub(crate) async fn lose(&self, state: RedisState) {
        let incarnation = Incarnation::begin(NodeId::random());
        state.begin_lease(&incarnation, Duration::from_millis(100)).await.expect("begins");
        let key = roomwire_core::ClientKey::new(Namespace::root(), ClientId::new("lost").expect("valid"));
        let new = NewClient { key, user: None, metadata: Metadata::new(), connected_at: Timestamp::now() };
        state.connect(&incarnation, &new).await.expect("connects");
        sleep(Duration::from_millis(600)).await;
    }

    /// Waits for a warning with these words; the lines until then.
    pub(crate) async fn is_logged(&self, words: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        eventually(&format!("a warning with {words:?}"), async || {
            lines.extend(self.log.take_lines());
            lines.iter().any(|line| line.starts_with("WARN") && words.iter().all(|word| line.contains(word)))
        })
        .await;
        lines
    }

    /// Checks that what was refused shows everywhere, with these words in the log; what health says.
    pub(crate) async fn is_told(&self, words: &str) -> Refused {
        let mut lines = Vec::new();
        eventually(&format!("a warning with {words}"), async || {
            lines.extend(self.log.take_lines());
            lines.iter().any(|line| line.starts_with("WARN") && line.to_uppercase().contains(&words.to_uppercase()))
        })
        .await;
        // A clean-up is refused to one of the two nodes only.
        let refused = || {
            let mut services = [&self.service, self.other.service()].into_iter().enumerate();
            services.find(|(_, service)| service.health().refused.is_some())
        };
        eventually("health says it", async || refused().is_some()).await;
        let (node, service) = refused().expect("was there");
        assert!(!service.health().is_healthy());
        let told = timeout(PATIENCE, async {
            let mut events = self.events[node].lock().await;
            while !matches!(events.next().await, Some(ServiceEvent::StateRefused { .. })) {}
        });
        told.await.expect("an event");
        // Each node warns at most once of each kind.
        let warnings = lines.iter().filter(|line| line.contains("refused an operation"));
        let mut kinds = std::collections::HashMap::<String, usize>::new();
        for line in warnings {
            let what = line.split("what=").nth(1).and_then(|rest| rest.split(" error=").next()).unwrap_or_default();
            let code = line.split("error=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            *kinds.entry(format!("{what} {code}")).or_default() += 1;
        }
        assert!(kinds.values().all(|count| *count <= 2), "{kinds:?}");
        service.health().refused.expect("was there")
    }
}
