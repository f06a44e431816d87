//! Keys that are made for one test run, tokens signed by them, and requests that show these.

#[allow(dead_code, reason = "shared with the tests of the service")]
#[path = "../../../../service/tests/properties/fixture/counters.rs"]
mod counters;
pub(crate) mod issuer;
pub(crate) mod key_server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) use counters::Counters;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{Authenticator, Clock, ConnectRequest, Namespace, Payload, Timestamp, config::Auth};
use serde_json::{Value, json};

/// Seconds since 1970: the time at which all tokens of these tests are judged.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A clock that stands until it is moved.
#[derive(Clone, Debug)]
pub(crate) struct FixedClock(Arc<AtomicU64>);

impl FixedClock {
    pub(crate) fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds * 1000)))
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Claims that are accepted.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "chat", "sub": "ada", "jti": "token-1",
        "iat": NOW, "nbf": NOW, "exp": NOW + 900, "rooms": ["team/*"],
    })
}

/// Claims that are accepted but for these changes.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// The settings by which [`claims`] are accepted, without algorithm and key.
pub(crate) fn auth() -> Auth {
    Auth { issuers: vec!["https://issuer.example".to_owned()], audiences: vec!["chat".to_owned()], ..Auth::default() }
}

/// A request that shows this token.
pub(crate) fn showing(token: &str) -> ConnectRequest {
    let mut request = ConnectRequest::new(Namespace::default());
    request.auth = Payload::encode(&json!({ "token": token })).expect("encodes");
    request
}

/// Whether it accepts this token.
pub(crate) async fn admits(authenticator: &JwtAuthenticator, token: &str) -> bool {
    authenticator.authenticate(&showing(token)).await.is_ok()
}

/// Lets this much time pass for timers, at once. Sockets go on by real time.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Waits until this holds. By the real clock, as the test may move the other one.
pub(crate) async fn eventually(holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not happen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
