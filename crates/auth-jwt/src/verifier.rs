//! Verifies tokens under one set of settings.

use jsonwebtoken::{Algorithm, crypto::aws_lc, decode_header};
use roomwire_core::{Clock, ConnectRequest, Identity, config::Auth};

use super::{
    JwtError, claims::Rules, key_ring::KeyRing, kind::in_library, refusal::Refusal, settings::Settings,
    token_place::TokenPlace,
};

/// The settings in force, with their keys.
pub(crate) struct Verifier {
    algorithms: Vec<Algorithm>,
    pub(crate) keys: KeyRing,
    rules: Rules,
    place: TokenPlace,
    admits_anonymous: bool,
}

impl Verifier {
    pub(crate) async fn load(auth: &Auth) -> Result<Self, JwtError> {
        // The library has no default backend if the application enables another one. A backend that was installed
        // earlier stays in use: all of them verify the same signatures.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let Settings { algorithms, source, rules, place } = Settings::from_config(auth)?;
        let named = algorithms.iter().map(|algorithm| in_library(*algorithm)).collect();
        let keys = KeyRing::load(source, algorithms, auth.jwks_refresh).await?;
        Ok(Self { algorithms: named, keys, rules, place, admits_anonymous: auth.anonymous })
    }

    pub(crate) async fn identify(&self, request: &ConnectRequest, clock: &dyn Clock) -> Result<Identity, Refusal> {
        match self.place.find(request)? {
            Some(token) => self.check(&token, clock).await,
            None if self.admits_anonymous => Ok(Identity::anonymous()),
            None => Err(Refusal::NoToken),
        }
    }

    async fn check(&self, token: &str, clock: &dyn Clock) -> Result<Identity, Refusal> {
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
        self.rules.identity(claims, clock.now())
    }
}
