//! The configuration as a value.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use ipnet::IpNet;
use serde::Serialize;

use super::{
    Api, Auth, ConfigError, ConfigKey, ConfigLoader, ConfigOrigin, ConfigSource, Drain, HealthConfig, Lease, Limits,
    Logger, Problem, RetryConfig, SharedState, Tls, Transport, relation, sections::millis,
};
use crate::NodeId;

/// The configuration of a service.
///
/// Read it with [`load`](Self::load), or write it in code:
///
/// ```
/// use roomwire_core::WebSocketConfig;
///
/// let config = WebSocketConfig { port: 4000, ..Default::default() };
/// assert!(config.validate().is_ok());
/// ```
///
/// In files and variables, fields are camelCase and durations are whole milliseconds, as in the serialized form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebSocketConfig {
    /// Whether the service runs at all. `true` unless set.
    pub enabled: bool,
    /// Whether each event in and out is logged with its outcome, never its payload. `false` unless set.
    pub debug: bool,
    /// The address to listen on. `127.0.0.1` unless set: reachable from this machine only.
    pub host: IpAddr,
    /// The path that clients connect to: starts with `/` and does not end with one. `/socket.io` unless set.
    pub path: String,
    /// The port to listen on; 0 lets the system choose a free one. 3000 unless set.
    pub port: u16,
    /// The transports that clients may use: at least one, none twice. Both unless set.
    pub transports: Vec<Transport>,
    /// The interval of heartbeat pings, whole milliseconds from 100 ms to 10 minutes. 25 s unless set.
    #[serde(serialize_with = "millis")]
    pub ping_interval: Duration,
    /// How long to wait for the pong before the client is disconnected, whole milliseconds from 100 ms to 10
    /// minutes. 5 s unless set.
    #[serde(serialize_with = "millis")]
    pub ping_timeout: Duration,
    /// The most clients that may be connected to this process at one time, at least 1. 1000 unless set.
    pub max_connections: u32,
    /// Whether to serve TLS. `false` unless set.
    pub ssl: bool,
    /// Whether accepted connections use TCP keep-alive. `true` unless set.
    pub keep_alive: bool,
    /// The certificate, used when `ssl` is set.
    pub tls: Tls,
    /// The origins that may connect (CORS), such as `https://app.example.com`; `*` alone allows all. Clients without an
    /// origin and pages of the origin that the request goes to may always connect, and so may loopback pages of the
    /// same machine. None unless set.
    pub allowed_origins: Vec<String>,
    /// The networks of trusted proxies: the service believes their `X-Forwarded-For` and `Forwarded` headers. None
    /// unless set.
    pub trusted_proxies: Vec<IpNet>,
    /// How clients authenticate.
    pub auth: Auth,
    /// Retries of calls of the state backend.
    pub retry_config: RetryConfig,
    /// What is logged, and how.
    pub logger: Logger,
    /// The name of this process in the cluster, which should be unique; by default it is generated at start. Processes
    /// with the same name work correctly, and each logs a warning about the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// The limits of one client.
    pub limits: Limits,
    /// How the nodes of a cluster detect a lost node.
    pub lease: Lease,
    /// When this node is ready for new clients.
    pub health: HealthConfig,
    /// How this process shuts down.
    pub drain: Drain,
    /// The servers of the shared state, and the timeout of its operations.
    pub state: SharedState,
    /// Where the values were read from. Set by [`load`](Self::load); a reload reads the same again.
    #[serde(skip)]
    pub origin: ConfigOrigin,
    /// The HTTP API for operators and other programs.
    pub api: Api,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            debug: false,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            path: "/socket.io".to_owned(),
            port: 3000,
            transports: Transport::ALL.to_vec(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(5),
            max_connections: 1000,
            ssl: false,
            keep_alive: true,
            tls: Tls::default(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            auth: Auth::default(),
            retry_config: RetryConfig::default(),
            logger: Logger::default(),
            node_id: None,
            limits: Limits::default(),
            lease: Lease::default(),
            health: HealthConfig::default(),
            drain: Drain::default(),
            state: SharedState::default(),
            origin: ConfigOrigin::default(),
            api: Api::default(),
        }
    }
}

impl WebSocketConfig {
    /// Reads the configuration of this process: the defaults, then a file, then `ROOMWIRE_*` variables.
    ///
    /// The file is the one that `ROOMWIRE_CONFIG` names, or else the only one of `roomwire.toml`, `roomwire.yaml`,
    /// `roomwire.yml` and `roomwire.json` in the current directory, or else none. Blocks while it reads the file.
    ///
    /// # Errors
    /// All problems at once: unknown keys and variables, values that are not allowed, more than one file, a file
    /// that cannot be read or parsed.
    pub fn load() -> Result<Self, ConfigError> {
        Self::loader().load()
    }

    /// Like [`load`](Self::load), with explicit files and variables.
    pub fn loader() -> ConfigLoader {
        ConfigLoader::default()
    }

    /// The most clients of one address that may be connected at one time: `limits.connectionsPerAddress`, or half of
    /// `maxConnections`, rounded up, when that is not set.
    #[must_use]
    pub fn connections_per_address(&self) -> u32 {
        self.limits.connections_per_address.unwrap_or(self.max_connections.div_ceil(2))
    }

    /// Checks a configuration written in code by the same rules as files and variables.
    ///
    /// # Errors
    /// All problems at once, with [`ConfigSource::Code`] as their source.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut copy = self.clone();
        let mut problems = Vec::new();
        for key in ConfigKey::all() {
            let value = key.field(&mut copy).value();
            if !key.field(&mut copy).take(&value) {
                problems.push(Problem::not_allowed(key, &value, ConfigSource::Code));
            }
        }
        relation::check(self, |_| ConfigSource::Code, &mut problems);
        ConfigError::unless_none(problems)
    }
}
