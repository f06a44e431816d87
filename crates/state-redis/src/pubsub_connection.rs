//! One connection for messages that come in.

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

use crate::command_connection::{Failure, is_answer};

/// How often the server is asked for a sign of life.
const PROBE: Duration = Duration::from_secs(1);
/// How long it may take to give one, beside the time that the largest message takes, behind which it waits: a
/// connection that is open on one side only is noticed by this.
const ANSWER: Duration = Duration::from_secs(2);
/// How many commands go out together before their answers are waited for.
const BATCH: usize = 512;

/// Which connection something is about. A number is given once.
pub(crate) type LinkId = u64;

/// What a connection reports.
#[derive(Debug)]
pub(crate) enum Signal {
    /// It is open.
    Up(LinkId),
    /// It is closed, or was never opened, because of this.
    Down(LinkId, Failure),
    /// The server sent something.
    Push(LinkId, PushInfo),
    /// The server refused a channel.
    Refused(ChannelCommand, RedisError),
    /// What this node publishes does not reach it.
    Unheard(LinkId),
}

/// What a connection has time for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// To be opened.
    pub(crate) connect: Duration,
    /// To transfer the largest message.
    pub(crate) transfer: Duration,
}

/// A connection that is opened, or is being opened. Dropping it closes it.
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
    /// Begins to connect after a pause.
    pub(crate) fn open(
        id: LinkId,
        server: ConnectionInfo,
        pause: Duration,
        limits: TimeLimits,
        signals: UnboundedSender<Signal>,
    ) -> Self {
        let (commands, received) = unbounded_channel();
        let task = tokio::spawn(async move {
            sleep(pause).await;
            let failure = match connect(id, server, limits.connect, &signals).await {
                Ok(connection) => {
                    // Fails when the hub is gone, which also ends this task.
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

    /// Asks for the messages of a channel. The server's confirmation comes as a push, a refusal as a signal.
    pub(crate) fn subscribe(&self, channel: &str) {
        self.send(SUBSCRIBE, channel);
    }

    pub(crate) fn unsubscribe(&self, channel: &str) {
        self.send(UNSUBSCRIBE, channel);
    }

    fn send(&self, name: &'static str, channel: &str) {
        // Fails when the connection is gone, and then its end is reported.
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
    server: ConnectionInfo,
    connect_timeout: Duration,
    signals: &UnboundedSender<Signal>,
) -> RedisResult<MultiplexedConnection> {
    // Only the third version of the protocol lets a connection be asked for a sign of life while it is subscribed.
    let redis = server.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let signals = signals.clone();
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect_timeout))
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            let signal = match push.kind {
                PushKind::Disconnection => Signal::Down(id, Failure::Broken("closed by the other side".to_owned())),
                _ => Signal::Push(id, push),
            };
            signals.send(signal).map_err(|_| SendError)
        });
    let client = Client::open(server.set_redis_settings(redis))?;
    // The deadline is over the greeting, too, which a server that hangs never answers.
    match timeout(connect_timeout, client.get_multiplexed_async_connection_with_config(&settings)).await {
        Ok(connected) => connected,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Sends commands and probes the connection until it fails; returns why.
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
            // No more commands come, which does not end the connection by itself.
            Ok(()) => std::future::pending().await,
        }
    };
    let (probing, ordering) = (pin!(probing), pin!(ordering));
    match futures_util::future::select(probing, ordering).await {
        futures_util::future::Either::Left((reason, _)) | futures_util::future::Either::Right((reason, _)) => reason,
    }
}

/// Sends commands in turn, as many together as are there, and reports those that the server refuses.
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
                // Fails when the hub is gone, which also ends this task.
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
