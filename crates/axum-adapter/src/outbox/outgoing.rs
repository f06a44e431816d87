//! One message on its way to one client.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use socketioxide::{AckError, SocketError, adapter::Emitter, socket::Socket};
use socketioxide_core::{
    Sid, Value,
    adapter::{BroadcastOptions, CoreLocalAdapter},
    packet::{Packet, PacketData},
};
use tokio::sync::oneshot;

use crate::{engine::Sockets, socket::Line};

/// The answers to one question: one of one client, or why there is none.
pub(crate) type AckStream = Pin<Box<dyn Stream<Item = (Sid, Result<Value, AckError>)> + Send>>;

/// What a message weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// The frames it takes on a websocket: its text, and each attachment.
    pub(crate) frames: u32,
    /// Of text and attachments.
    pub(crate) bytes: usize,
}

impl Load {
    /// Of an event or an acknowledgement.
    pub(crate) fn of(packet: &Packet) -> Self {
        let (PacketData::Event(Value::Str(text, attachments), _)
        | PacketData::BinaryEvent(Value::Str(text, attachments), _)
        | PacketData::EventAck(Value::Str(text, attachments), _)
        | PacketData::BinaryAck(Value::Str(text, attachments), _)) = &packet.inner
        else {
            return Self { frames: 1, bytes: 0 };
        };
        attachments.iter().flatten().fold(Self { frames: 1, bytes: text.len() }, |load, attachment| Self {
            frames: load.frames + 1,
            bytes: load.bytes + attachment.len(),
        })
    }
}

/// The way to one client of a session.
pub(crate) struct Way {
    id: Sid,
    /// Weak: socketioxide decides how long a socket lives, and its end is the end of the session.
    pub(crate) socket: Weak<Socket<Sockets>>,
    sender: Arc<CoreLocalAdapter<Emitter>>,
    line: Arc<Line>,
}

impl Way {
    pub(crate) fn new(socket: &Arc<Socket<Sockets>>, sender: Arc<CoreLocalAdapter<Emitter>>, line: Arc<Line>) -> Self {
        Self { id: socket.id, socket: Arc::downgrade(socket), sender, line }
    }

    pub(crate) fn id(&self) -> Sid {
        self.id
    }

    pub(super) fn send(&self, packet: Packet) -> Result<(), SocketError> {
        self.sender
            .broadcast(packet, BroadcastOptions::new(self.id))
            .map_err(|problems| problems.into_iter().next().unwrap_or(SocketError::Closed))
    }

    fn ask(&self, packet: Packet, timeout: Duration) -> Result<AckStream, SocketError> {
        let (answers, _) = self.sender.broadcast_with_ack(packet, BroadcastOptions::new(self.id), Some(timeout));
        let mut answers = Box::pin(answers);
        // What cannot be sent is answered at once.
        match answers.next().now_or_never() {
            Some(Some((_, Err(AckError::Socket(problem))))) => Err(problem),
            Some(Some(answer)) => Ok(Box::pin(stream::iter([answer]).chain(answers))),
            Some(None) => Err(SocketError::Closed),
            None => Ok(answers),
        }
    }

    /// Leaves the namespace as the server's decision. False when the client cannot be told.
    pub(super) fn leave(&self) -> bool {
        self.socket.upgrade().is_none_or(|socket| socket.disconnect().is_ok())
    }

    /// Ends the websocket, when there is one.
    pub(super) fn break_off(&self) {
        self.line.end();
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is to be done for one client, in its turn.
#[derive(Debug)]
pub(super) struct Outgoing {
    way: Arc<Way>,
    what: What,
}

enum What {
    Packet(Packet),
    Question { packet: Packet, timeout: Duration, tell: Option<oneshot::Sender<AckStream>> },
    Leave,
}

impl Outgoing {
    /// A copy of the packet shares its bytes.
    pub(super) fn packet(way: &Arc<Way>, packet: Packet) -> Self {
        Self { way: way.clone(), what: What::Packet(packet) }
    }

    pub(super) fn question(
        way: &Arc<Way>,
        packet: Packet,
        timeout: Duration,
        tell: oneshot::Sender<AckStream>,
    ) -> Self {
        Self { way: way.clone(), what: What::Question { packet, timeout, tell: Some(tell) } }
    }

    pub(super) fn leave(way: &Arc<Way>) -> Self {
        Self { way: way.clone(), what: What::Leave }
    }

    pub(super) fn is_for(&self, way: &Arc<Way>) -> bool {
        Arc::ptr_eq(&self.way, way)
    }

    /// Whose stay in its namespace ends here.
    pub(super) fn leaving(&self) -> Option<Arc<Way>> {
        matches!(self.what, What::Leave).then(|| self.way.clone())
    }

    /// Gives the message to the engine. It can be tried again when there is no room.
    pub(super) fn go(&mut self) -> Result<(), SocketError> {
        match &mut self.what {
            What::Packet(packet) => self.way.send(packet.clone()),
            What::Question { packet, timeout, tell } => {
                let answers = self.way.ask(packet.clone(), *timeout)?;
                if let Some(tell) = tell.take() {
                    // Whoever asked may have stopped waiting.
                    let _ = tell.send(answers);
                }
                Ok(())
            }
            What::Leave => Ok(()),
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Packet(_) => "packet",
            Self::Question { .. } => "question",
            Self::Leave => "leave",
        })
    }
}
