//! The port that authenticates clients.

use std::{error, fmt, net::IpAddr};

use async_trait::async_trait;
use http::HeaderMap;

use super::ApplyReload;
use crate::{Error, Escaped, Identity, Namespace, Payload, config::Auth};

/// A client's request to connect, or to replace its credentials while it is connected.
#[derive(Clone)]
pub struct ConnectRequest {
    /// The namespace it wants to connect to.
    pub namespace: Namespace,
    /// The auth payload that the client sent: `auth` in JavaScript.
    pub auth: Payload,
    /// The headers of the request that opened its connection; empty when a connected client sends newer credentials.
    /// The client controls them, like every field here except `address`.
    pub headers: HeaderMap,
    /// The query of that request, without `?`. Do not put secrets there: proxies log it.
    pub query: String,
    /// The client's address; behind proxies that are listed in `trustedProxies`, the address that they report.
    pub address: Option<IpAddr>,
    /// The origin of the page, if a browser sent it. The service has checked it against `allowedOrigins`.
    pub origin: Option<String>,
}

impl ConnectRequest {
    /// A request to connect to a namespace, without credentials.
    #[must_use]
    pub fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            auth: Payload::default(),
            headers: HeaderMap::new(),
            query: String::new(),
            address: None,
            origin: None,
        }
    }
}

/// Shows no field that may hold a secret, and escapes what the client sent.
impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("namespace", &self.namespace)
            .field("address", &self.address)
            .field("origin", &self.origin.as_ref().map(Escaped))
            .finish_non_exhaustive()
    }
}

/// Authenticates a client before the service accepts its connection.
///
/// Called once for each namespace that a client connects to, and again when the client sends newer credentials. Calls
/// run concurrently.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Returns the identity of the client.
    ///
    /// # Errors
    /// The error that the client gets: [`ErrorCode::Unauthorized`](crate::ErrorCode::Unauthorized), with the same
    /// message whatever was wrong. An internal error, for example because keys could not be fetched, refuses the client
    /// too. The [source](Error::with_source) is the cause, for the operator: the service logs it at most once a minute
    /// for each reason, so it must not hold secrets.
    ///
    /// # Cancellation
    /// The future is dropped when the deadline `auth.timeout` has passed. If the client disconnects earlier, the future
    /// may run until then.
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error>;

    /// Prepares for a reload of the configuration, and returns what puts the new settings into force. `auth` has the new
    /// settings; it is `None` if they are the same as before, which is the moment to read keys again from where they are.
    ///
    /// Returns `None` if the settings of this authenticator cannot change while it is in use, as by default: changed keys
    /// of `auth` need a restart then, except `auth.timeout` and `auth.revocation`, which the service reads.
    ///
    /// # Errors
    /// Why the new settings cannot be used, without secrets: nothing is reloaded then.
    async fn reload(&self, auth: Option<&Auth>) -> Result<Option<ApplyReload>, Box<dyn error::Error + Send + Sync>> {
        let _ = auth;
        Ok(None)
    }
}
