//! The authenticator.

use std::{error, fmt, sync::Arc};

use async_trait::async_trait;
use parking_lot::RwLock;
use roomwire_core::{
    ApplyReload, Authenticator, Clock, ConnectRequest, Error, ErrorCode, Identity, SystemClock, config::Auth,
};

use super::{JwtError, verifier::Verifier};

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
///
/// When the service's configuration is reloaded, changed settings apply to the next token, also to that of a connected
/// client that sends a newer one; identities that were accepted before stay. If no setting changed, the keys are read
/// again at once. Keys that cannot be read or used then, also those of a URL that does not answer, are an error of the
/// reload: it changes nothing, and the previous keys stay in use.
pub struct JwtAuthenticator {
    verifier: Arc<RwLock<Arc<Verifier>>>,
    clock: Arc<dyn Clock>,
}

impl JwtAuthenticator {
    /// Reads the keys and creates an authenticator. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the configuration contradicts itself, keys cannot be read, or do not fit the algorithms. The text says what
    /// to do.
    pub async fn from_config(auth: &Auth) -> Result<Self, JwtError> {
        let verifier = Arc::new(Verifier::load(auth).await?);
        Ok(Self { verifier: Arc::new(RwLock::new(verifier)), clock: Arc::new(SystemClock) })
    }

    /// Uses another clock for times: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn verifier(&self) -> Arc<Verifier> {
        self.verifier.read().clone()
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        let identified = self.verifier().identify(request, &*self.clock).await;
        identified.map_err(|why| Error::new(ErrorCode::Unauthorized).with_source(why))
    }

    async fn reload(&self, auth: Option<&Auth>) -> Result<Option<ApplyReload>, Box<dyn error::Error + Send + Sync>> {
        let Some(auth) = auth else {
            return Ok(Some(Box::new(self.verifier().keys.read_again().await?)));
        };
        let (new, verifier) = (Arc::new(Verifier::load(auth).await?), self.verifier.clone());
        Ok(Some(Box::new(move || *verifier.write() = new)))
    }
}

/// Omits the keys.
impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator").finish_non_exhaustive()
    }
}
