//! A configuration while its layers are read.

use std::collections::HashMap;

use config::ValueKind;

use super::{ConfigError, ConfigKey, ConfigSource, Problem, WebSocketConfig, relation};

/// Starts with the defaults; each layer overrides the previous ones.
#[derive(Default)]
pub(super) struct Draft {
    config: WebSocketConfig,
    sources: HashMap<&'static str, ConfigSource>,
    problems: Vec<Problem>,
}

impl Draft {
    /// Replaces the value of a key, or records a problem.
    pub(super) fn set(&mut self, key: &'static ConfigKey, value: &ValueKind, source: ConfigSource) {
        if key.field(&mut self.config).take(value) {
            self.sources.insert(key.name(), source);
        } else {
            self.refuse(Problem::not_allowed(key, value, source));
        }
    }

    pub(super) fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The configuration, if no layer had a problem and the values are consistent.
    pub(super) fn finish(mut self) -> Result<WebSocketConfig, ConfigError> {
        let source_of = |name: &str| self.sources.get(name).cloned().unwrap_or(ConfigSource::Default);
        relation::check(&self.config, source_of, &mut self.problems);
        ConfigError::unless_none(self.problems)?;
        Ok(self.config)
    }
}
