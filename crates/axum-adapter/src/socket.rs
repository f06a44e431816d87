//! One client's socket as the service sees it.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use parking_lot::{Mutex, MutexGuard};
use roomwire_core::{Answer, Undeliverable};
use roomwire_service::{Backpressure, Session};
use socketioxide::{AckError, SocketError, TransportType, adapter::Emitter, socket::Socket};
use socketioxide_core::{
    Sid,
    adapter::{BroadcastOptions, CoreLocalAdapter},
};
use tokio::sync::Notify;

use crate::{
    backlog::Backlog,
    connection::Connection,
    engine::Sockets,
    frame::{self, Outgoing},
};

/// Where a client is read from: the websocket it uses now, or HTTP requests.
#[derive(Default)]
pub(crate) struct Line {
    connection: Mutex<Option<Arc<Connection>>>,
    paused: Mutex<bool>,
    resumed: Notify,
}

impl Line {
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

    /// Whether the websocket was given up because its peer took nothing for too long.
    pub(crate) fn has_stalled(&self) -> bool {
        self.connection.lock().as_ref().is_some_and(|connection| connection.has_stalled())
    }

    /// Whether its peer takes nothing at this moment.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.lock().as_ref().is_some_and(|connection| connection.is_blocked())
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

impl Backpressure for Line {
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

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("paused", &*self.paused.lock()).finish_non_exhaustive()
    }
}

/// One client's socket: the only way to send to it.
pub(crate) struct ClientSocket {
    pub(crate) session: Session,
    pub(crate) line: Arc<Line>,
    id: Sid,
    /// Weak: socketioxide decides how long a socket lives, and its end is the end of the session.
    socket: Weak<Socket<Sockets>>,
    sender: Arc<CoreLocalAdapter<Emitter>>,
    /// What waits for its session.
    backlog: Arc<Backlog>,
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
    pub(crate) fn new(
        session: Session,
        line: Arc<Line>,
        socket: &Arc<Socket<Sockets>>,
        sender: Arc<CoreLocalAdapter<Emitter>>,
        backlog: Arc<Backlog>,
    ) -> Self {
        Self {
            session,
            line,
            id: socket.id,
            socket: Arc::downgrade(socket),
            sender,
            backlog,
            stage: Mutex::new(Stage::Waiting),
        }
    }

    pub(crate) fn session_id(&self) -> Sid {
        self.id
    }

    /// The client was told that it is connected: it can be sent to.
    pub(crate) fn open(&self) {
        let mut stage = self.stage.lock();
        if *stage == Stage::Waiting {
            *stage = Stage::Open;
        }
    }

    /// Queues a packet. One that does not fit is the last.
    pub(crate) fn send(&self, Outgoing { packet, bytes }: Outgoing) -> Result<(), Undeliverable> {
        let mut stage = self.check()?;
        if !self.backlog.add(bytes) {
            *stage = Stage::Cut;
            return Err(Undeliverable::BufferFull);
        }
        match self.sender.broadcast(packet, BroadcastOptions::new(self.id)) {
            Ok(()) => Ok(()),
            Err(problems) => {
                *stage = Stage::Cut;
                self.backlog.take(bytes);
                Err(undeliverable(problems.first()))
            }
        }
    }

    /// Queues an event and waits for its acknowledgement.
    pub(crate) async fn ask(&self, Outgoing { packet, bytes }: Outgoing, timeout: Duration) -> Answer {
        let (mut answers, at_once) = {
            let mut stage = match self.check() {
                Ok(stage) => stage,
                Err(problem) => return Answer::Undelivered(problem),
            };
            if !self.backlog.add(bytes) {
                *stage = Stage::Cut;
                return Answer::Undelivered(Undeliverable::BufferFull);
            }
            let (answers, _) = self.sender.broadcast_with_ack(packet, BroadcastOptions::new(self.id), Some(timeout));
            let mut answers = Box::pin(answers);
            // A full buffer is an answer at once, seen before anybody else can send something after the gap.
            let at_once = answers.next().now_or_never();
            if let Some(Some((_, Err(AckError::Socket(SocketError::InternalChannelFull))))) = &at_once {
                *stage = Stage::Cut;
                self.backlog.take(bytes);
            }
            (answers, at_once)
        };
        let answer = match at_once {
            Some(answer) => answer,
            None => answers.next().await,
        };
        match answer {
            Some((_, Ok(value))) => match frame::read_acknowledgement(value) {
                Ok(payload) => Answer::Acknowledged(payload),
                // A client that acknowledges with nonsense has not answered.
                Err(_) => Answer::TimedOut,
            },
            Some((_, Err(AckError::Socket(problem)))) => Answer::Undelivered(undeliverable(Some(&problem))),
            Some((_, Err(AckError::Timeout | AckError::Decode(_)))) => Answer::TimedOut,
            None => Answer::Undelivered(Undeliverable::Gone),
        }
    }

    /// Sends nothing more.
    pub(crate) fn cut_off(&self) {
        *self.stage.lock() = Stage::Cut;
    }

    /// Leaves the namespace as the server's decision: the client does not come back by itself. False when
    /// the client's buffer is too full to tell it.
    pub(crate) fn leave_namespace(&self) -> bool {
        self.cut_off();
        self.socket.upgrade().is_none_or(|socket| socket.disconnect().is_ok())
    }

    /// Whether the client sends and receives by HTTP requests.
    pub(crate) fn is_polling(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| socket.transport_type() == TransportType::Polling)
    }

    fn check(&self) -> Result<MutexGuard<'_, Stage>, Undeliverable> {
        let stage = self.stage.lock();
        if *stage == Stage::Open { Ok(stage) } else { Err(Undeliverable::Gone) }
    }
}

fn undeliverable(problem: Option<&SocketError>) -> Undeliverable {
    match problem {
        Some(SocketError::InternalChannelFull) => Undeliverable::BufferFull,
        Some(SocketError::Closed) | None => Undeliverable::Gone,
    }
}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSocket").field("id", &self.id).field("line", &self.line).finish_non_exhaustive()
    }
}
