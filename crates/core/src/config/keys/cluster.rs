//! The cluster: `lease`, `health`, `drain` and `state`.

use super::{ConfigKey, TEN_MINUTES, key};
use crate::config::field::Field;

pub(super) static KEYS: &[ConfigKey] = &[
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
    )
    .at_once(),
    key("drain.timeout", "How long a graceful shutdown may take; 0 stops at once.", |c| {
        Field::millis(&mut c.drain.timeout, 0..=3_600_000)
    })
    .at_once(),
    key(
        "drain.delay",
        "How long a node that drains still accepts clients after it is not ready, so that the load balancer notices.",
        |c| Field::millis(&mut c.drain.delay, 0..=3_600_000),
    )
    .at_once(),
    key("drain.spread", "Over how long the clients of a node that drains are asked to go, if there are many.", |c| {
        Field::millis(&mut c.drain.spread, 0..=3_600_000)
    })
    .at_once(),
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
