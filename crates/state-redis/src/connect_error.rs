//! Errors of connecting to Redis.

/// Why [`RedisState::connect`](crate::RedisState::connect) failed. The text says what to do.
///
/// `Debug` shows the same text: it is what a `main` that returns this error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No URL was given.
    #[error("no Redis was named; set state.urls, for example to redis://127.0.0.1:6379")]
    NoUrl,
    /// A URL cannot be parsed. It is not shown, because it may contain a password.
    #[error("URL number {number} of Redis is not valid; expected redis://host:port or, for TLS, rediss://host:port")]
    Url {
        /// Which one, counted from 1.
        number: usize,
    },
    /// The user or the password in a URL has unescaped characters. The URL is not shown.
    #[error(
        "URL number {number} of Redis has an @ behind a /, ? or #; write these characters of a password as %40 (@), %2F (/), %3F (?) and %23 (#), or set state.password"
    )]
    Userinfo {
        /// Which one, counted from 1.
        number: usize,
    },
    /// A URL disables the verification of certificates. The URL is not shown.
    #[error(
        "URL number {number} of Redis asks for TLS without checking certificates (#insecure), which is not possible; name the certificate to trust by the variable SSL_CERT_FILE or by RedisConfig::ca_certificate"
    )]
    Insecure {
        /// Which one, counted from 1.
        number: usize,
    },
    /// The prefix of keys is not allowed.
    #[error("prefix {0:?} is not allowed; it must not be empty and must have no braces and no control characters")]
    Prefix(String),
    /// The trusted certificates for TLS cannot be parsed.
    #[error("the certificates for TLS cannot be read: {0}; expected PEM text")]
    Certificate(String),
    /// No server could be reached within `retryConfig.timeout`.
    #[error("Redis at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Its host and port.
        server: String,
        /// The attempt and its error.
        reason: String,
    },
    /// The server uses TLS and the URL does not, or the other way round.
    #[error("Redis at {server} {advice}")]
    Tls {
        /// Its host and port.
        server: String,
        /// What to change.
        advice: &'static str,
    },
    /// The server rejected the user or the password.
    #[error("Redis at {server} refused the user or the password: {reason}")]
    Refused {
        /// Its host and port.
        server: String,
        /// The server's message.
        reason: String,
    },
    /// The server accepts this user but refuses commands that the service needs.
    #[error("Redis at {server} refuses what this service needs:\n  {}", refused.join("\n  "))]
    Rights {
        /// Its host and port.
        server: String,
        /// The server's messages, and what to do.
        refused: Vec<String>,
    },
    /// The server is too old.
    #[error("Redis at {server} has version {version}; version 7.0 or newer is needed, for sharded messages")]
    Version {
        /// Its host and port.
        server: String,
        /// Its version.
        version: String,
    },
    /// The server is a replica and accepts no writes.
    #[error("Redis at {server} is a replica of {primary}; connect to the primary instead")]
    Replica {
        /// Its host and port.
        server: String,
        /// The host and port of its primary.
        primary: String,
    },
    /// The server is a Sentinel, which monitors other servers and stores no data.
    #[error(
        "Redis at {server} is a Sentinel; name the primary that it watches, by an address that follows the primary when another server takes over"
    )]
    Sentinel {
        /// Its host and port.
        server: String,
    },
    /// Several URLs were given, but the servers are not a cluster.
    #[error(
        "Redis at {server} is not part of a Redis Cluster, but {servers} servers were named; name one server or the nodes of one cluster"
    )]
    NoCluster {
        /// Its host and port.
        server: String,
        /// The number of URLs.
        servers: usize,
    },
    /// A Redis Cluster has one database only.
    #[error(
        "database {database} cannot be used: a Redis Cluster has only number 0; use state.prefix to keep services apart"
    )]
    Database {
        /// The configured database.
        database: i64,
    },
}

impl std::fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
