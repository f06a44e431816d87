//! The authenticator.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, crypto::aws_lc, decode_header};
use roomwire_core::{Authenticator, Clock, ConnectRequest, Error, ErrorCode, Identity, SystemClock, config::Auth};

use super::{
    JwtError, claims::Rules, key_ring::KeyRing, kind::in_library, refusal::Refusal, settings::Settings,
    token_place::TokenPlace,
};

/// Authenticates clients with a signed JSON Web Token, as the user that the token names.
///
/// The client sends the token in the auth payload or in a header, as `auth.field` and `auth.header` say. Only the
/// configured algorithms are accepted, each only with a key of its kind. A token only chooses its key, by the key id,
/// and only among the configured ones.
///
/// Whatever is wrong with a token, the client gets the same [`ErrorCode::Unauthorized`]. The reason is the source of
/// that error, without the token: the service logs each reason, at most once a minute. A token with an unknown key id
/// causes the key set to be read again, at most once in ten seconds.
///
/// Keys from a file or a URL are read again every `auth.jwksRefresh`, by a task that ends with the authenticator. If
/// they cannot be read then, the previous keys stay in use.
pub struct JwtAuthenticator {
    algorithms: Vec<Algorithm>,
    keys: KeyRing,
    rules: Rules,
    place: TokenPlace,
    admits_anonymous: bool,
    clock: Arc<dyn Clock>,
}

impl JwtAuthenticator {
    /// Reads the keys and creates an authenticator. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the configuration contradicts itself, keys cannot be read, or do not fit the algorithms. The text says what
    /// to do.
    pub async fn from_config(auth: &Auth) -> Result<Self, JwtError> {
        // The library has no default backend if the application enables another one. A backend that was installed
        // earlier stays in use: all of them verify the same signatures.
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

    /// Uses another clock for times: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn identify(&self, request: &ConnectRequest) -> Result<Identity, Refusal> {
        match self.place.find(request)? {
            Some(token) => self.check(&token).await,
            None if self.admits_anonymous => Ok(Identity::anonymous()),
            None => Err(Refusal::NoToken),
        }
    }

    async fn check(&self, token: &str) -> Result<Identity, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        // A token that demands extensions is valid only where they are understood (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(Refusal::Critical);
        }
        if !self.algorithms.contains(&header.alg) {
            return Err(Refusal::Algorithm);
        }
        let id = header.kid.as_deref();
        let mut keys = self.keys.current();
        if id.is_some() && keys.choose(header.alg, id).is_none() {
            self.keys.look_again().await;
            keys = self.keys.current();
        }
        let key = keys.choose(header.alg, id).ok_or(Refusal::UnknownKey)?;
        let claims = key.verify(token, &header)?;
        self.rules.identity(claims, self.clock.now())
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        self.identify(request).await.map_err(|why| Error::new(ErrorCode::Unauthorized).with_source(why))
    }
}

/// Omits the keys.
impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator").finish_non_exhaustive()
    }
}
