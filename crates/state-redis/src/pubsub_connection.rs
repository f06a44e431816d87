//! One connection for incoming messages.

use std::{pin::pin, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, FromRedisValue, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Value,
    aio::{MultiplexedConnection, SendError},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    command_connection::{Failure, is_answer},
    frame::{self, Origin},
};

/// The interval of pings.
const PROBE: Duration = Duration::from_secs(1);
/// The timeout of a ping, in addition to the transfer time of the largest message, which may be ahead of it. Detects
/// half-open connections.
const ANSWER: Duration = Duration::from_secs(2);
/// The number of pipelined commands.
const BATCH: usize = 512;

/// Identifies a connection. Never reused.
pub(crate) type LinkId = u64;

/// An event of a connection.
#[derive(Debug)]
pub(crate) enum Signal {
    /// It is open.
    Up(LinkId),
    /// It is closed, or failed to open, for this reason.
    Down(LinkId, Failure),
    /// The server sent a message, not one that this node published.
    Push(LinkId, PushInfo),
    /// The server refused a channel.
    Refused(ChannelCommand, RedisError),
    /// Messages that this node publishes do not reach this connection.
    Unheard(LinkId),
}

/// Timeouts of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// For connecting.
    pub(crate) connect: Duration,
    /// For transferring the largest message.
    pub(crate) transfer: Duration,
}

/// A connection that is open or opening. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct PubSubConnection {
    pub(crate) id: LinkId,
    pub(crate) is_up: bool,
    commands: UnboundedSender<ChannelCommand>,
    task: AbortHandle,
}

/// A command about one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelCommand {
    pub(crate) name: &'static str,
    pub(crate) channel: String,
}

pub(crate) const SUBSCRIBE: &str = "SSUBSCRIBE";
const UNSUBSCRIBE: &str = "SUNSUBSCRIBE";

impl PubSubConnection {
    /// Begins to connect after a delay.
    pub(crate) fn open(
        id: LinkId,
        origin: Origin,
        server: ConnectionInfo,
        pause: Duration,
        limits: TimeLimits,
        signals: UnboundedSender<Signal>,
    ) -> Self {
        let (commands, received) = unbounded_channel();
        let task = tokio::spawn(async move {
            sleep(pause).await;
            let failure = match connect(id, origin, server, limits.connect, &signals).await {
                Ok(connection) => {
                    // Fails when the hub has ended, which also ends this task.
                    let _ = signals.send(Signal::Up(id));
                    Failure::Broken(carry(connection, received, ANSWER + limits.transfer, &signals).await)
                }
                Err(error) if is_answer(&error) => Failure::Answered(error),
                Err(error) => Failure::Unconnected(error.to_string()),
            };
            let _ = signals.send(Signal::Down(id, failure));
        });
        Self { id, is_up: false, commands, task: task.abort_handle() }
    }

    /// Subscribes to a channel. The server confirms with a push message; a refusal is reported as a signal.
    pub(crate) fn subscribe(&self, channel: &str) {
        self.send(SUBSCRIBE, channel);
    }

    pub(crate) fn unsubscribe(&self, channel: &str) {
        self.send(UNSUBSCRIBE, channel);
    }

    fn send(&self, name: &'static str, channel: &str) {
        // Fails when the connection has closed, and then its end is reported.
        let _ = self.commands.send(ChannelCommand { name, channel: channel.to_owned() });
    }
}

impl Drop for PubSubConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connect(
    id: LinkId,
    origin: Origin,
    server: ConnectionInfo,
    connect_timeout: Duration,
    signals: &UnboundedSender<Signal>,
) -> RedisResult<MultiplexedConnection> {
    // Only RESP3 allows pings on a subscribed connection.
    let redis = server.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let signals = signals.clone();
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect_timeout))
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            let signal = match push.kind {
                // Dropped here, without waking the receiver.
                PushKind::SMessage if is_own(origin, &push) => return Ok(()),
                PushKind::Disconnection => Signal::Down(id, Failure::Broken("closed by the other side".to_owned())),
                _ => Signal::Push(id, push),
            };
            signals.send(signal).map_err(|_| SendError)
        });
    let client = Client::open(server.set_redis_settings(redis))?;
    // The deadline includes the handshake, which a server that hangs never answers.
    match timeout(connect_timeout, client.get_multiplexed_async_connection_with_config(&settings)).await {
        Ok(connected) => connected,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Whether the message was published by the node itself: the server sends it to all subscribers.
fn is_own(origin: Origin, push: &PushInfo) -> bool {
    matches!(push.data.last(), Some(Value::BulkString(bytes)) if frame::is_own(origin, bytes))
}

/// Sends commands and pings until the connection fails; returns why.
async fn carry(
    connection: MultiplexedConnection,
    commands: UnboundedReceiver<ChannelCommand>,
    patience: Duration,
    signals: &UnboundedSender<Signal>,
) -> String {
    let (sender, mut prober) = (connection.clone(), connection);
    let probing = async move {
        let mut ticks = interval(PROBE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match timeout(patience, prober.send_packed_command(&redis::cmd("PING"))).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "no sign of life in time".to_owned(),
            }
        }
    };
    let ordering = async move {
        match send_all(sender, commands, signals).await {
            Err(error) => error.to_string(),
            // No more commands arrive, which does not end the connection.
            Ok(()) => std::future::pending().await,
        }
    };
    let (probing, ordering) = (pin!(probing), pin!(ordering));
    match futures_util::future::select(probing, ordering).await {
        futures_util::future::Either::Left((reason, _)) | futures_util::future::Either::Right((reason, _)) => reason,
    }
}

/// Sends commands in order, pipelined, and reports those that the server refuses.
async fn send_all(
    mut sender: MultiplexedConnection,
    mut commands: UnboundedReceiver<ChannelCommand>,
    signals: &UnboundedSender<Signal>,
) -> RedisResult<()> {
    let mut batch = Vec::new();
    while commands.recv_many(&mut batch, BATCH).await > 0 {
        let mut pipeline = redis::pipe();
        for command in &batch {
            pipeline.cmd(command.name).arg(&command.channel);
        }
        let answers = sender.send_packed_commands(&pipeline, 0, batch.len()).await?;
        let mut sent = batch.drain(..).peekable();
        for answer in answers {
            // A slot that moves ends subscriptions without a command.
            if sent.peek().is_some_and(|command| !is_answer_to(&answer, command)) {
                continue;
            }
            if let (Some(command), Value::ServerError(error)) = (sent.next(), answer) {
                // Fails when the hub has ended, which also ends this task.
                let _ = signals.send(Signal::Refused(command, error.into()));
            }
        }
    }
    Ok(())
}

fn is_answer_to(answer: &Value, command: &ChannelCommand) -> bool {
    let Value::Push { kind: PushKind::SUnsubscribe, data } = answer else { return true };
    let channel = data.first().and_then(|name| String::from_redis_value_ref(name).ok());
    command.name == UNSUBSCRIBE && channel.as_ref() == Some(&command.channel)
}
