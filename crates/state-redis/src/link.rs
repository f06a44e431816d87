//! One connection for messages that come in.

use std::{pin::pin, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult,
    aio::{MultiplexedConnection, SendError},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// How often the server is asked for a sign of life.
const PROBE: Duration = Duration::from_secs(1);
/// How long it may take to give one: a connection that is open on one side only is noticed by this.
const ANSWER: Duration = Duration::from_secs(2);

/// Which connection something is about. A number is given once.
pub(crate) type LinkId = u64;

/// What a connection reports.
#[derive(Debug)]
pub(crate) enum Signal {
    /// It is open.
    Up(LinkId),
    /// It is closed, or was never opened, because of this.
    Down(LinkId, String),
    /// The server sent something.
    Push(LinkId, PushInfo),
}

/// A connection that is opened, or is being opened. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) is_up: bool,
    orders: UnboundedSender<Cmd>,
    task: AbortHandle,
}

impl Link {
    /// Begins to connect after a pause.
    pub(crate) fn open(
        id: LinkId,
        server: ConnectionInfo,
        pause: Duration,
        connect_timeout: Duration,
        signals: UnboundedSender<Signal>,
    ) -> Self {
        let (orders, received) = unbounded_channel();
        let task = tokio::spawn(async move {
            sleep(pause).await;
            let reason = match connect(id, server, connect_timeout, &signals).await {
                Ok(connection) => {
                    // Fails when nobody listens any more: then this task is ended.
                    let _ = signals.send(Signal::Up(id));
                    carry(connection, received).await
                }
                Err(error) => error.to_string(),
            };
            let _ = signals.send(Signal::Down(id, reason));
        });
        Self { id, is_up: false, orders, task: task.abort_handle() }
    }

    /// Asks for the messages of a channel. The server's confirmation comes as a push.
    pub(crate) fn subscribe(&self, channel: &str) {
        self.order("SSUBSCRIBE", channel);
    }

    pub(crate) fn unsubscribe(&self, channel: &str) {
        self.order("SUNSUBSCRIBE", channel);
    }

    fn order(&self, name: &str, channel: &str) {
        let mut command = redis::cmd(name);
        command.arg(channel).set_no_response(true);
        // Fails when the connection is gone, and then its end is reported.
        let _ = self.orders.send(command);
    }
}

impl Drop for Link {
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
                PushKind::Disconnection => Signal::Down(id, "the connection broke".to_owned()),
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

/// Passes orders on and probes the connection until it fails; returns why.
async fn carry(connection: MultiplexedConnection, mut orders: UnboundedReceiver<Cmd>) -> String {
    let (mut sender, mut prober) = (connection.clone(), connection);
    let probing = async move {
        let mut ticks = interval(PROBE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match timeout(ANSWER, prober.send_packed_command(&redis::cmd("PING"))).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "no sign of life in time".to_owned(),
            }
        }
    };
    let ordering = async move {
        while let Some(command) = orders.recv().await {
            if let Err(error) = sender.send_packed_command(&command).await {
                return error.to_string();
            }
        }
        // Nobody gives orders any more, which does not end the connection by itself.
        std::future::pending().await
    };
    let (probing, ordering) = (pin!(probing), pin!(ordering));
    match futures_util::future::select(probing, ordering).await {
        futures_util::future::Either::Left((reason, _)) | futures_util::future::Either::Right((reason, _)) => reason,
    }
}
