//! One client's socket, for the service.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::StreamExt;
use parking_lot::{Mutex, MutexGuard};
use roomwire_core::{Answer, Conflation, Undeliverable};
use roomwire_service::{Backpressure, Session};
use socketioxide::{AckError, TransportType};
use socketioxide_core::{Sid, packet::Packet};
use tokio::sync::Notify;

use crate::{
    connection::Connection,
    frame,
    outbox::{Load, Outbox, SocketSender},
};

/// Pauses reading from a client, over the websocket that it uses now or over HTTP requests.
#[derive(Default)]
pub(crate) struct ReadGate {
    connection: Mutex<Option<Arc<Connection>>>,
    paused: Mutex<bool>,
    resumed: Notify,
}

impl ReadGate {
    /// The client's messages come over this websocket from now on.
    pub(crate) fn attach(&self, connection: Arc<Connection>) {
        let paused = self.paused.lock();
        if *paused {
            connection.pause();
        }
        *self.connection.lock() = Some(connection);
    }

    /// Ends the websocket, when there is one.
    pub(crate) fn end(&self) {
        if let Some(connection) = self.connection.lock().as_ref() {
            connection.end();
        }
    }

    /// Whether the websocket brought a message that is too large.
    pub(crate) fn is_oversized(&self) -> bool {
        self.connection.lock().as_ref().is_some_and(|connection| connection.is_oversized())
    }

    /// Waits until the client may be read from.
    pub(crate) async fn ready(&self) {
        loop {
            let resumed = self.resumed.notified();
            if !*self.paused.lock() {
                return;
            }
            resumed.await;
        }
    }
}

impl Backpressure for ReadGate {
    fn pause(&self) {
        let mut paused = self.paused.lock();
        *paused = true;
        if let Some(connection) = self.connection.lock().as_ref() {
            connection.pause();
        }
    }

    fn resume(&self) {
        let mut paused = self.paused.lock();
        *paused = false;
        if let Some(connection) = self.connection.lock().as_ref() {
            connection.resume();
        }
        self.resumed.notify_waiters();
    }
}

impl fmt::Debug for ReadGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGate").field("paused", &*self.paused.lock()).finish_non_exhaustive()
    }
}

/// One client's socket: the only way to send to it.
pub(crate) struct ClientSocket {
    pub(crate) session: Session,
    pub(crate) read_gate: Arc<ReadGate>,
    sender: Arc<SocketSender>,
    outbox: Arc<Outbox>,
    stage: Mutex<Stage>,
}

/// Whether a client can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was not told yet that it is connected.
    Waiting,
    Open,
    /// It is gone, or missed a message. Nothing is sent after a gap: the client sees the messages up to it and then
    /// the end of its connection.
    Cut,
}

impl ClientSocket {
    pub(crate) fn new(session: Session, read_gate: Arc<ReadGate>, sender: SocketSender, outbox: Arc<Outbox>) -> Self {
        Self { session, read_gate, sender: Arc::new(sender), outbox, stage: Mutex::new(Stage::Waiting) }
    }

    pub(crate) fn session_id(&self) -> Sid {
        self.sender.id()
    }

    /// The client was told that it is connected: it can be sent to.
    pub(crate) fn open(&self) {
        let mut stage = self.stage.lock();
        if *stage == Stage::Waiting {
            *stage = Stage::Open;
        }
    }

    /// Queues a packet of this weight.
    pub(crate) fn send(
        &self,
        packet: &Packet,
        load: Load,
        conflation: Option<&Arc<Conflation>>,
    ) -> Result<(), Undeliverable> {
        let mut stage = self.check()?;
        let sent = self.outbox.send(&self.sender, packet, load, conflation);
        if sent.is_err() {
            *stage = Stage::Cut;
        }
        sent
    }

    /// Queues an event and waits for its acknowledgement.
    pub(crate) async fn ask(&self, packet: Packet, timeout: Duration) -> Answer {
        let asked = {
            let mut stage = match self.check() {
                Ok(stage) => stage,
                Err(problem) => return Answer::Undelivered(problem),
            };
            let load = Load::of(&packet);
            match self.outbox.ask(&self.sender, packet, load, timeout) {
                Ok(asked) => asked,
                Err(problem) => {
                    *stage = Stage::Cut;
                    return Answer::Undelivered(problem);
                }
            }
        };
        let answer = tokio::time::timeout(timeout, async { asked.await.ok()?.next().await });
        match answer.await {
            Ok(Some((_, Ok(value)))) => match frame::read_acknowledgement(value) {
                Ok(payload) => Answer::Acknowledged(payload),
                // A client that acknowledges with nonsense has not answered.
                Err(_) => Answer::TimedOut,
            },
            Ok(Some((_, Err(AckError::Socket(_))))) | Ok(None) => Answer::Undelivered(Undeliverable::Gone),
            Ok(Some((_, Err(AckError::Timeout | AckError::Decode(_))))) | Err(_) => Answer::TimedOut,
        }
    }

    /// True above the high watermark of the session's send buffer.
    pub(crate) fn above_high_watermark(&self) -> bool {
        self.outbox.above_high_watermark()
    }

    /// Waits until the send buffer is below the high watermark, or the session ends.
    pub(crate) async fn below_high_watermark(&self) {
        self.outbox.below_high_watermark().await;
    }

    /// Sends nothing more.
    pub(crate) fn cut_off(&self) {
        *self.stage.lock() = Stage::Cut;
        self.outbox.forget(&self.sender);
    }

    /// Leaves the namespace as the server's decision, after what was sent before: the client does not come back by
    /// itself. False when the client cannot be told.
    pub(crate) fn leave_namespace(&self) -> bool {
        *self.stage.lock() = Stage::Cut;
        self.outbox.leave(&self.sender)
    }

    /// Whether the client sends and receives by HTTP requests.
    pub(crate) fn is_polling(&self) -> bool {
        self.sender.socket.upgrade().is_some_and(|socket| socket.transport_type() == TransportType::Polling)
    }

    fn check(&self) -> Result<MutexGuard<'_, Stage>, Undeliverable> {
        let stage = self.stage.lock();
        if *stage == Stage::Open { Ok(stage) } else { Err(Undeliverable::Gone) }
    }
}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSocket")
            .field("id", &self.sender.id())
            .field("read_gate", &self.read_gate)
            .finish_non_exhaustive()
    }
}
