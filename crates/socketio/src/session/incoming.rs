//! What a client sends: Engine.IO packets, and the Socket.IO packets in them.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use bytestring::ByteString;
use roomwire_core::{
    DisconnectReason, ErrorCode,
    packet::{Packet, PacketError, PacketKind},
};
use roomwire_service::Incoming;

use super::Session;

/// What is wrong with something that a client sent. It ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Packet(PacketError),
    Engine(&'static str),
}

impl From<PacketError> for Problem {
    fn from(error: PacketError) -> Self {
        Self::Packet(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(error) => error.fmt(f),
            Self::Engine(problem) => f.write_str(problem),
        }
    }
}

impl Session {
    /// Handles an Engine.IO packet of text.
    pub(crate) fn receive_text(&self, packet: &ByteString) -> Result<(), Problem> {
        let rest = || packet.slice_ref(&packet[1..]);
        match packet.bytes().next() {
            Some(b'4') => self.receive_message(rest()),
            // Clients that cannot send binary frames, or were told not to, send base64.
            Some(b'b') => match STANDARD.decode(&packet[1..]) {
                Ok(attachment) => self.receive_binary(attachment.into()),
                Err(_) => Err(Problem::Engine("a binary packet is not base64")),
            },
            Some(b'3') => {
                self.pong();
                Ok(())
            }
            Some(b'1') => {
                self.end_by_client();
                Ok(())
            }
            // Open, upgrade and noop mean nothing here; the reference server ignores them too.
            Some(b'0' | b'5' | b'6') => Ok(()),
            Some(b'2') => Err(Problem::Engine("a client sent a ping")),
            _ => Err(Problem::Engine("unknown Engine.IO packet type")),
        }
    }

    /// Handles a binary message.
    pub(crate) fn receive_binary(&self, attachment: Bytes) -> Result<(), Problem> {
        let packet = self.0.namespaces.lock().decode_binary(attachment)?;
        packet.map_or(Ok(()), |packet| self.receive_packet(packet))
    }

    fn receive_message(&self, text: ByteString) -> Result<(), Problem> {
        let packet = self.0.namespaces.lock().decode_text(text)?;
        packet.map_or(Ok(()), |packet| self.receive_packet(packet))
    }

    fn receive_packet(&self, packet: Packet) -> Result<(), Problem> {
        let Packet { namespace, kind } = packet;
        match kind {
            PacketKind::Connect { auth } => return self.connect(&namespace, auth),
            PacketKind::Disconnect => return self.disconnected_by_client(&namespace),
            PacketKind::Event { name, ack, payload } => {
                let Some(connected) = self.connected(&namespace)? else { return Ok(()) };
                // Outside of all locks: the service may disconnect the client.
                if payload.size() > self.0.settings.limits.payload {
                    let bytes = name.len() + payload.size();
                    connected.session.refuse(Some(&name), ack, bytes, ErrorCode::PayloadTooLarge.into());
                } else {
                    connected.session.receive(Incoming { name, payload, ack });
                }
            }
            PacketKind::Ack { id, payload } => {
                // One that comes late, after the client has left, is ignored like any other that is not waited for.
                if let Ok(Some(connected)) = self.connected(&namespace) {
                    connected.client.acknowledged(id, payload);
                }
            }
            PacketKind::ConnectError { .. } => {
                return Err(Problem::Engine("a client sent a packet that only servers send"));
            }
        }
        Ok(())
    }

    fn disconnected_by_client(&self, namespace: &str) -> Result<(), Problem> {
        let (ended, is_idle) = self.0.namespaces.lock().leave(namespace)?;
        if is_idle {
            self.set_idle(true);
        }
        if let Some(ended) = ended {
            ended.end(DisconnectReason::ClientDisconnected);
        }
        Ok(())
    }
}
