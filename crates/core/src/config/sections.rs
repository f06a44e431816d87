//! Groups of settings.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::LogLevel;

/// Writes a duration as whole milliseconds, the unit of every duration in files and variables.
pub(super) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Retries of calls of the state backend: `retryConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryConfig {
    /// The number of retries of a failed call, 0 to 20. 0 disables retries. 3 unless set.
    pub attempts: u32,
    /// The delay before the first retry, whole milliseconds up to 10 minutes. 1 s unless set.
    #[serde(serialize_with = "millis")]
    pub delay: Duration,
    /// The longest delay between two attempts, whole milliseconds from `delay` to 10 minutes. 5 s unless set.
    #[serde(serialize_with = "millis")]
    pub max_delay: Duration,
    /// How long a start may retry its calls, whole milliseconds from 1 ms to 10 minutes. 10 s unless set. Later calls
    /// take, including retries, no longer than the shorter of this and [`state.timeout`](super::SharedState::timeout).
    #[serde(serialize_with = "millis")]
    pub timeout: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts: 3,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}

/// What is logged, and how: `logger`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logger {
    /// The least severe lines that are logged. [`LogLevel::Info`] unless set.
    pub level: LogLevel,
    /// Lines for people to read (`true`, unless set) or one JSON object a line.
    pub pretty: bool,
}

impl Default for Logger {
    fn default() -> Self {
        Self { level: LogLevel::Info, pretty: true }
    }
}

/// How the nodes of a cluster detect a lost node: `lease`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// How long a node that does not renew its lease is considered alive, whole milliseconds from 100 ms to 10 minutes.
    /// 10 s unless set.
    #[serde(serialize_with = "millis")]
    pub duration: Duration,
    /// How often a node renews its lease, whole milliseconds from 10 ms to half of `duration`. 2 s unless set.
    #[serde(serialize_with = "millis")]
    pub heartbeat: Duration,
    /// How often a node compares its clients and their rooms with the store, with a jitter of one fifth, whole
    /// milliseconds from 1 s to an hour. 60 s unless set.
    #[serde(serialize_with = "millis")]
    pub reconcile: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(10),
            heartbeat: Duration::from_secs(2),
            reconcile: Duration::from_secs(60),
        }
    }
}

/// When a node is ready for new clients: `health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthConfig {
    /// How long the state or the other nodes may be out of reach before this node is not ready, whole milliseconds up to
    /// an hour; 0 ignores outages. 60 s unless set: an outage or a failover of Redis concerns all nodes, and must not take
    /// all of them out of a load balancer at once.
    #[serde(serialize_with = "millis")]
    pub outage_limit: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { outage_limit: Duration::from_secs(60) }
    }
}

/// Graceful shutdown of a node: `drain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// How long a graceful shutdown may take, from the signal to the end, whole milliseconds up to an hour; 0 stops at
    /// once. 10 s unless set.
    #[serde(serialize_with = "millis")]
    pub timeout: Duration,
    /// How long a node that drains still accepts clients after it is not ready, so that the load balancer notices, whole
    /// milliseconds up to half of `timeout`. 0 unless set.
    #[serde(serialize_with = "millis")]
    pub delay: Duration,
    /// Over how long the clients are asked to go, if there are many: ten a second may always be asked. Whole milliseconds
    /// up to an hour, and shortened to three quarters of what `timeout` leaves. 6 s unless set: then at most a fifth of
    /// the clients go and come back in any second.
    #[serde(serialize_with = "millis")]
    pub spread: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), delay: Duration::ZERO, spread: Duration::from_secs(6) }
    }
}
