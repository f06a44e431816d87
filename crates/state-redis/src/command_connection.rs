//! One command connection shared by many callers, with automatic reconnects.

mod batches;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_redis::{Connection, Pool, PoolError};
use parking_lot::Mutex;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, Value, aio::MultiplexedConnection};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::batches::CommandBatches;
use crate::metrics::Metrics;

/// The timeout of a ping before the connection is closed.
const PATIENCE: Duration = Duration::from_secs(2);
/// A server that had less time than this to answer does not count as slow. Commands are sent with the remaining time of
/// their operation, which may be close to zero.
const FAIR: Duration = Duration::from_millis(200);
/// The delay before a failed attempt to connect is retried.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a command failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server answered with an error.
    #[error("{0}")]
    Answered(RedisError),
    /// The connection could not be opened: nothing was sent.
    #[error("connection failed: {0}")]
    Unconnected(String),
    /// The connection broke. The command may have been executed.
    #[error("connection broke: {0}")]
    Broken(String),
    /// The slot has moved to another server: nothing was sent.
    #[error("the slot has moved to another server")]
    Moved,
    /// No response by the deadline. The command may have been executed.
    #[error("no answer in time")]
    TimedOut,
    /// Not sent: the server has not answered for a while, and is being pinged.
    #[error("the server does not answer at the moment")]
    Stalled,
}

impl Failure {
    /// The label under which it is counted.
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Answered(_) => "error answer",
            // Nothing was sent.
            Self::Unconnected(_) | Self::Moved => "no connection",
            Self::Broken(_) => "broken connection",
            Self::TimedOut => "timeout",
            Self::Stalled => "stalled",
        }
    }
}

/// Whether a command waits for a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reconnect {
    /// Until the deadline.
    Wait,
    /// In the background: the command fails at once.
    DoNotWait,
}

/// A connection of a pool, shared.
#[derive(Clone, Debug)]
pub(crate) struct CommandConnection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Pool,
    batches: CommandBatches,
    current: Mutex<Option<Arc<Live>>>,
    /// Locked by the task that connects.
    connecting: tokio::sync::Mutex<()>,
    /// Set while there is no connection and there was an attempt: then one is opened in the background.
    lost: AtomicBool,
    /// The time and error of the last failed attempt to connect.
    failed: Mutex<Option<(Instant, Failure)>>,
    metrics: Arc<Metrics>,
}

struct Live {
    connection: MultiplexedConnection,
    /// The pooled connection; removed from the pool when it is closed.
    pooled: Mutex<Option<Connection>>,
    /// Set while the server has not answered in time.
    stalled: AtomicBool,
    /// Set while the server is being pinged.
    probed: AtomicBool,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("stalled", &self.stalled).finish_non_exhaustive()
    }
}

impl CommandConnection {
    pub(crate) fn new(pool: Pool, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Shared {
            pool,
            batches: CommandBatches::default(),
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            lost: AtomicBool::new(false),
            failed: Mutex::default(),
            metrics,
        }))
    }

    /// Sends a command. Commands that are sent one after another are executed in that order, as long as the connection
    /// does not break.
    pub(crate) async fn send(&self, command: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let live = self.live(Reconnect::Wait, deadline).await?;
        let mut connection = live.connection.clone();
        let sent = Instant::now();
        let answer = timeout_at(deadline, connection.send_packed_command(command)).await;
        self.answer(&live, sent, answer).and_then(read)
    }

    /// Sends several commands in a pipeline. The responses may be errors of single commands.
    pub(crate) async fn send_all(
        &self,
        commands: &Pipeline,
        reconnect: Reconnect,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let live = self.live(reconnect, deadline).await?;
        let mut connection = live.connection.clone();
        let sent = Instant::now();
        let answers = timeout_at(deadline, connection.send_packed_commands(commands, 0, commands.len())).await;
        self.answer(&live, sent, answers)
    }

    /// Closes the connection: the next command opens another.
    pub(crate) fn reset(&self) {
        if let Some(live) = self.0.current.lock().take() {
            live.leave_pool();
        }
    }

    fn answer<T, E>(
        &self,
        live: &Arc<Live>,
        sent: Instant,
        answer: Result<Result<T, RedisError>, E>,
    ) -> Result<T, Failure> {
        self.0.metrics.command(sent.elapsed());
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.is_unrecoverable_error() || error.is_io_error() => {
                self.0.give_up(live);
                Err(Failure::Broken(error.to_string()))
            }
            Ok(Err(error)) => Err(Failure::Answered(error)),
            Err(_) => {
                // A slow response does not mean a broken connection: other commands fail fast until the server answers
                // again.
                if sent.elapsed() >= FAIR && !live.stalled.swap(true, Ordering::AcqRel) {
                    self.0.probe(live);
                }
                Err(Failure::TimedOut)
            }
        }
    }

    /// Checks in the background whether the connection still works.
    pub(crate) fn suspect(&self) {
        let live = self.0.current.lock().clone();
        if let Some(live) = live.filter(|live| !live.stalled.load(Ordering::Acquire)) {
            self.0.probe(&live);
        }
    }

    async fn live(&self, reconnect: Reconnect, deadline: Instant) -> Result<Arc<Live>, Failure> {
        if let Some(live) = self.0.usable()? {
            return Ok(live);
        }
        if reconnect == Reconnect::DoNotWait && self.0.lost.load(Ordering::Acquire) {
            return Err(self.0.why_lost());
        }
        let began = Instant::now();
        let opened = timeout_at(deadline, async {
            let _connecting = self.0.connecting.lock().await;
            if let Some(live) = self.0.usable()? {
                return Ok(live);
            }
            self.0.open().await
        });
        let opened = opened.await;
        self.0.metrics.waited(began.elapsed());
        opened.unwrap_or_else(|_| Err(Failure::Unconnected("no connection in time".to_owned())))
    }
}

impl Shared {
    fn usable(&self) -> Result<Option<Arc<Live>>, Failure> {
        match &*self.current.lock() {
            Some(live) if live.stalled.load(Ordering::Acquire) => Err(Failure::Stalled),
            Some(live) => Ok(Some(live.clone())),
            None => Ok(None),
        }
    }

    async fn open(self: &Arc<Self>) -> Result<Arc<Live>, Failure> {
        if let Some((since, failure)) = &*self.failed.lock()
            && since.elapsed() < PAUSE
        {
            return Err(failure.clone());
        }
        match self.pool.get().await {
            Ok(connection) => {
                self.metrics.connections_opened.increment(1);
                let live = Arc::new(Live {
                    connection: MultiplexedConnection::clone(&connection),
                    pooled: Mutex::new(Some(connection)),
                    stalled: AtomicBool::new(false),
                    probed: AtomicBool::new(false),
                });
                *self.failed.lock() = None;
                *self.current.lock() = Some(live.clone());
                self.lost.store(false, Ordering::Release);
                Ok(live)
            }
            // It is reachable and rejects the user, or is still loading its data.
            Err(PoolError::Backend(error)) if is_answer(&error) => {
                self.metrics.connection_failures.increment(1);
                let failure = Failure::Answered(error);
                *self.failed.lock() = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
            Err(error) => {
                self.metrics.connection_failures.increment(1);
                let failure = Failure::Unconnected(error.to_string());
                *self.failed.lock() = Some((Instant::now(), failure.clone()));
                self.reopen();
                Err(failure)
            }
        }
    }

    /// For a command that does not wait: a server that rejects the connection is not unavailable.
    fn why_lost(&self) -> Failure {
        match &*self.failed.lock() {
            Some((_, refused @ Failure::Answered(_))) => refused.clone(),
            _ => Failure::Unconnected("the server is away".to_owned()),
        }
    }

    /// Pings the server; closes the connection if there is no response.
    fn probe(self: &Arc<Self>, live: &Arc<Live>) {
        if live.probed.swap(true, Ordering::AcqRel) {
            return;
        }
        let (live, shared) = (live.clone(), self.clone());
        tokio::spawn(async move {
            let mut connection = live.connection.clone();
            match timeout(PATIENCE, connection.send_packed_command(&redis::cmd("PING"))).await {
                Ok(Ok(_)) => {
                    live.probed.store(false, Ordering::Release);
                    live.stalled.store(false, Ordering::Release);
                }
                Ok(Err(_)) | Err(_) => shared.give_up(&live),
            }
        });
    }

    fn give_up(self: &Arc<Self>, live: &Arc<Live>) {
        let was_present = {
            let mut current = self.current.lock();
            current.take_if(|present| Arc::ptr_eq(present, live)).is_some()
        };
        live.leave_pool();
        if was_present {
            self.reopen();
        }
    }

    /// Opens a connection in the background, without a time limit, so that commands that do not wait for one find it as
    /// soon as the server is back.
    fn reopen(self: &Arc<Self>) {
        if self.lost.swap(true, Ordering::AcqRel) {
            return;
        }
        let connection = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(connection) = connection.upgrade() {
                let connecting = connection.connecting.lock().await;
                let is_open = connection.current.lock().is_some() || connection.open().await.is_ok();
                drop(connecting);
                if is_open {
                    return;
                }
                drop(connection);
                sleep(PAUSE).await;
            }
        });
    }
}

/// A response that is not an error.
pub(crate) fn read(value: Value) -> Result<Value, Failure> {
    value.extract_error().map_err(Failure::Answered)
}

/// Whether the error comes from a server, not from the library or the network.
pub(crate) fn is_answer(error: &RedisError) -> bool {
    error.code().is_some() || error.kind() == ErrorKind::AuthenticationFailed
}

impl Live {
    fn leave_pool(&self) {
        if let Some(connection) = self.pooled.lock().take() {
            drop(Connection::take(connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redis::IntoConnectionInfo;
    use roomwire_test_servers::RedisServer;
    use tokio::time::{Instant, sleep};

    use super::Failure;
    use crate::shard::Shard;

    #[tokio::test]
    async fn a_server_counts_as_slow_only_after_a_command_with_enough_time() {
        let server = RedisServer::start().await;
        let info = server.url().into_connection_info().expect("valid");
        let shard = Shard::new(&info, 1, Duration::from_secs(1)).expect("valid");
        let ping = redis::cmd("PING");
        let send = async |time| shard.send(0, &ping, Instant::now() + time).await;
        send(Duration::from_secs(1)).await.expect("answers");
        server.stop_answering();
        assert!(matches!(send(Duration::from_millis(10)).await, Err(Failure::TimedOut)));
        let (answer, ()) = tokio::join!(send(Duration::from_secs(5)), async {
            sleep(Duration::from_millis(50)).await;
            server.go_on();
        });
        answer.expect("whoever comes next waits for the answer");
        server.stop_answering();
        assert!(matches!(send(Duration::from_millis(300)).await, Err(Failure::TimedOut)));
        assert!(matches!(send(Duration::from_secs(5)).await, Err(Failure::Stalled)), "at once");
        server.go_on();
    }
}
