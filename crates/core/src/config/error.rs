//! Problems of a configuration.

use std::fmt;

use config::ValueKind;

use super::{ConfigKey, secret::HIDDEN, shown::shown};

/// Every problem found in a configuration.
///
/// Both `Display` and `Debug` write the whole list for people to read, because a `main` that returns this error
/// prints it by `Debug`:
///
/// ```text
/// 2 configuration problems:
///   pingIntervall = 3 in roomwire.toml: no such key; did you mean `pingInterval`?
///   port = "many" in ROOMWIRE_PORT: expected a whole number from 0 to 65535
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// An error, if there is a problem.
    pub(super) fn unless_none(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// The problems, at least one: those of the file, of the variables, then conflicts between two values.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} configuration problem{}:", if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value, or a whole file, that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    subject: Option<(String, String)>,
    source: ConfigSource,
    allowed: String,
}

impl Problem {
    /// A problem with the value of a key or variable.
    pub(super) fn new(
        key: impl Into<String>,
        value: impl Into<String>,
        source: ConfigSource,
        allowed: impl Into<String>,
    ) -> Self {
        Self { subject: Some((key.into(), value.into())), source, allowed: allowed.into() }
    }

    /// A value that its key does not allow.
    pub(super) fn not_allowed(key: &ConfigKey, value: &ValueKind, source: ConfigSource) -> Self {
        let shown = if key.is_secret() { HIDDEN.to_owned() } else { shown(value) };
        Self::new(key.name(), shown, source, format!("expected {}", key.allowed()))
    }

    /// A problem with a file as a whole.
    pub(super) fn file(file: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { subject: None, source: ConfigSource::File(file.into()), allowed: allowed.into() }
    }

    /// The key, such as `retryConfig.maxDelay`, or the name of a variable that belongs to no key. `None` if the problem
    /// is the file itself.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.subject.as_ref().map(|(key, _)| key.as_str())
    }

    /// The rejected value as in a file, truncated if it is long and hidden if it is a secret. `None` if the problem is
    /// the file itself.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.subject.as_ref().map(|(_, value)| value.as_str())
    }

    /// Where the value came from.
    #[must_use]
    pub fn source(&self) -> &ConfigSource {
        &self.source
    }

    /// What is allowed, such as `expected true or false`. For a file that cannot be parsed, the line and the parser's
    /// message.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((key, value)) = &self.subject {
            write!(f, "{key} = {value} in ")?;
        }
        write!(f, "{}: {}", self.source, self.allowed)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigSource {
    /// No layer set the key.
    Default,
    /// The file with this path, as named or found.
    File(String),
    /// The environment variable of a key.
    Variable(String),
    /// The environment, in a variable that belongs to no key; the problem's key is its name.
    Environment,
    /// A configuration written in code.
    Code,
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "the defaults",
            Self::File(name) | Self::Variable(name) => name,
            Self::Environment => "the environment",
            Self::Code => "code",
        })
    }
}
