//! The table of all keys.

use super::{Reloading, WebSocketConfig, field::Field, relation, shown::shown};

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
    pub(super) name: &'static str,
    meaning: &'static str,
    reloading: Reloading,
    field: fn(&mut WebSocketConfig) -> Field<'_>,
}

/// A key that needs a restart; [`at_once`](ConfigKey::at_once) and [`for_new_clients`](ConfigKey::for_new_clients) say
/// otherwise.
pub(super) const fn key(
    name: &'static str,
    meaning: &'static str,
    field: fn(&mut WebSocketConfig) -> Field<'_>,
) -> ConfigKey {
    ConfigKey { name, meaning, reloading: Reloading::Restart, field }
}

impl ConfigKey {
    pub(super) const fn at_once(mut self) -> Self {
        self.reloading = Reloading::AtOnce;
        self
    }

    pub(super) const fn for_new_clients(mut self) -> Self {
        self.reloading = Reloading::NewClients;
        self
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

    /// When a changed value takes effect in a running service.
    #[must_use]
    pub fn reloading(&self) -> Reloading {
        self.reloading
    }

    /// Whether its value is secret.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.field(&mut WebSocketConfig::default()), Field::Secret { .. } | Field::Token(_))
    }

    /// This key's place in a configuration.
    pub(super) fn field<'a>(&self, config: &'a mut WebSocketConfig) -> Field<'a> {
        (self.field)(config)
    }
}

impl std::fmt::Debug for ConfigKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ConfigKey").field(&self.name).finish()
    }
}
