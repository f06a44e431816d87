//! Which clients are accepted, and as which user.

use std::time::Duration;

use async_trait::async_trait;
use roomwire_core::Namespace;
use roomwire_service::{
    Authenticator, Client, ClientId, ConnectRequest, Error, ErrorCode, Gateway, GatewayError, Handshake, Identity,
    UserId, WebSocketConfig, WebSocketService,
    testing::{TestServer, TestServerError},
};
use roomwire_state_memory::MemoryState;
use serde_json::json;

use super::fixture::{Believer, Fixture, Shown, refusal};
use crate::fixture::{Log, config, eventually, server};

/// Does not come back.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Authenticator for Silent {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        std::future::pending().await
    }
}

#[derive(Debug)]
struct Broken;

#[async_trait]
impl Authenticator for Broken {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        panic!("no keys")
    }
}

#[tokio::test]
async fn a_client_has_the_user_of_the_authenticator_and_never_one_of_its_own_choice() {
    async fn whoami(client: Client) -> Result<Option<UserId>, Error> {
        assert_eq!(client.user(), client.identity().user.as_ref());
        Ok(client.user().cloned())
    }
    let asking = Fixture::new(Believer, Gateway::new().on("whoami", whoami)).await;
    let ada = asking.connect("c", &Shown::of("ada").with_claims(&json!({ "role": "author" }))).await.expect("admitted");
    assert_eq!(ada.emit_with_ack::<Option<String>>("whoami", &()).await.expect("answers").as_deref(), Some("ada"));
    assert_eq!(ada.handle().identity().claims["role"], "author");
    assert_eq!(asking.server.service().client("c").await.expect("known").user.as_deref(), Some("ada"));
    // Without an authenticator a client is a guest, whatever it sends along.
    let trusting = server(Gateway::new().on("whoami", whoami)).await;
    let handshake = super::fixture::showing("c", &Shown::of("ada"));
    let stranger = trusting.connect_with(&Namespace::root(), handshake).await.expect("admitted");
    assert_eq!(stranger.emit_with_ack::<Option<String>>("whoami", &()).await.expect("answers"), None);
}

#[tokio::test]
async fn a_refused_client_leaves_no_trace() {
    let fixture = Fixture::new(Believer, Gateway::new()).await;
    let mut events = fixture.server.service().events();
    assert_eq!(refusal(fixture.connect("c", &"nonsense").await).0, ErrorCode::Unauthorized);
    let past = Shown::of("ada").until(super::fixture::BEGIN);
    assert_eq!(refusal(fixture.connect("d", &past).await), (ErrorCode::Unauthorized, "Not authorized".to_owned()));
    assert_eq!(fixture.server.service().client_count().await.expect("counts"), 0);
    let admitted = fixture.connect("e", &Shown::of("ada")).await.expect("admitted");
    let first = format!("{:?}", events.next().await.expect("an event"));
    assert!(first.contains("ClientConnected") && first.contains(admitted.id().as_str()), "{first}");
}

#[tokio::test(start_paused = true)]
async fn an_authenticator_that_hangs_or_panics_affects_only_the_connecting_client() {
    let hanging = Fixture::new(Silent, Gateway::new()).await;
    let (code, message) = refusal(hanging.connect("c", &()).await);
    assert_eq!(code, ErrorCode::Timeout);
    assert!(message.contains("timed out"), "{message}");
    let broken = Fixture::new(Broken, Gateway::new()).await;
    for id in ["a", "b"] {
        assert_eq!(refusal(broken.connect(id, &()).await).0, ErrorCode::Internal);
    }
    // A stop waits for none of them.
    for fixture in [hanging, broken] {
        let stopped = tokio::time::timeout(Duration::from_secs(60), fixture.server.service().shutdown());
        assert_eq!(stopped.await.expect("nobody is waited for"), 0);
    }
}

#[tokio::test]
async fn a_client_with_an_established_identity_is_not_authenticated_again() {
    let fixture = Fixture::new(Silent, Gateway::new()).await;
    let id = ClientId::new("c").expect("valid");
    let vouched = Handshake::identified(id, Identity::of(UserId::new("ada").expect("valid")));
    let ada = fixture.server.connect_with(&Namespace::root(), vouched).await.expect("admitted");
    assert_eq!(ada.handle().user().map(UserId::as_str), Some("ada"));
}

#[tokio::test]
async fn a_client_that_goes_while_it_is_asked_is_forgotten() {
    let fixture = Fixture::new(Silent, Gateway::new()).await;
    let connecting = tokio::time::timeout(Duration::from_millis(20), fixture.connect("c", &()));
    assert!(connecting.await.is_err(), "it is still asked");
    assert_eq!(fixture.server.service().client_count().await.expect("counts"), 0);
    eventually("no session is left", async || fixture.server.service().local_client_count() == 0).await;
}

#[tokio::test]
async fn settings_for_tokens_without_an_authenticator_do_not_start() {
    let mut config = WebSocketConfig::default();
    config.auth.jwks = Some("https://example.com/keys".to_owned());
    config.auth.algorithms = vec![roomwire_core::config::Algorithm::Es256];
    let refused = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect_err("refused");
    assert!(refused.message().contains("JwtAuthenticator"), "{refused}");
}

#[tokio::test]
async fn the_event_by_which_clients_show_something_newer_cannot_be_handled_twice() {
    async fn handler() -> Result<(), Error> {
        Ok(())
    }
    let gateway = || Gateway::new().on("authenticate", handler);
    let service = WebSocketService::builder(config()).state(MemoryState::new()).authenticator(Believer);
    let service = service.build().await.expect("builds");
    let refused: GatewayError = match TestServer::new(service, gateway()) {
        Err(TestServerError::Gateways(refused)) => refused,
        other => panic!("{other:?}"),
    };
    assert!(refused.to_string().contains("choose another name"), "{refused}");
    // Without an authenticator it is an event as any other.
    let client = server(gateway()).await.connect().await.expect("connects");
    client.emit_with_ack::<()>("authenticate", &()).await.expect("handled");
}

#[tokio::test(start_paused = true)]
async fn each_reason_of_a_refusal_is_logged_once_a_minute_and_told_to_no_client() {
    #[derive(Debug)]
    struct Picky;

    #[async_trait]
    impl Authenticator for Picky {
        async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
            let shown: Shown = request.auth.decode()?;
            let reason = format!("the audience of {} is another\nERROR forged", shown.user.unwrap_or_default());
            Err(Error::new(ErrorCode::Unauthorized).with_source(reason))
        }
    }

    let log = Log::capture();
    let fixture = Fixture::new(Picky, Gateway::new()).await;
    for _ in 0..50 {
        for user in ["ada", "bob"] {
            let refused = fixture.connect("c", &Shown::of(user)).await.expect_err("is refused");
            assert!(!format!("{refused}").contains("audience"), "{refused}");
        }
    }
    let lines = log.take_lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for (line, user) in lines.iter().zip(["ada", "bob"]) {
        let reason = format!(r"WARN a client is not authenticated: the audience of {user} is another\nERROR forged");
        assert!(line.starts_with(&reason) && line.contains("count=1 "), "{line}");
    }
    tokio::time::sleep(Duration::from_secs(70)).await;
    let lines = log.take_lines();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("count=49 ")), "{lines:#?}");
}
