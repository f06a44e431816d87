//! Fetches a key set from a URL.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::timeout;

/// The time limit of a fetch.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long an idle connection is kept. Refreshes are less frequent, so each begins with a DNS lookup.
const IDLE: Duration = Duration::from_secs(1);

/// The largest size of a key set. A key with its certificates is 2 to 8 kB.
const MOST_BYTES: usize = 256 * 1024;

/// The HTTP client of one URL. Trusts the system's certificates; follows no redirects.
pub(crate) struct Fetcher {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Fetcher {
    /// # Errors
    /// What is wrong with the URL, or why TLS is unavailable.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("is no URL: {error}"))?;
        let Some(authority) = uri.authority() else { return Err("is a URL without a host".to_owned()) };
        if authority.as_str().contains('@') {
            return Err("is a URL with a user or password in it; key sets are public, leave them out".to_owned());
        }
        let is_here = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        let is_secure = uri.scheme_str() == Some("https");
        if !is_secure && !is_here {
            let from = shown(&uri);
            tracing::warn!(target: "roomwire", from, "the key set is fetched without TLS: an attacker on the network can replace the keys; use https");
        }
        let builder = HttpsConnectorBuilder::new();
        let connector = if is_secure {
            let builder = builder.with_provider_and_native_roots(ring::default_provider()).map_err(|error| {
                format!("needs TLS, but the machine trusts no certificates ({error}); install them (ca-certificates), or name a file in SSL_CERT_FILE")
            })?;
            builder.https_only()
        } else {
            builder.with_tls_config(trusting_no_certificate()?).https_or_http()
        };
        let client =
            Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector.enable_http1().build());
        Ok(Self { uri, client })
    }

    /// The body of the response.
    ///
    /// # Errors
    /// What happened, and what to do, as text that follows the URL.
    pub(crate) async fn fetch(&self) -> Result<Bytes, String> {
        let fetched = timeout(DEADLINE, self.fetch_at_leisure()).await;
        fetched.unwrap_or_else(|_| Err(format!("did not answer within {} s", DEADLINE.as_secs())))
    }

    async fn fetch_at_leisure(&self) -> Result<Bytes, String> {
        let request = Request::get(self.uri.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, concat!("roomwire/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| format!("cannot be asked: {error}"))?;
        let answer =
            self.client.request(request).await.map_err(|error| format!("cannot be reached: {}", chain(&error)))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(format!("answered {status}; redirects are not followed, name the address that it leads to"));
        }
        if !status.is_success() {
            return Err(format!("answered {status}"));
        }
        match Limited::new(answer.into_body(), MOST_BYTES).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(format!("answered with more than {MOST_BYTES} bytes, which is no sensible key set"))
            }
            Err(error) => Err(format!("broke off: {error}")),
        }
    }
}

impl fmt::Display for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.uri))
    }
}

/// The placeholder for TLS with plain HTTP, which also works on machines without certificates.
fn trusting_no_certificate() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| format!("needs TLS: {error}"))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The URL without its query, which may contain a secret.
fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}{}", uri.scheme_str().unwrap_or_default(), uri.path())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
