//! A service with an authenticator, and the credentials of its clients.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use roomwire_core::{Namespace, Timestamp, TokenId};
use roomwire_service::{
    Authenticator, ClientId, ConnectRequest, Error, ErrorCode, Gateway, Handshake, Identity, Metadata, Payload, UserId,
    WebSocketConfig, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::{ManualClock, MemoryState};
use serde::{Deserialize, Serialize};

use crate::fixture::config;

/// What a client of these tests shows, instead of a token: what would stand in it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Shown {
    pub(super) user: Option<String>,
    pub(super) until: Option<u64>,
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) claims: Metadata,
}

impl Shown {
    pub(super) fn of(user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..Self::default() }
    }

    pub(super) fn until(self, millis: u64) -> Self {
        Self { until: Some(millis), ..self }
    }

    pub(super) fn with_claims(self, claims: &serde_json::Value) -> Self {
        Self { claims: claims.as_object().expect("an object").clone(), ..self }
    }
}

/// Accepts all credentials, and refuses clients without any.
#[derive(Debug)]
pub(super) struct Believer;

#[async_trait]
impl Authenticator for Believer {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        let shown: Shown = request.auth.decode().map_err(|_| ErrorCode::Unauthorized)?;
        Ok(Identity {
            user: shown.user.map(UserId::new).transpose()?,
            expires_at: shown.until.map(Timestamp::from_millis),
            token: shown.token.map(TokenId::new).transpose()?,
            claims: shown.claims,
            issued_at: None,
        })
    }
}

/// The moment at which these tests begin, in milliseconds.
pub(super) const BEGIN: u64 = 1_000_000;

/// A server that asks, and its clock.
pub(super) struct Fixture {
    pub(super) server: TestServer,
    pub(super) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(super) async fn new(authenticator: impl Authenticator, gateway: Gateway) -> Self {
        let mut config = config();
        config.auth.timeout = Duration::from_secs(1);
        Self::configured(config, authenticator, gateway).await
    }

    pub(super) async fn configured(
        config: WebSocketConfig,
        authenticator: impl Authenticator,
        gateway: Gateway,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(BEGIN)));
        let builder = WebSocketService::builder(config).state(MemoryState::new()).clock(clock.clone());
        let service = builder.authenticator(authenticator).build().await.expect("builds");
        Self { server: TestServer::new(service, gateway).expect("mounts"), clock }
    }

    pub(super) async fn connect(&self, id: &str, shown: &impl Serialize) -> Result<TestClient, Error> {
        self.server.connect_with(&Namespace::root(), showing(id, shown)).await
    }
}

pub(super) fn showing(id: &str, shown: &impl Serialize) -> Handshake {
    let auth = Payload::encode(shown).expect("encodes");
    Handshake { auth, ..Handshake::new(ClientId::new(id).expect("valid")) }
}

/// How something was refused.
pub(super) fn refusal<T>(result: Result<T, Error>) -> (ErrorCode, String) {
    let error = result.err().expect("refused");
    (error.code(), error.message().to_owned())
}
