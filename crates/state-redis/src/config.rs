//! The Redis servers, and the settings of their connections.

use std::{fmt, time::Duration};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use roomwire_core::{
    WebSocketConfig,
    config::{Limits, RetryConfig},
};

use crate::ConnectError;

/// The beginning of a certificate in a PEM file.
const PEM_CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The Redis servers to use, and the settings of their connections.
///
/// ```
/// use std::time::Duration;
/// use roomwire_state_redis::RedisConfig;
///
/// let one = RedisConfig::new("redis://127.0.0.1:6379").prefix("chat").timeout(Duration::from_millis(500));
/// let cluster = RedisConfig::nodes(["rediss://redis-1:6379", "rediss://redis-2:6379"]).username("chat").password("secret");
/// # let _ = (one, cluster);
/// ```
#[derive(Clone)]
pub struct RedisConfig {
    pub(crate) urls: Vec<String>,
    username: Option<String>,
    password: Option<String>,
    database: Option<i64>,
    ca_certificate: Option<Vec<u8>>,
    pub(crate) prefix: String,
    pub(crate) pool_size: usize,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) payload: usize,
    pub(crate) retry: RetryConfig,
}

impl RedisConfig {
    /// One server, or one node of a Redis Cluster, by its URL: `redis://host:port/database`, `rediss://` for TLS,
    /// `redis://user:password@host`. The server reports whether it is a cluster.
    ///
    /// TLS trusts the system's certificates, or those in the file `SSL_CERT_FILE`, or those of
    /// [`ca_certificate`](Self::ca_certificate).
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self::nodes([url])
    }

    /// Some nodes of a Redis Cluster: the others are discovered.
    #[must_use]
    pub fn nodes<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            username: None,
            password: None,
            database: None,
            ca_certificate: None,
            prefix: "roomwire".to_owned(),
            pool_size: 2,
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(2),
            payload: Limits::default().payload,
            retry: RetryConfig::default(),
        }
    }

    /// Uses the configuration of the service: its `state.*` keys, `retryConfig` and `limits.payload`.
    ///
    /// ```
    /// use roomwire_core::WebSocketConfig;
    /// use roomwire_state_redis::RedisConfig;
    ///
    /// let mut config = WebSocketConfig::default();
    /// config.state.urls = vec!["redis://127.0.0.1:6379".to_owned()];
    /// let redis = RedisConfig::from_service(&config);
    /// # let _ = redis;
    /// ```
    #[must_use]
    pub fn from_service(config: &WebSocketConfig) -> Self {
        let state = &config.state;
        Self {
            urls: state.urls.clone(),
            username: state.username.clone(),
            password: state.password.as_ref().map(|password| password.expose().to_owned()),
            database: (state.database != 0).then(|| state.database.into()),
            ca_certificate: None,
            prefix: state.prefix.clone(),
            pool_size: state.pool_size.max(1),
            timeout: state.timeout,
            connect_timeout: state.connect_timeout,
            payload: config.limits.payload,
            retry: config.retry_config.clone(),
        }
    }

    /// The user name, instead of the one in the URL.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password, instead of the one in the URL. It is never shown.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The number of the database, instead of the one in the URL. A Redis Cluster has only number 0. Services in
    /// different databases of one server are separate, also in the messages between their nodes.
    #[must_use]
    pub fn database(mut self, database: u32) -> Self {
        self.database = Some(database.into());
        self
    }

    /// Certificates that TLS trusts instead of the system's, as PEM text.
    #[must_use]
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificate = Some(pem.into());
        self
    }

    /// The prefix of all keys and channels, `roomwire` unless set. Services with different prefixes are independent.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The number of command connections to each server, 2 unless set. Each carries many commands at a time, which
    /// share reads and writes: more connections cost more CPU. One more is used for incoming messages.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections.max(1);
        self
    }

    /// The timeout of one operation, including retries, 1 s unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The timeout of opening one connection, 2 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The largest payload between nodes, 1,000,000 bytes unless set. A server that sends a message of this size has
    /// one more second for each 10 MB before a subscribed connection without a response is closed.
    #[must_use]
    pub fn payload(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    /// The retries of [`RedisState::connect`](crate::RedisState::connect).
    #[must_use]
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// The initial servers.
    pub(crate) fn seeds(&self) -> Result<Vec<ConnectionInfo>, ConnectError> {
        if self.urls.is_empty() {
            return Err(ConnectError::NoUrl);
        }
        if self.prefix.is_empty() || self.prefix.contains(['{', '}']) || self.prefix.chars().any(char::is_control) {
            return Err(ConnectError::Prefix(self.prefix.clone()));
        }
        self.urls.iter().enumerate().map(|(index, url)| self.seed(index, url)).collect()
    }

    fn seed(&self, index: usize, url: &str) -> Result<ConnectionInfo, ConnectError> {
        if has_unescaped_userinfo(url) {
            return Err(ConnectError::Userinfo { number: index + 1 });
        }
        if url.ends_with("#insecure") {
            return Err(ConnectError::Insecure { number: index + 1 });
        }
        // The text may contain a password, so neither it nor the parser's error is shown.
        let info = url.into_connection_info().map_err(|_| ConnectError::Url { number: index + 1 })?;
        let info = match (&self.ca_certificate, info.addr()) {
            (Some(pem), ConnectionAddr::TcpTls { .. }) => {
                if !pem.windows(PEM_CERTIFICATE.len()).any(|text| text == PEM_CERTIFICATE) {
                    // The library would trust no server, and only fail when it connects.
                    return Err(ConnectError::Certificate("there is none".to_owned()));
                }
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
                let client = Client::build_with_tls(info, certificates)
                    .map_err(|error| ConnectError::Certificate(error.to_string()))?;
                client.get_connection_info().clone()
            }
            _ => info,
        };
        let mut redis = info.redis_settings().clone();
        if let Some(username) = &self.username {
            redis = redis.set_username(username);
        }
        if let Some(password) = &self.password {
            redis = redis.set_password(password);
        }
        if let Some(database) = self.database {
            redis = redis.set_db(database);
        }
        Ok(info.set_redis_settings(redis).set_tcp_settings(tcp_settings()))
    }
}

/// Whether an `@` follows the part that a parser takes for user, password and host: then a part of the password would
/// be taken for the host, resolved and logged.
fn has_unescaped_userinfo(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    // The path of a socket file begins at once.
    authority.find(['/', '?', '#']).is_some_and(|end| end > 0 && authority[end..].contains('@'))
}

/// Commands are small and latency-sensitive, and middleboxes must not drop an idle connection.
fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(Duration::from_secs(20));
    settings
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither URLs nor the password: both may contain secrets.
        f.debug_struct("RedisConfig")
            .field("servers", &self.urls.len())
            .field("prefix", &self.prefix)
            .field("pool_size", &self.pool_size)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::RedisConfig;

    #[test]
    fn no_secret_is_shown() {
        let config = RedisConfig::new("redis://user:hunter2@host:1").password("hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = RedisConfig::new("http://user:hunter2@host").seeds().expect_err("is no Redis");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn a_password_with_unescaped_characters_is_refused_and_no_part_of_it_is_shown() {
        for password in ["k3y@topsecret#part", "k3y/topsecret", "k3y?topsecret", "k3y#topsecret"] {
            let error = RedisConfig::new(format!("redis://app:{password}@host:1")).seeds().expect_err("is refused");
            let text = format!("{error} {error:?}");
            assert!(text.contains("%40") && !text.contains("k3y") && !text.contains("topsecret"), "{text}");
        }
        for fine in [
            "redis://app:k3y%40%23@host:1/2",
            "redis://app:k3y@host",
            "redis://host?protocol=resp3",
            "unix:///run/a@b.sock",
        ] {
            RedisConfig::new(fine).seeds().expect("is taken");
        }
    }

    #[test]
    fn what_is_set_goes_before_what_the_url_says() {
        let config = RedisConfig::new("redis://a:b@host:1/2").username("c").password("d").database(3);
        let seeds = config.seeds().expect("valid");
        let redis = seeds[0].redis_settings();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("c"), Some("d"), 3));
        assert!(seeds[0].tcp_settings().nodelay());
    }

    #[test]
    fn a_prefix_that_would_choose_the_slot_is_refused() {
        for prefix in ["", "a{b", "a}b", "a\nb"] {
            assert!(RedisConfig::new("redis://host").prefix(prefix).seeds().is_err(), "{prefix:?}");
        }
    }
}
