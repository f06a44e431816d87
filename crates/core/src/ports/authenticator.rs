//! The port behind which is decided who a client is.

use std::{fmt, net::IpAddr};

use async_trait::async_trait;
use http::HeaderMap;

use crate::{Error, Identity, Namespace, Payload, Printable};

/// What is known of a client that wants to connect, or to show something newer while it is connected.
#[derive(Clone)]
pub struct ConnectRequest {
    /// The namespace it wants to connect to.
    pub namespace: Namespace,
    /// What it sent along: `auth` in JavaScript.
    pub auth: Payload,
    /// The headers of the request that opened its connection; none when it shows something newer. They are the
    /// client's own words, as is everything here but `address`.
    pub headers: HeaderMap,
    /// The query of that request, without `?`. No place for secrets: it stands in the logs of proxies.
    pub query: String,
    /// Where it comes from; behind proxies that are listed in `trustedProxies`, what these say.
    pub address: Option<IpAddr>,
    /// The origin of the page that it is on, when a browser said so. It was checked against `allowedOrigins`.
    pub origin: Option<String>,
}

impl ConnectRequest {
    /// A request to connect to a namespace that says nothing.
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

/// Shows nothing that may be a secret, and what the client says so that a log may show it.
impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("namespace", &self.namespace)
            .field("address", &self.address)
            .field("origin", &self.origin.as_ref().map(Printable))
            .finish_non_exhaustive()
    }
}

/// Decides who a client is, before it is told that it is connected.
///
/// Asked once for each namespace a client connects to, and again when it shows something newer. Calls run at the same
/// time.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Who this is.
    ///
    /// # Errors
    /// What the client is to be told: [`ErrorCode::Unauthorized`](crate::ErrorCode::Unauthorized), with the same message
    /// and after a similar time whatever was wrong, so that nobody learns by trying. An internal error, for example
    /// because keys could not be fetched, refuses the client too; its source is logged.
    ///
    /// # Cancellation
    /// Dropped when the deadline `auth.timeout` has passed; a client that goes before may be asked about until then.
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error>;
}
