//! One Redis server: its pool and command connections.

use std::{sync::Arc, time::Duration};

use deadpool_redis::{Manager, Pool, Runtime, Timeouts};
use redis::{AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisResult, Value};
use tokio::time::Instant;

use crate::{
    command_connection::{CommandConnection, Failure, Reconnect, read},
    metrics::Metrics,
    topology::Address,
};

/// The connections to one server.
#[derive(Debug)]
pub(crate) struct Shard {
    connections: Vec<CommandConnection>,
    metrics: Arc<Metrics>,
}

impl Shard {
    /// Opens no connection yet.
    pub(crate) fn new(server: &ConnectionInfo, connections: usize, connect_timeout: Duration) -> RedisResult<Self> {
        // Every command has a deadline, so the connection needs no timeout of its own.
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
        let metrics = Metrics::new();
        let connection = |_| CommandConnection::new(pool.clone(), metrics.clone());
        Ok(Self { connections: (0..connections).map(connection).collect(), metrics })
    }

    /// Sends a command on the connection with this number: commands whose order matters use the same one.
    pub(crate) async fn send(&self, connection: usize, command: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let answer = self.connection(connection).send(command, deadline).await;
        self.heed(&answer);
        answer
    }

    /// Sends a command as [`send`](Self::send), together with others that are sent this way at the same time. Fails at
    /// once while there is no connection.
    pub(crate) async fn send_in_batch(
        &self,
        connection: usize,
        command: &Cmd,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let answer = self.connection(connection).send_in_batch(command.clone(), deadline).await;
        self.heed(&answer);
        answer
    }

    /// Sends several commands in a pipeline and returns the last response.
    pub(crate) async fn send_all(
        &self,
        connection: usize,
        commands: &Pipeline,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let answers = self.connection(connection).send_all(commands, Reconnect::Wait, deadline).await;
        let answer = answers.and_then(|mut answers| read(answers.pop().unwrap_or(Value::Nil)));
        self.heed(&answer);
        answer
    }

    /// Counts a failure. If one connection failed, perhaps all did.
    fn heed(&self, answer: &Result<Value, Failure>) {
        if let Err(failure) = answer {
            self.metrics.failed(failure.cause());
        }
        if matches!(answer, Err(Failure::TimedOut | Failure::Broken(_))) {
            self.suspect();
        }
    }

    /// Checks which connections still work.
    pub(crate) fn suspect(&self) {
        self.connections.iter().for_each(CommandConnection::suspect);
    }

    fn connection(&self, number: usize) -> &CommandConnection {
        &self.connections[number % self.connections.len()]
    }

    /// Closes all connections.
    pub(crate) fn reset(&self) {
        self.connections.iter().for_each(CommandConnection::reset);
    }
}

/// The address of a server, from its settings; a socket file has a pseudo host.
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
