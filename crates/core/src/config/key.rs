//! The table of all keys.

use super::{WebSocketConfig, field::Field, relation, shown::shown};
use crate::{EventName, RoomId};

/// One key of the configuration: its names, its default, what it allows and what it means.
///
/// ```
/// use roomwire_core::config::ConfigKey;
///
/// for key in ConfigKey::all() {
///     println!("{:32} {} ({})", key.variable(), key.meaning(), key.allowed());
/// }
/// ```
pub struct ConfigKey {
    name: &'static str,
    meaning: &'static str,
    field: fn(&mut WebSocketConfig) -> Field<'_>,
}

/// The longest time that most durations allow, in milliseconds.
const TEN_MINUTES: u64 = 600_000;

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// The longest path of a file, or URL, in bytes.
const LONGEST_PATH: usize = 4096;

/// A key that is missing here does not exist for files, variables, checks and documentation.
static KEYS: &[ConfigKey] = &[
    key("enabled", "Whether the service runs; when not, the path answers 503.", |c| Field::Switch(&mut c.enabled)),
    key("debug", "Logs each event in and out with its outcome, never its payload.", |c| Field::Switch(&mut c.debug)),
    key("host", "The address to listen on; the default is reachable from this machine only.", |c| {
        Field::Address(&mut c.host)
    }),
    key("path", "The path that clients connect to.", |c| Field::Path(&mut c.path)),
    key("port", "The port to listen on; 0 lets the system choose a free one.", |c| {
        Field::count(&mut c.port, 0..=u16::MAX.into())
    }),
    key("transports", "The transports that clients may use.", |c| Field::Transports(&mut c.transports)),
    key("pingInterval", "The interval of heartbeat pings.", |c| Field::millis(&mut c.ping_interval, 100..=TEN_MINUTES)),
    key("pingTimeout", "How long to wait for the pong before the client is disconnected.", |c| {
        Field::millis(&mut c.ping_timeout, 100..=TEN_MINUTES)
    }),
    key("maxConnections", "The most clients that may be connected to this process at one time.", |c| {
        Field::count(&mut c.max_connections, 1..=u32::MAX.into())
    }),
    key("ssl", "Whether to serve TLS.", |c| Field::Switch(&mut c.ssl)),
    key("tls.cert", "The file with the certificate, as PEM, when ssl is true.", |c| {
        Field::text(&mut c.tls.cert, LONGEST_PATH)
    }),
    key("tls.key", "The file with the certificate's private key, as PEM.", |c| {
        Field::text(&mut c.tls.key, LONGEST_PATH)
    }),
    key("tls.reload", "How often these files are checked for a new certificate.", |c| {
        Field::millis(&mut c.tls.reload, 1000..=DAY)
    }),
    key(
        "allowedOrigins",
        "The origins that may connect (CORS), besides the server's own and, on one machine, those of loopback addresses.",
        |c| Field::Origins(&mut c.allowed_origins),
    ),
    key(
        "trustedProxies",
        "The networks of trusted proxies, the only ones with X-Forwarded-For and Forwarded headers that count.",
        |c| Field::Networks(&mut c.trusted_proxies),
    ),
    key("auth.algorithms", "The algorithms by which a token may be signed.", |c| {
        Field::Algorithms(&mut c.auth.algorithms)
    }),
    key("auth.secret", "The secret of the HS algorithms; never shown.", |c| Field::secret(&mut c.auth.secret, 1024)),
    key("auth.publicKey", "The public key of the other algorithms, as PEM.", |c| Field::Pem(&mut c.auth.public_key)),
    key("auth.keyFile", "A file with that public key or that secret.", |c| {
        Field::text(&mut c.auth.key_file, LONGEST_PATH)
    }),
    key("auth.jwks", "A file with a JSON Web Key Set, or the http or https URL of one.", |c| {
        Field::text(&mut c.auth.jwks, LONGEST_PATH)
    }),
    key("auth.jwksRefresh", "The maximum age of a key set before it is refreshed.", |c| {
        Field::millis(&mut c.auth.jwks_refresh, 1000..=DAY)
    }),
    key("auth.issuers", "Accepted `iss` values. If empty, any issuer is accepted.", |c| {
        Field::Words(&mut c.auth.issuers)
    }),
    key("auth.audiences", "Accepted `aud` values. If empty, tokens with an `aud` claim are rejected.", |c| {
        Field::Words(&mut c.auth.audiences)
    }),
    key("auth.leeway", "The allowed clock skew of issuers.", |c| Field::millis(&mut c.auth.leeway, 0..=TEN_MINUTES)),
    key("auth.userClaim", "The claim with the user's id.", |c| Field::Name(&mut c.auth.user_claim)),
    key("auth.field", "The field of the handshake's auth payload with the token.", |c| Field::Name(&mut c.auth.field)),
    key("auth.header", "The request header with the token, alone or after Bearer.", |c| {
        Field::Name(&mut c.auth.header)
    }),
    key("auth.anonymous", "Whether clients without a token are accepted, as guests.", |c| {
        Field::Switch(&mut c.auth.anonymous)
    }),
    key("auth.timeout", "How long to wait for the authenticator before a client is refused.", |c| {
        Field::millis(&mut c.auth.timeout, 100..=60_000)
    }),
    key("auth.revocation", "How long a revocation is remembered: at least the longest lifetime of a token.", |c| {
        Field::millis(&mut c.auth.revocation, 1000..=30 * DAY)
    }),
    key("keepAlive", "Whether accepted connections use TCP keep-alive.", |c| Field::Switch(&mut c.keep_alive)),
    key("retryConfig.attempts", "The number of retries of a failed call of the state backend.", |c| {
        Field::count(&mut c.retry_config.attempts, 0..=20)
    }),
    key("retryConfig.delay", "The delay before the first retry.", |c| {
        Field::millis(&mut c.retry_config.delay, 0..=TEN_MINUTES)
    }),
    key("retryConfig.maxDelay", "The longest delay between two attempts.", |c| {
        Field::millis(&mut c.retry_config.max_delay, 0..=TEN_MINUTES)
    }),
    key(
        "retryConfig.timeout",
        "How long calls of the state backend may be retried at start; later the shorter of this and state.timeout applies.",
        |c| Field::millis(&mut c.retry_config.timeout, 1..=TEN_MINUTES),
    ),
    key("logger.level", "The least severe lines that are logged.", |c| Field::Level(&mut c.logger.level)),
    key("logger.pretty", "Human-readable log lines; otherwise one JSON object a line.", |c| {
        Field::Switch(&mut c.logger.pretty)
    }),
    key(
        "nodeId",
        "The name of this process in the cluster, which should be unique; by default it is generated at start.",
        |c| Field::Node(&mut c.node_id),
    ),
    key("limits.payload", "The largest message accepted on every transport, with all its attachments.", |c| {
        Field::bytes(&mut c.limits.payload, 1024..=64 * 1024 * 1024)
    }),
    key(
        "limits.attachments",
        "The most binary attachments of one event or acknowledgement, received or sent; official clients accept 10.",
        |c| Field::count(&mut c.limits.attachments, 0..=1000),
    ),
    key("limits.depth", "How deep the arrays and objects of an event may be nested.", |c| {
        Field::count(&mut c.limits.depth, 1..=120)
    }),
    key("limits.eventName", "The longest name of an event that a client may send.", |c| {
        Field::bytes(&mut c.limits.event_name, 1..=EventName::MAX_BYTES as u64)
    }),
    key("limits.roomName", "The longest id of a room that a client may join.", |c| {
        Field::bytes(&mut c.limits.room_name, 1..=RoomId::MAX_BYTES as u64)
    }),
    key("limits.roomsPerClient", "The most rooms of which one client may be a member.", |c| {
        Field::count(&mut c.limits.rooms_per_client, 1..=100_000)
    }),
    key("limits.metadata", "The largest metadata of one client or one room, as JSON.", |c| {
        Field::bytes(&mut c.limits.metadata, 0..=1 << 20)
    }),
    key("limits.eventsPerSecond", "The sustained rate of events of one client, per second.", |c| {
        Field::count(&mut c.limits.events_per_second, 1..=1_000_000)
    }),
    key("limits.eventBurst", "The burst of events of one client.", |c| {
        Field::count(&mut c.limits.event_burst, 1..=1_000_000)
    }),
    key("limits.bytesPerSecond", "The sustained rate of event bytes of one client, per second.", |c| {
        Field::bytes(&mut c.limits.bytes_per_second, 1024..=1 << 30)
    }),
    key("limits.byteBurst", "The burst of event bytes of one client; at least one event.", |c| {
        Field::bytes(&mut c.limits.byte_burst, 1024..=1 << 30)
    }),
    key(
        "limits.connectionsPerAddress",
        "The most concurrent clients of one address; an IPv6 address counts with its /64.",
        |c| Field::Derived {
            field: &mut c.limits.connections_per_address,
            range: 1..=1_000_000,
            rule: "half of maxConnections",
        },
    ),
    key(
        "limits.reconnectsPerSecond",
        "The sustained rate of short connections of one address, per second: those that end within five seconds.",
        |c| Field::count(&mut c.limits.reconnects_per_second, 1..=100_000),
    ),
    key("limits.reconnectBurst", "The most short connections of one address at once.", |c| {
        Field::count(&mut c.limits.reconnect_burst, 1..=100_000)
    }),
    key("limits.headers", "The most headers of one request.", |c| Field::count(&mut c.limits.headers, 8..=1000)),
    key("limits.headerBytes", "The largest head of one request, with its address and all its headers.", |c| {
        Field::bytes(&mut c.limits.header_bytes, 8192..=1 << 20)
    }),
    key(
        "limits.handshakeTimeout",
        "How long a connection may take to finish TLS, a request's head or body, or to connect to a namespace.",
        |c| Field::millis(&mut c.limits.handshake_timeout, 100..=TEN_MINUTES),
    ),
    key(
        "limits.writeTimeout",
        "How long a peer may read nothing of the data sent to it before its connection is closed.",
        |c| Field::millis(&mut c.limits.write_timeout, 100..=TEN_MINUTES),
    ),
    key(
        "limits.mailbox",
        "How many events of one client may be queued before the server stops reading from it.",
        |c| Field::count(&mut c.limits.mailbox, 16..=65_536),
    ),
    key(
        "limits.sendBuffer",
        "How many packets may be queued for one client before it is disconnected as a slow consumer.",
        |c| Field::count(&mut c.limits.send_buffer, 16..=65_536),
    ),
    key(
        "limits.sendBufferBytes",
        "How many bytes may be queued for one client before it is disconnected as a slow consumer; at least one message.",
        |c| Field::bytes(&mut c.limits.send_buffer_bytes, 1024..=1 << 30),
    ),
    key("lease.duration", "How long a node that does not renew its lease is considered alive.", |c| {
        Field::millis(&mut c.lease.duration, 100..=TEN_MINUTES)
    }),
    key("lease.heartbeat", "How often a node renews its lease.", |c| {
        Field::millis(&mut c.lease.heartbeat, 10..=TEN_MINUTES / 2)
    }),
    key("lease.reconcile", "How often a node compares its clients with the store.", |c| {
        Field::millis(&mut c.lease.reconcile, 1000..=3_600_000)
    }),
    key(
        "health.outageLimit",
        "How long the state or the other nodes may be out of reach before this node is not ready; 0 ignores outages.",
        |c| Field::millis(&mut c.health.outage_limit, 0..=3_600_000),
    ),
    key("drain.timeout", "How long a graceful shutdown may take; 0 stops at once.", |c| {
        Field::millis(&mut c.drain.timeout, 0..=3_600_000)
    }),
    key(
        "drain.delay",
        "How long a node that drains still accepts clients after it is not ready, so that the load balancer notices.",
        |c| Field::millis(&mut c.drain.delay, 0..=3_600_000),
    ),
    key("drain.spread", "Over how long the clients of a node that drains are asked to go, if there are many.", |c| {
        Field::millis(&mut c.drain.spread, 0..=3_600_000)
    }),
    key("state.urls", "The servers of the state backend: one, or several nodes of one cluster.", |c| {
        Field::Urls(&mut c.state.urls)
    }),
    key("state.username", "The user name for those servers; overrides that of a URL.", |c| {
        Field::text(&mut c.state.username, 256)
    }),
    key("state.password", "The password; overrides that of a URL, and is never shown.", |c| {
        Field::secret(&mut c.state.password, 1024)
    }),
    key("state.database", "The number of the server's database.", |c| {
        Field::count(&mut c.state.database, 0..=1_000_000)
    }),
    key("state.prefix", "The prefix of all stored keys; services with different prefixes are independent.", |c| {
        Field::Prefix(&mut c.state.prefix)
    }),
    key("state.poolSize", "The number of open connections to a server.", |c| {
        Field::count(&mut c.state.pool_size, 1..=64)
    }),
    key(
        "state.timeout",
        "How long one operation on shared state may take, including retries, before it fails with STATE_UNAVAILABLE.",
        |c| Field::millis(&mut c.state.timeout, 100..=TEN_MINUTES),
    ),
    key("state.connectTimeout", "How long one attempt to connect to a server may take.", |c| {
        Field::millis(&mut c.state.connect_timeout, 100..=TEN_MINUTES)
    }),
];

const fn key(name: &'static str, meaning: &'static str, field: fn(&mut WebSocketConfig) -> Field<'_>) -> ConfigKey {
    ConfigKey { name, meaning, field }
}

impl ConfigKey {
    /// Every key, those of the top level and those of a group such as `retryConfig`.
    #[must_use]
    pub fn all() -> &'static [Self] {
        KEYS
    }

    /// The key as a path into a file, such as `retryConfig.maxDelay`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The environment variable, such as `ROOMWIRE_RETRY_CONFIG__MAX_DELAY`.
    #[must_use]
    pub fn variable(&self) -> String {
        let mut variable = "ROOMWIRE_".to_owned();
        for character in self.name.chars() {
            match character {
                '.' => variable.push_str("__"),
                upper if upper.is_ascii_uppercase() => variable.extend(['_', upper]),
                lower => variable.push(lower.to_ascii_uppercase()),
            }
        }
        variable
    }

    /// The default value as a JSON or TOML file would write it. `None` if the key has no default, or if its default is
    /// derived from another key.
    #[must_use]
    pub fn default(&self) -> Option<String> {
        match self.field(&mut WebSocketConfig::default()).value() {
            config::ValueKind::Nil => None,
            value => Some(shown(&value)),
        }
    }

    /// The rule that derives the value from another key if it is not set, such as `half of maxConnections`.
    #[must_use]
    pub fn default_rule(&self) -> Option<&'static str> {
        match self.field(&mut WebSocketConfig::default()) {
            Field::Derived { rule, .. } => Some(rule),
            _ => None,
        }
    }

    /// A description of the allowed values.
    #[must_use]
    pub fn allowed(&self) -> String {
        let mut allowed = self.field(&mut WebSocketConfig::default()).allowed();
        if let Some(bound) = relation::bound(self.name) {
            allowed.push_str(", ");
            allowed.push_str(bound);
        }
        allowed
    }

    /// What the key is for, in one sentence.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Whether its value is secret.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.field(&mut WebSocketConfig::default()), Field::Secret { .. })
    }

    /// This key's place in a configuration.
    pub(super) fn field<'a>(&self, config: &'a mut WebSocketConfig) -> Field<'a> {
        (self.field)(config)
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The names of the keys inside a group, or at the top level for an empty name. Empty when there is no such group.
    pub(super) fn names_in(group: &str) -> Vec<&'static str> {
        let mut names: Vec<_> = KEYS
            .iter()
            .filter_map(|key| match key.name.split_once('.') {
                Some((its_group, _)) if group.is_empty() => Some(its_group),
                Some((its_group, name)) => (its_group == group).then_some(name),
                None => group.is_empty().then_some(key.name),
            })
            .collect();
        names.dedup();
        names
    }
}

impl std::fmt::Debug for ConfigKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ConfigKey").field(&self.name).finish()
    }
}
