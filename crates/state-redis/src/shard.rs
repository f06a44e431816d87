//! One Redis server: its pool, and the lanes that commands take.

use std::time::Duration;

use deadpool_redis::{Manager, Pool, Runtime, Timeouts};
use redis::{AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisResult, Value};
use tokio::time::Instant;

use crate::{
    lane::{Failure, Lane, Reconnect},
    topology::Address,
};

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

    /// Sends a command on the lane of this number: what must stay in order has the same.
    pub(crate) async fn send(
        &self,
        lane: usize,
        command: &Cmd,
        reconnect: Reconnect,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let answer = self.lane(lane).send(command, reconnect, deadline).await;
        self.heed(&answer);
        answer
    }

    /// Sends several commands together and returns the last answer.
    pub(crate) async fn send_all(&self, lane: usize, commands: &Pipeline, deadline: Instant) -> Result<Value, Failure> {
        let answer = self.lane(lane).send_all(commands, deadline).await;
        self.heed(&answer);
        answer
    }

    /// What happened to one connection has perhaps happened to all.
    fn heed(&self, answer: &Result<Value, Failure>) {
        if matches!(answer, Err(Failure::TimedOut | Failure::Broken(_))) {
            self.suspect();
        }
    }

    /// Finds out which connections still work.
    pub(crate) fn suspect(&self) {
        self.lanes.iter().for_each(Lane::suspect);
    }

    fn lane(&self, number: usize) -> &Lane {
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
