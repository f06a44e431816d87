//! Socket.IO v5 packets: decoder and encoder, without IO.
//!
//! A server passes the text and binary messages of one Engine.IO session to a [`PacketDecoder`] and gets [`Packet`]s. An
//! [`EncodedPacket`] holds the messages of one packet to send; clones share its bytes, so a broadcast encodes once.
//!
//! JSON is validated and then kept as text: order of keys, digits of numbers, duplicate keys, lone surrogates and
//! whitespace of arguments reach the receiver unchanged.
//!
//! ```
//! use roomwire_core::packet::{EncodedPacket, PacketDecoder, PacketKind, PacketLimits};
//!
//! let mut decoder = PacketDecoder::new(PacketLimits { bytes: 1_000_000, attachments: 10, depth: 32 });
//! let packet = decoder.text(r#"2/chat,7["say",{"text":"hi"}]"#)?.expect("it has no attachments");
//! assert_eq!(packet.namespace, "/chat");
//! let PacketKind::Event { name, ack: Some(ack), payload } = packet.kind else { panic!("an event with an ack id") };
//! assert_eq!((&*name, payload.arguments()), ("say", r#"{"text":"hi"}"#));
//!
//! let answer = EncodedPacket::ack("/chat", ack, &payload);
//! assert_eq!(answer.text(), r#"3/chat,7[{"text":"hi"}]"#);
//! # Ok::<(), roomwire_core::packet::PacketError>(())
//! ```

mod decoder;
mod encoder;
mod error;
mod frame;
mod head;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;

use bytestring::ByteString;

pub use decoder::{PacketDecoder, PacketLimits};
pub use encoder::EncodedPacket;
pub use error::PacketError;
pub use frame::{TextFrame, frame_head};

use crate::{AckId, Payload};

/// One decoded packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Namespace name as received, `/` if the packet names none. A query string (`/chat?token=x`) is part of the name, as
    /// in the official server. The name is not validated; compare it with the names of known namespaces.
    pub namespace: ByteString,
    /// Type and content.
    pub kind: PacketKind,
}

/// Type and content of a packet.
#[derive(Clone, PartialEq, Eq)]
pub enum PacketKind {
    /// CONNECT: a client asks to join the namespace, or the server confirms it.
    Connect {
        /// A JSON object, or empty if the packet has none.
        auth: Payload,
    },
    /// DISCONNECT: the sender leaves the namespace. The connection stays open.
    Disconnect,
    /// EVENT or BINARY_EVENT.
    Event {
        /// Decoded event name, never a reserved one; otherwise unchecked. Lone surrogates are U+FFFD. A name that is a
        /// number has the text of that number.
        name: ByteString,
        /// Set if the sender asks for an acknowledgement.
        ack: Option<AckId>,
        /// The arguments after the name.
        payload: Payload,
    },
    /// ACK or BINARY_ACK.
    Ack {
        /// Id of the acknowledged event.
        id: AckId,
        /// The arguments.
        payload: Payload,
    },
    /// CONNECT_ERROR: the server refuses to let the client join the namespace. Clients never send it.
    ConnectError {
        /// A JSON object or string, or empty if the packet has none.
        error: Payload,
    },
}

/// Shows sizes in place of payloads: `auth` has credentials, and a log must not contain them.
impl fmt::Debug for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { auth } => f.debug_struct("Connect").field("bytes", &auth.size()).finish(),
            Self::Disconnect => f.write_str("Disconnect"),
            Self::Event { name, ack, payload } => f
                .debug_struct("Event")
                .field("name", &&**name)
                .field("ack", ack)
                .field("bytes", &payload.size())
                .finish(),
            Self::Ack { id, payload } => f.debug_struct("Ack").field("id", id).field("bytes", &payload.size()).finish(),
            Self::ConnectError { error } => f.debug_struct("ConnectError").field("bytes", &error.size()).finish(),
        }
    }
}

/// Packet types as numbered on the wire.
mod wire {
    pub(super) const CONNECT: u8 = b'0';
    pub(super) const DISCONNECT: u8 = b'1';
    pub(super) const EVENT: u8 = b'2';
    pub(super) const ACK: u8 = b'3';
    pub(super) const CONNECT_ERROR: u8 = b'4';
    pub(super) const BINARY_EVENT: u8 = b'5';
    pub(super) const BINARY_ACK: u8 = b'6';
}
