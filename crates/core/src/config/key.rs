//! The table of all keys.

use super::{WebSocketConfig, field::Field, relation, shown::shown};

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
    key("pingInterval", "How often a client is asked for a sign of life.", |c| {
        Field::millis(&mut c.ping_interval, 100..=TEN_MINUTES)
    }),
    key("pingTimeout", "How long to wait for that sign of life before the client counts as gone.", |c| {
        Field::millis(&mut c.ping_timeout, 100..=TEN_MINUTES)
    }),
    key("maxConnections", "The most clients that may be connected to this process at one time.", |c| {
        Field::count(&mut c.max_connections, 1..=u32::MAX.into())
    }),
    key("ssl", "Whether to serve TLS.", |c| Field::Switch(&mut c.ssl)),
    key("keepAlive", "Whether accepted connections use TCP keep-alive.", |c| Field::Switch(&mut c.keep_alive)),
    key("retryConfig.attempts", "How many times a failed call of the state backend is repeated.", |c| {
        Field::count(&mut c.retry_config.attempts, 0..=20)
    }),
    key("retryConfig.delay", "How long to wait before the first repeat.", |c| {
        Field::millis(&mut c.retry_config.delay, 0..=TEN_MINUTES)
    }),
    key("retryConfig.maxDelay", "The longest wait between two tries.", |c| {
        Field::millis(&mut c.retry_config.max_delay, 0..=TEN_MINUTES)
    }),
    key(
        "retryConfig.timeout",
        "How long calls of the state backend may be repeated at start; later the shorter of this and state.timeout counts.",
        |c| Field::millis(&mut c.retry_config.timeout, 1..=TEN_MINUTES),
    ),
    key("logger.level", "The least severe lines that are logged.", |c| Field::Level(&mut c.logger.level)),
    key("logger.pretty", "Log lines for people to read; when not, one JSON object a line.", |c| {
        Field::Switch(&mut c.logger.pretty)
    }),
    key("nodeId", "The name of this process in the cluster; without one, a name is made up at start.", |c| {
        Field::Node(&mut c.node_id)
    }),
    key("limits.payload", "The largest message accepted on every transport, with all its attachments.", |c| {
        Field::bytes(&mut c.limits.payload, 1024..=64 * 1024 * 1024)
    }),
    key("limits.attachments", "The most binary attachments of one event.", |c| {
        Field::count(&mut c.limits.attachments, 0..=1000)
    }),
    key("limits.mailbox", "How many events of one client may wait before the server stops reading from it.", |c| {
        Field::count(&mut c.limits.mailbox, 16..=65_536)
    }),
    key(
        "limits.sendBuffer",
        "How many packets may wait for one client before it is disconnected as a slow consumer.",
        |c| Field::count(&mut c.limits.send_buffer, 16..=65_536),
    ),
    key("lease.duration", "How long a node that does not renew its lease still counts as alive.", |c| {
        Field::millis(&mut c.lease.duration, 100..=TEN_MINUTES)
    }),
    key("lease.heartbeat", "How often a node renews its lease.", |c| {
        Field::millis(&mut c.lease.heartbeat, 10..=TEN_MINUTES / 2)
    }),
    key("lease.reconcile", "How often a node compares its clients with what the store holds of them.", |c| {
        Field::millis(&mut c.lease.reconcile, 1000..=3_600_000)
    }),
    key("drain.timeout", "How long a graceful stop may take; 0 stops at once.", |c| {
        Field::millis(&mut c.drain.timeout, 0..=3_600_000)
    }),
    key("state.urls", "Where the servers of the state backend are: one, or several nodes of one cluster.", |c| {
        Field::Urls(&mut c.state.urls)
    }),
    key("state.username", "Who the service is to those servers; comes before what a URL says.", |c| {
        Field::text(&mut c.state.username, 256)
    }),
    key("state.password", "By what it proves that; comes before what a URL says, and is never shown.", |c| {
        Field::secret(&mut c.state.password, 1024)
    }),
    key("state.database", "Which numbered database of the server is used.", |c| {
        Field::count(&mut c.state.database, 0..=1_000_000)
    }),
    key(
        "state.prefix",
        "What the names of everything that is stored begin with; services with different prefixes do not meet.",
        |c| Field::Prefix(&mut c.state.prefix),
    ),
    key("state.poolSize", "How many connections are kept open to a server.", |c| {
        Field::count(&mut c.state.pool_size, 1..=64)
    }),
    key(
        "state.timeout",
        "How long one operation on shared state may take, with all its repeats, before it fails with STATE_UNAVAILABLE.",
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

    /// The value when nothing sets it, as a JSON or TOML file would write it; nothing for a key that has none.
    #[must_use]
    pub fn default(&self) -> Option<String> {
        match self.field(&mut WebSocketConfig::default()).value() {
            config::ValueKind::Nil => None,
            value => Some(shown(&value)),
        }
    }

    /// What the value must be, in words.
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

    /// Whether its value is not to be shown.
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
