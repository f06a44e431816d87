//! The authenticator.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, crypto::aws_lc, decode_header};
use roomwire_core::{Authenticator, Clock, ConnectRequest, Error, ErrorCode, Identity, SystemClock, config::Auth};

use super::{
    JwtError, claims::Rules, key_ring::KeyRing, kind::in_library, refusal::Refusal, settings::Settings,
    token_place::TokenPlace,
};

/// Admits clients that show a token which somebody trusted has signed, as the user that it names.
///
/// The token comes in the auth payload or in a header, as `auth.field` and `auth.header` say. Only the configured
/// algorithms are accepted, each only with a key of its kind. Its key is the only thing that a token chooses, by the
/// key id, and only among the configured ones.
///
/// Whatever is wrong with a token, the client gets the same [`ErrorCode::Unauthorized`], after a similar time: where no
/// signature had to be verified, one is all the same. The exception is a token with a key id that is not known: it
/// has the key set read again, at most once in ten seconds. The reason is logged at debug level, without the token.
///
/// Keys from a file or a URL are read again every `auth.jwksRefresh`, by a task that ends with the authenticator. When
/// they cannot be read then, those from before stay in use.
pub struct JwtAuthenticator {
    algorithms: Vec<Algorithm>,
    keys: KeyRing,
    rules: Rules,
    place: TokenPlace,
    admits_anonymous: bool,
    clock: Arc<dyn Clock>,
}

impl JwtAuthenticator {
    /// Reads the keys and makes an authenticator. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the configuration contradicts itself, keys cannot be read, or do not fit the algorithms. The text says what to
    /// do.
    pub async fn from_config(auth: &Auth) -> Result<Self, JwtError> {
        // An application that turns on another backend of the library would leave it without one. Whoever installed one
        // first is right: all of them verify the same signatures.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let Settings { algorithms, source, rules, place } = Settings::from_config(auth)?;
        let named = algorithms.iter().map(|algorithm| in_library(*algorithm)).collect();
        let keys = KeyRing::load(source, algorithms, auth.jwks_refresh).await?;
        Ok(Self {
            algorithms: named,
            keys,
            rules,
            place,
            admits_anonymous: auth.anonymous,
            clock: Arc::new(SystemClock),
        })
    }

    /// Judges times by another clock: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn identify(&self, request: &ConnectRequest) -> Result<Identity, Refused> {
        match self.place.find(request)? {
            Some(token) => self.check(&token).await,
            None if self.admits_anonymous => Ok(Identity::anonymous()),
            None => Err(Refusal::NoToken.into()),
        }
    }

    async fn check(&self, token: &str) -> Result<Identity, Refused> {
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        let refused = |why| Refused { why, algorithm: Some(header.alg) };
        // Whoever demands that an extension is understood must not be admitted by somebody who does not (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(refused(Refusal::Critical));
        }
        if !self.algorithms.contains(&header.alg) {
            return Err(refused(Refusal::Algorithm));
        }
        let id = header.kid.as_deref();
        let mut keys = self.keys.current();
        if id.is_some() && keys.choose(header.alg, id).is_none() {
            self.keys.look_again().await;
            keys = self.keys.current();
        }
        let key = keys.choose(header.alg, id).ok_or(Refusal::UnknownKey).map_err(refused)?;
        let claims = key.verify(token, &header).map_err(refused)?;
        self.rules.identity(claims, self.clock.now()).map_err(refused)
    }
}

/// A refusal, with the algorithm that the token named.
struct Refused {
    why: Refusal,
    algorithm: Option<Algorithm>,
}

impl From<Refusal> for Refused {
    fn from(why: Refusal) -> Self {
        Self { why, algorithm: None }
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        self.identify(request).await.map_err(|Refused { why, algorithm }| {
            if !why.cost_a_verification() {
                self.keys.current().decoy(algorithm).verify_decoy();
            }
            tracing::debug!(target: "roomwire", reason = %why, "a token is not accepted");
            Error::new(ErrorCode::Unauthorized)
        })
    }
}

/// Shows no key.
impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator").finish_non_exhaustive()
    }
}
