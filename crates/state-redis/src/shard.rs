//! One Redis server: its pool, and the lanes that commands take.

use std::time::Duration;

use deadpool_redis::{Manager, Pool, Runtime, Timeouts};
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, RedisResult};

use crate::{lane::Lane, topology::Address};

/// What is used of one server.
#[derive(Debug)]
pub(crate) struct Shard {
    lanes: Vec<Lane>,
}

impl Shard {
    /// Opens nothing yet.
    pub(crate) fn new(server: &ConnectionInfo, connections: usize, connect_timeout: Duration) -> RedisResult<Self> {
        // A deadline is over every command, so that the connection needs none of its own.
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(Some(connect_timeout)).set_response_timeout(None);
        let timeouts =
            Timeouts { wait: Some(connect_timeout), create: Some(connect_timeout), recycle: Some(connect_timeout) };
        let pool = Pool::builder(Manager::new_with_config(server.clone(), settings)?)
            .max_size(connections)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .unwrap_or_else(|error| unreachable!("a pool with a runtime is always built: {error}"));
        Ok(Self { lanes: (0..connections).map(|_| Lane::new(pool.clone())).collect() })
    }

    /// The lane of what must stay in order: equal numbers share one.
    pub(crate) fn lane(&self, number: usize) -> &Lane {
        &self.lanes[number % self.lanes.len()]
    }

    /// Gives all connections up.
    pub(crate) fn reset(&self) {
        self.lanes.iter().for_each(Lane::reset);
    }
}

/// Where a server is, by its settings; a socket file has a host of its own.
pub(crate) fn address_of(server: &ConnectionInfo) -> Address {
    match server.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Address { host: host.clone(), port: *port }
        }
        other => Address { host: other.to_string(), port: 0 },
    }
}

/// The settings for another server of the same cluster.
pub(crate) fn at(server: &ConnectionInfo, address: &Address) -> ConnectionInfo {
    let addr = match server.addr().clone() {
        ConnectionAddr::Tcp(..) => ConnectionAddr::Tcp(address.host.clone(), address.port),
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: address.host.clone(), port: address.port, insecure, tls_params }
        }
        other => other,
    };
    server.clone().set_addr(addr)
}
