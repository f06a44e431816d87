//! Keys that the service reads while it runs take effect when the configuration is reloaded; the other keys stay.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use roomwire_core::{
    ApplyReload, TokenId,
    config::{Auth, LogLevel},
};
use roomwire_service::{
    Authenticator, ConnectRequest, Error, ErrorCode, FollowTarget, Gateway, Identity, ReloadError, Reloadable,
    Timestamp, UserId, WebSocketConfig, WebSocketService, testing::TestServer,
};
use roomwire_state_memory::{ManualClock, MemoryState};
use tokio::time::{Instant, sleep};

use crate::fixture::{Log, WatchedBus, WatchedStore, config};

async fn hang() -> Result<(), Error> {
    std::future::pending().await
}

/// Changes one key, which is applied.
async fn change(service: &WebSocketService, key: &str, set: impl FnOnce(&mut WebSocketConfig)) {
    let mut new = (*service.config()).clone();
    set(&mut new);
    let reload = service.reload(new).await.expect("reloads");
    assert_eq!((reload.applied, reload.needs_restart), (vec![key], vec![]));
}

async fn server(config: WebSocketConfig) -> TestServer {
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    TestServer::new(service, Gateway::new().on("hang", hang)).expect("mounts")
}

/// Says nothing for ten seconds, or that every client is ada, whose token is old.
#[derive(Debug)]
struct Slow(Duration);

#[async_trait]
impl Authenticator for Slow {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        sleep(self.0).await;
        Ok(Identity {
            token: Some(TokenId::new("t1")?),
            issued_at: Some(Timestamp::from_millis(1)),
            ..Identity::of(UserId::new("ada")?)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_for_the_authenticator() {
    let builder = WebSocketService::builder(config()).state(MemoryState::new());
    let service = builder.authenticator(Slow(Duration::from_secs(10))).build().await.expect("builds");
    let server = TestServer::new(service, Gateway::new()).expect("mounts");
    assert_eq!(server.connect().await.expect_err("too slow").code(), ErrorCode::Timeout);
    change(server.service(), "auth.timeout", |config| config.auth.timeout = Duration::from_secs(20)).await;
    server.connect().await.expect("in time");
}

#[tokio::test(start_paused = true)]
async fn how_long_revocations_are_remembered() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let builder = WebSocketService::builder(config()).state(MemoryState::new()).clock(clock.clone());
    let service = builder.authenticator(Slow(Duration::ZERO)).build().await.expect("builds");
    let server = TestServer::new(service.clone(), Gateway::new()).expect("mounts");
    change(&service, "auth.revocation", |config| config.auth.revocation = Duration::from_secs(2)).await;
    service.revoke_user(&UserId::new("ada").expect("valid")).await.expect("revokes");
    server.connect().await.expect_err("revoked");
    clock.advance(Duration::from_secs(5));
    sleep(Duration::from_secs(5)).await;
    server.connect().await.expect("the revocation is over, long before a day");
}

#[tokio::test(start_paused = true)]
async fn how_long_an_outage_leaves_a_node_ready() {
    let state = Arc::new(MemoryState::new());
    let (store, bus) = (WatchedStore::new(state.clone()), WatchedBus::new(state));
    let builder = WebSocketService::builder(WebSocketConfig::default()).state_and_backplane(store.clone(), bus);
    let service = builder.build().await.expect("builds");
    store.go_down();
    sleep(Duration::from_secs(20)).await;
    assert!(service.readiness().ready);
    change(&service, "health.outageLimit", |config| config.health.outage_limit = Duration::from_secs(5)).await;
    assert!(!service.readiness().ready);
}

#[tokio::test(start_paused = true)]
async fn how_long_a_shutdown_waits_for_handlers() {
    let mut config = config();
    config.drain.timeout = Duration::from_secs(3600);
    let server = server(config).await;
    let client = server.connect().await.expect("connects");
    client.emit("hang", &());
    sleep(Duration::from_millis(1)).await;
    change(server.service(), "drain.timeout", |config| config.drain.timeout = Duration::from_secs(1)).await;
    let began = Instant::now();
    assert_eq!(server.service().shutdown().await, 1);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn how_many_events_of_a_new_client_are_queued_before_it_is_not_read_from() {
    let log = Log::capture();
    let server = server(config()).await;
    let before = server.connect().await.expect("connects");
    change(server.service(), "limits.mailbox", |config| config.limits.mailbox = 16).await;
    let after = server.connect().await.expect("connects");
    for client in [&before, &after] {
        (0..40).for_each(|_| client.emit("hang", &()));
    }
    let lines: Vec<_> = log.take_lines().into_iter().filter(|line| line.contains("mailbox full")).collect();
    assert!(lines.len() == 1 && lines[0].contains(after.id().as_str()), "{lines:?}");
}

/// Takes new settings, unless they name this issuer.
#[derive(Debug)]
struct Reloading;

#[async_trait]
impl Authenticator for Reloading {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        Ok(Identity::anonymous())
    }

    async fn reload(
        &self,
        auth: Option<&Auth>,
    ) -> Result<Option<ApplyReload>, Box<dyn std::error::Error + Send + Sync>> {
        if auth.is_some_and(|auth| auth.issuers == ["broken"]) {
            return Err("no keys".into());
        }
        Ok(Some(Box::new(|| {})))
    }
}

#[tokio::test]
async fn settings_of_an_authenticator_need_a_restart_unless_it_takes_them() {
    let mut new = config();
    (new.auth.issuers, new.auth.timeout) = (vec!["me".to_owned()], Duration::from_secs(1));
    for (takes, expected) in [(false, vec!["auth.timeout"]), (true, vec!["auth.issuers", "auth.timeout"])] {
        let builder = WebSocketService::builder(config()).state(MemoryState::new());
        let builder =
            if takes { builder.authenticator(Reloading) } else { builder.authenticator(Slow(Duration::ZERO)) };
        let service = builder.build().await.expect("builds");
        let reload = service.reload(new.clone()).await.expect("reloads");
        assert_eq!((reload.applied, reload.needs_restart.is_empty()), (expected, takes));
        assert_eq!(service.config().auth.issuers.is_empty(), !takes);
    }
}

/// Refuses each configuration.
struct Unwilling;

#[async_trait]
impl Reloadable for Unwilling {
    async fn prepare(self: Arc<Self>, _: &Arc<WebSocketConfig>) -> Result<ApplyReload, ReloadError> {
        Err(ReloadError::Refused { key: "tls", problem: "no file".to_owned() })
    }
}

#[tokio::test]
async fn nothing_changes_if_any_part_refuses() {
    let builder = WebSocketService::builder(config()).state(MemoryState::new()).authenticator(Reloading);
    let service = builder.build().await.expect("builds");
    let before = service.config();
    let mut new = (*before).clone();
    new.limits.depth = 3;
    let broken = Auth { issuers: vec!["broken".to_owned()], ..Auth::default() };
    let error = service.reload(WebSocketConfig { auth: broken, ..new.clone() }).await.expect_err("refused");
    assert_eq!(error.to_string(), "auth: no keys");

    let part = Arc::new(Unwilling);
    service.add_reloadable(&part);
    assert_eq!(service.reload(new.clone()).await.expect_err("refused").to_string(), "tls: no file");
    assert!(Arc::ptr_eq(&service.config(), &before));
    drop(part);
    assert_eq!(service.reload(new).await.expect("the part is gone").applied, ["limits.depth"]);
}

#[tokio::test]
async fn events_are_shown_in_the_log_by_debug_and_by_the_level_and_an_operator_s_choice_stays() {
    let service = server(config()).await.service().clone();
    let all = vec![FollowTarget::All];
    change(&service, "debug", |config| config.debug = true).await;
    assert_eq!(service.debug(), all);
    change(&service, "debug", |config| config.debug = false).await;
    assert_eq!(service.debug(), []);
    change(&service, "logger.level", |config| config.logger.level = LogLevel::Debug).await;
    assert_eq!(service.debug(), all);
    change(&service, "debug", |config| config.debug = true).await;
    assert_eq!(service.debug(), all);
    change(&service, "debug", |config| config.debug = false).await;
    assert_eq!(service.debug(), all, "the level still shows them");
    change(&service, "logger.level", |config| config.logger.level = LogLevel::Info).await;
    assert_eq!(service.debug(), []);
    let chosen = vec![FollowTarget::User(UserId::new("ada").expect("valid"))];
    service.set_debug(chosen.clone()).expect("few");
    change(&service, "limits.depth", |config| config.limits.depth = 7).await;
    assert_eq!(service.debug(), chosen);
}

/// Never prepares, or panics.
#[derive(Debug)]
struct Broken {
    panics: bool,
}

#[async_trait]
impl Reloadable for Broken {
    async fn prepare(self: Arc<Self>, _: &Arc<WebSocketConfig>) -> Result<ApplyReload, ReloadError> {
        assert!(!self.panics, "a part of the app");
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_panics_or_hangs_refuses_a_reload_and_the_next_one_is_tried() {
    let service = server(config()).await.service().clone();
    for panics in [true, false] {
        let broken = Arc::new(Broken { panics });
        service.add_reloadable(&broken);
        let mut new = (*service.config()).clone();
        new.limits.depth = 7;
        let refused = service.reload(new).await.expect_err("is not prepared").to_string();
        assert!(refused.contains(if panics { "panicked" } else { "within 30 s" }), "{refused}");
        assert_ne!(service.config().limits.depth, 7);
    }
    change(&service, "limits.depth", |config| config.limits.depth = 7).await;
}
