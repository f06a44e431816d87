//! How clients authenticate.

use std::time::Duration;

use serde::Serialize;

use super::{Algorithm, Secret, sections::millis};

/// Which tokens are accepted, and where clients send them: `auth`.
///
/// Used by a service that authenticates clients with tokens. A service without an authenticator accepts every client as
/// anonymous.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// The algorithms by which a token may be signed. None unless set.
    pub algorithms: Vec<Algorithm>,
    /// The secret of HS256, HS384 and HS512, 32 to 1024 bytes. Never serialized.
    #[serde(skip_serializing)]
    pub secret: Option<Secret>,
    /// The public key of the other algorithms, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// A file with the public key as PEM, or, for HS algorithms, with the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// A file with a JSON Web Key Set, or the http or https URL of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// How old a key set may become before it is read again, whole milliseconds from 1 s to a day. 5 minutes unless
    /// set.
    #[serde(serialize_with = "millis")]
    pub jwks_refresh: Duration,
    /// Accepted issuers of a token (`iss`). If empty, any issuer is accepted.
    pub issuers: Vec<String>,
    /// Accepted audiences of a token (`aud`). If empty, tokens with an `aud` claim are rejected.
    pub audiences: Vec<String>,
    /// The allowed clock skew of issuers, whole milliseconds up to 10 minutes. 30 s unless set.
    #[serde(serialize_with = "millis")]
    pub leeway: Duration,
    /// The claim with the user's id. `sub` unless set.
    pub user_claim: String,
    /// The field of the handshake's auth payload with the token. `token` unless set.
    pub field: String,
    /// The request header with the token, alone or after `Bearer`. `authorization` unless set.
    pub header: String,
    /// Whether clients without a token are accepted as anonymous. `false` unless set.
    pub anonymous: bool,
    /// How long to wait for a decision before a client is refused, whole milliseconds from 100 ms to a minute. 5 s
    /// unless set.
    #[serde(serialize_with = "millis")]
    pub timeout: Duration,
    /// How long a revocation is remembered: at least the longest lifetime of a token, whole milliseconds from 1 s to 30
    /// days. A day unless set.
    #[serde(serialize_with = "millis")]
    pub revocation: Duration,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            algorithms: Vec::new(),
            secret: None,
            public_key: None,
            key_file: None,
            jwks: None,
            jwks_refresh: Duration::from_secs(300),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
            user_claim: "sub".to_owned(),
            field: "token".to_owned(),
            header: "authorization".to_owned(),
            anonymous: false,
            timeout: Duration::from_secs(5),
            revocation: Duration::from_secs(86_400),
        }
    }
}

impl Auth {
    /// Whether any token verification is configured.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        let Self { algorithms, secret, public_key, key_file, jwks, .. } = self;
        !algorithms.is_empty() || secret.is_some() || public_key.is_some() || key_file.is_some() || jwks.is_some()
    }
}
