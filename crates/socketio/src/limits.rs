//! What one session may send.

use roomwire_core::{config::Limits, packet::PacketLimits};

/// The longest head of a packet: type, number of attachments, namespace, acknowledgement id.
const PACKET_HEAD: usize = 256;

/// What an attachment takes in a body besides its base64: a separator, its mark, and padding.
const ATTACHMENT_HEAD: usize = 6;

/// How many attachments above `limits.attachments` are read, so that the sender is told; more close its connection.
const EXCESS_ATTACHMENTS: usize = 64;

/// The limits of messages, derived from `limits.payload` and `limits.attachments`.
///
/// `limits.payload` bounds an event's arguments with their attachments, and is checked when all of them have arrived.
/// What a transport takes before is bounded by what such an event may be as a message, with the packet's head, or as an
/// HTTP body, with attachments in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionLimits {
    /// The bytes of a websocket message.
    pub(crate) message: usize,
    /// The bytes of an HTTP body: `maxPayload` of the handshake.
    pub(crate) body: usize,
    /// The bytes of an event's arguments.
    pub(crate) payload: usize,
    pub(crate) packet: PacketLimits,
}

impl From<&Limits> for SessionLimits {
    fn from(limits: &Limits) -> Self {
        let attachments = limits.attachments + EXCESS_ATTACHMENTS;
        let message = limits.payload + PACKET_HEAD;
        Self {
            message,
            body: limits.payload.div_ceil(3) * 4 + attachments * ATTACHMENT_HEAD + PACKET_HEAD,
            payload: limits.payload,
            packet: PacketLimits { bytes: limits.payload.saturating_add(message), attachments, depth: usize::MAX },
        }
    }
}
