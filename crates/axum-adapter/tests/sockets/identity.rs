//! Authentication as clients see it over both transports.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{Authenticator, Clock, ConnectRequest, Error, ErrorCode, Identity, Timestamp, UserId};
use roomwire_service::{Client, DisconnectReason, Gateway, WebSocketService};
use roomwire_state_memory::{ManualClock, MemoryState};
use serde::Deserialize;

use crate::support::{Departures, Fixture, Polling, WebSocket, config, eventually};

/// Accepts the user and expiry in `auth`, and records its calls.
#[derive(Clone, Debug, Default)]
struct Believer(Arc<Mutex<Vec<ConnectRequest>>>);

#[derive(Deserialize)]
struct Shown {
    user: String,
    until: Option<u64>,
}

#[async_trait]
impl Authenticator for Believer {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        self.0.lock().push(request.clone());
        let shown: Shown = request.auth.decode().map_err(|_| ErrorCode::Unauthorized)?;
        let expires_at = shown.until.map(Timestamp::from_millis);
        Ok(Identity { expires_at, ..Identity::of(UserId::new(shown.user)?) })
    }
}

struct Asking {
    fixture: Fixture,
    asked: Believer,
    clock: Arc<ManualClock>,
    departures: Departures,
}

impl Asking {
    async fn new() -> Self {
        async fn whoami(client: Client) -> Result<Option<UserId>, Error> {
            Ok(client.user().cloned())
        }
        let (asked, clock) = (Believer::default(), Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000))));
        let builder = WebSocketService::builder(config()).state(MemoryState::new()).clock(clock.clone());
        let service = builder.authenticator(asked.clone()).build().await.expect("builds");
        let (gateway, departures) = Departures::of(Gateway::new().on("whoami", whoami));
        Self { fixture: Fixture::of(service, gateway).await, asked, clock, departures }
    }

    fn address(&self) -> SocketAddr {
        self.fixture.address
    }
}

const REFUSED: &str = r#"44{"message":"Not authorized","data":{"code":"UNAUTHORIZED","message":"Not authorized"}}"#;

#[tokio::test]
async fn a_client_without_valid_credentials_gets_the_error_and_nothing_else_over_both_transports() {
    let mut asking = Asking::new().await;
    let mut socket = WebSocket::open(asking.address()).await;
    let mut polling = Polling::open(asking.address()).await;
    for packet in ["40", r#"40{"user":7}"#, r#"40{"nonsense":true}"#] {
        socket.send(packet).await;
        assert_eq!(socket.message().await, REFUSED);
        polling.post(packet).await;
        assert_eq!(polling.poll().await, [REFUSED]);
    }
    assert_eq!(asking.fixture.service.client_count().await.expect("counts"), 0);
    // The connection is as good as before: it may show something better.
    socket.send(r#"40{"user":"ada"}"#).await;
    assert!(socket.message().await.starts_with("40{"));
    assert_eq!(socket.ask_for(1, r#"["whoami"]"#).await, r#"["ada"]"#);
    assert!(asking.departures.is_empty());
}

/// Accepts no client for the next second and a half.
#[derive(Debug)]
struct Busy;

#[async_trait]
impl Authenticator for Busy {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        Err(Error::from(ErrorCode::RateLimited).with_retry_after(Duration::from_millis(1500)))
    }
}

#[tokio::test]
async fn a_client_that_may_retry_later_is_told_when_in_the_data_of_the_error() {
    let builder = WebSocketService::builder(config()).state(MemoryState::new()).authenticator(Busy);
    let fixture = Fixture::of(builder.build().await.expect("builds"), Gateway::new()).await;
    let mut socket = WebSocket::open(fixture.address).await;
    socket.send("40").await;
    let refused = socket.message().await;
    let error: serde_json::Value = serde_json::from_str(refused.strip_prefix("44").expect("refused")).expect("JSON");
    assert_eq!((&error["data"]["code"], &error["data"]["retryAfterMs"]), (&"RATE_LIMITED".into(), &1500.into()));
}

#[tokio::test]
async fn the_authenticator_gets_the_request_and_the_auth_payload() {
    let asking = Asking::new().await;
    let mut socket = WebSocket::ask(asking.address(), "&room=lobby").await.expect("a websocket");
    socket.message().await;
    socket.send(r#"40{"user":"ada"}"#).await;
    assert!(socket.message().await.starts_with("40{"));
    let asked = asking.asked.0.lock().pop().expect("asked");
    assert_eq!((asked.namespace.as_str(), asked.auth.arguments()), ("/", r#"{"user":"ada"}"#));
    assert_eq!(asked.headers.get("host").and_then(|host| host.to_str().ok()), Some("localhost"));
    assert!(asked.query.contains("room=lobby"), "{}", asked.query);
    assert!(!format!("{asked:?}").contains("ada"), "what it sent along is shown to nobody: {asked:?}");
}

#[tokio::test]
async fn a_client_that_expires_gets_the_error_and_is_disconnected_over_both_transports_unless_it_renews() {
    let mut asking = Asking::new().await;
    let until = asking.clock.now().as_millis() + 500;
    let packet = format!(r#"40{{"user":"ada","until":{until}}}"#);
    let mut socket = WebSocket::open(asking.address()).await;
    socket.send(&packet).await;
    assert!(socket.message().await.starts_with("40{"));
    let mut polling = Polling::open(asking.address()).await;
    polling.post(&packet).await;
    assert!(polling.poll().await[0].starts_with("40{"));
    let mut renewing = WebSocket::open(asking.address()).await;
    renewing.send(&packet).await;
    assert!(renewing.message().await.starts_with("40{"));
    asking.fixture.holds(3).await;
    let renewed = renewing.ask_for(1, r#"["authenticate",{"user":"ada","until":2000000}]"#).await;
    assert_eq!(renewed, r#"[{"expiresAt":"1970-01-01T00:33:20.000Z"}]"#);
    let other = renewing.ask_for(2, r#"["authenticate",{"user":"bob"}]"#).await;
    assert!(other.contains("FORBIDDEN"), "{other}");

    let began = std::time::Instant::now();
    asking.clock.advance(Duration::from_millis(500));
    let told = r#"42["error",{"code":"TOKEN_EXPIRED","message":"Token has expired"}]"#;
    assert_eq!((socket.message().await.as_str(), socket.message().await.as_str()), (told, "41"));
    let mut polled = polling.poll().await;
    while polled.len() < 2 {
        polled.extend(polling.poll().await);
    }
    assert_eq!(polled, [told, "41"]);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for _ in 0..2 {
        assert_eq!(asking.departures.next().await.reason, DisconnectReason::TokenExpired);
    }
    assert_eq!(renewing.ask_for(3, r#"["whoami"]"#).await, r#"["ada"]"#);
    eventually("one is left", async || asking.fixture.service.client_count().await.expect("counts") == 1).await;
    assert!(asking.departures.is_empty());
}
