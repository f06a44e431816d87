//! One queued message for one client.

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

use crate::{engine::Sockets, socket::ReadGate};

/// The answer of one client to a request for an acknowledgement, or the reason why there is none.
pub(crate) type AckStream = Pin<Box<dyn Stream<Item = (Sid, Result<Value, AckError>)> + Send>>;

/// The size of a message.
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

/// Sends to one client of a session.
pub(crate) struct SocketSender {
    id: Sid,
    /// Weak: socketioxide decides how long a socket lives, and its end is the end of the session.
    pub(crate) socket: Weak<Socket<Sockets>>,
    sender: Arc<CoreLocalAdapter<Emitter>>,
    read_gate: Arc<ReadGate>,
}

impl SocketSender {
    pub(crate) fn new(
        socket: &Arc<Socket<Sockets>>,
        sender: Arc<CoreLocalAdapter<Emitter>>,
        read_gate: Arc<ReadGate>,
    ) -> Self {
        Self { id: socket.id, socket: Arc::downgrade(socket), sender, read_gate }
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
        self.read_gate.end();
    }
}

impl fmt::Debug for SocketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketSender").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A queued operation for one client.
#[derive(Debug)]
pub(super) struct Outgoing {
    sender: Arc<SocketSender>,
    what: What,
}

enum What {
    Packet(Packet),
    AckRequest { packet: Packet, timeout: Duration, tell: Option<oneshot::Sender<AckStream>> },
    Leave,
}

impl Outgoing {
    /// A copy of the packet shares its bytes.
    pub(super) fn packet(sender: &Arc<SocketSender>, packet: Packet) -> Self {
        Self { sender: sender.clone(), what: What::Packet(packet) }
    }

    pub(super) fn ack_request(
        sender: &Arc<SocketSender>,
        packet: Packet,
        timeout: Duration,
        tell: oneshot::Sender<AckStream>,
    ) -> Self {
        Self { sender: sender.clone(), what: What::AckRequest { packet, timeout, tell: Some(tell) } }
    }

    pub(super) fn leave(sender: &Arc<SocketSender>) -> Self {
        Self { sender: sender.clone(), what: What::Leave }
    }

    pub(super) fn is_for(&self, sender: &Arc<SocketSender>) -> bool {
        Arc::ptr_eq(&self.sender, sender)
    }

    /// For a leave, the client that leaves its namespace.
    pub(super) fn leaving(&self) -> Option<Arc<SocketSender>> {
        matches!(self.what, What::Leave).then(|| self.sender.clone())
    }

    /// Gives the message to the engine. It can be tried again when there is no room.
    pub(super) fn go(&mut self) -> Result<(), SocketError> {
        match &mut self.what {
            What::Packet(packet) => self.sender.send(packet.clone()),
            What::AckRequest { packet, timeout, tell } => {
                let answers = self.sender.ask(packet.clone(), *timeout)?;
                if let Some(tell) = tell.take() {
                    // The caller may have stopped waiting.
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
            Self::AckRequest { .. } => "ack_request",
            Self::Leave => "leave",
        })
    }
}
