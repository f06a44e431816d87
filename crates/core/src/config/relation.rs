//! Rules that relate two keys.

use super::{ConfigKey, ConfigSource, Problem, WebSocketConfig, shown::shown};

struct Relation {
    /// The key that violates the rule, by convention.
    key: &'static str,
    /// The rule as text that ends with the other key's name.
    bound: &'static str,
    other: &'static str,
    holds: fn(&WebSocketConfig) -> bool,
}

static RELATIONS: &[Relation] = &[
    Relation {
        key: "retryConfig.maxDelay",
        bound: "at least retryConfig.delay",
        other: "retryConfig.delay",
        holds: |config| config.retry_config.max_delay >= config.retry_config.delay,
    },
    Relation {
        key: "lease.heartbeat",
        bound: "at most half of lease.duration",
        other: "lease.duration",
        holds: |config| config.lease.heartbeat.saturating_mul(2) <= config.lease.duration,
    },
    Relation {
        key: "drain.delay",
        bound: "at most half of drain.timeout",
        other: "drain.timeout",
        holds: |config| config.drain.delay.saturating_mul(2) <= config.drain.timeout,
    },
];

/// The requirement that another key imposes on this one.
pub(super) fn bound(key: &str) -> Option<&'static str> {
    RELATIONS.iter().find(|relation| relation.key == key).map(|relation| relation.bound)
}

/// Adds a problem for each violated rule. Skips a rule if one of its values was rejected already.
pub(super) fn check(config: &WebSocketConfig, source_of: impl Fn(&str) -> ConfigSource, problems: &mut Vec<Problem>) {
    let value_of =
        |name| ConfigKey::named(name).map(|key| shown(&key.field(&mut config.clone()).value())).unwrap_or_default();
    for Relation { key, bound, other, holds } in RELATIONS {
        let is_refused = |name| problems.iter().any(|problem| problem.key() == Some(name));
        if !is_refused(*key) && !is_refused(*other) && !holds(config) {
            let allowed = format!("expected {bound}, which is {} in {}", value_of(other), source_of(other));
            problems.push(Problem::new(*key, value_of(key), source_of(key), allowed));
        }
    }
}
