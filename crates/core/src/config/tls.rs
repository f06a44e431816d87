//! The certificate of a server.

use std::time::Duration;

use serde::Serialize;

use super::sections::millis;

/// The certificate of a server with `ssl = true`: `tls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The file with the certificate chain, as PEM, without the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// The file with the certificate's private key, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How often the files are checked for a new certificate, whole milliseconds from 1 s to a day. 30 s unless set.
    #[serde(serialize_with = "millis")]
    pub reload: Duration,
}

impl Default for Tls {
    fn default() -> Self {
        Self { cert: None, key: None, reload: Duration::from_secs(30) }
    }
}
