//! Settings of a state backend that is shared by several processes.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use super::{Secret, secret::without_credentials, sections::millis};

/// Connections to shared state, and the timeout of its operations: `state`.
///
/// Backends within one process use only [`timeout`](Self::timeout). `Debug` and serialization show neither the password
/// nor the credentials in a URL.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedState {
    /// The URLs of the backend's servers: one, or several nodes of one cluster. None unless set.
    #[serde(serialize_with = "shown_urls")]
    pub urls: Vec<String>,
    /// The user name for those servers, 1 to 256 bytes. Takes precedence over the one in a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password for those servers, 1 to 1024 bytes. Takes precedence over the one in a URL. Never serialized.
    #[serde(skip_serializing)]
    pub password: Option<Secret>,
    /// The number of the server's database, 0 to 1000000. 0 unless set.
    pub database: u32,
    /// The prefix of all stored keys, 1 to 64 letters, digits and `_.:-`; services with different prefixes on one
    /// server are independent. `roomwire` unless set.
    pub prefix: String,
    /// The number of open connections to a server, 1 to 64. 2 unless set.
    pub pool_size: usize,
    /// How long one operation on shared state may take, including retries, before it fails with `STATE_UNAVAILABLE`,
    /// whole milliseconds from 100 ms to 10 minutes. 1 s unless set.
    #[serde(serialize_with = "millis")]
    pub timeout: Duration,
    /// How long one attempt to connect may take, whole milliseconds from 100 ms to 10 minutes. 2 s unless set.
    #[serde(serialize_with = "millis")]
    pub connect_timeout: Duration,
}

impl Default for SharedState {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            username: None,
            password: None,
            database: 0,
            prefix: "roomwire".to_owned(),
            pool_size: 2,
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(2),
        }
    }
}

impl SharedState {
    fn shown_urls(&self) -> Vec<String> {
        self.urls.iter().map(|url| without_credentials(url)).collect()
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { urls: _, username, password, database, prefix, pool_size, timeout, connect_timeout } = self;
        f.debug_struct("SharedState")
            .field("urls", &self.shown_urls())
            .field("username", username)
            .field("password", password)
            .field("database", database)
            .field("prefix", prefix)
            .field("pool_size", pool_size)
            .field("timeout", timeout)
            .field("connect_timeout", connect_timeout)
            .finish()
    }
}

fn shown_urls<S: Serializer>(urls: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(urls.iter().map(|url| without_credentials(url)))
}
