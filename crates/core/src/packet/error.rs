//! Reasons to reject a packet.

/// Why a message is not part of a valid packet.
///
/// The sender does not follow the protocol, so what it sends next cannot be trusted either: end its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The first character is not a digit from 0 to 6.
    #[error("unknown packet type")]
    UnknownType,
    /// The number of attachments is missing, is not an integer or is 0.
    #[error("number of attachments is not a positive integer")]
    AttachmentCount,
    /// The packet announces more attachments than [`PacketLimits::attachments`](super::PacketLimits::attachments).
    #[error("more than {most} attachments")]
    TooManyAttachments {
        /// The limit.
        most: usize,
    },
    /// Text and attachments have more bytes than [`PacketLimits::bytes`](super::PacketLimits::bytes).
    #[error("packet has more than {most} bytes")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// A text message arrived while attachments were missing.
    #[error("text message in place of an attachment")]
    MissingAttachment,
    /// A binary message arrived while no attachment was missing.
    #[error("binary message that belongs to no packet")]
    UnexpectedAttachment,
    /// The acknowledgement id is above 2^53-1, so JavaScript cannot represent it.
    #[error("acknowledgement id is larger than 2^53-1")]
    AckIdTooLarge,
    /// An ACK has no acknowledgement id.
    #[error("acknowledgement without an id")]
    MissingAckId,
    /// The payload is not valid JSON.
    #[error("payload is not valid JSON")]
    InvalidJson,
    /// Arrays and objects are nested more than [`PacketLimits::depth`](super::PacketLimits::depth) deep.
    #[error("payload is nested more than {most} deep")]
    TooDeep {
        /// The limit.
        most: usize,
    },
    /// The payload of a CONNECT is not an object.
    #[error("CONNECT payload is not an object")]
    ConnectPayload,
    /// A DISCONNECT has a payload.
    #[error("DISCONNECT with a payload")]
    DisconnectPayload,
    /// The payload of an EVENT is not an array that begins with a string or a number.
    #[error("EVENT payload is not an array that begins with a name")]
    EventPayload,
    /// The payload of an ACK is not an array.
    #[error("ACK payload is not an array")]
    AckPayload,
    /// The payload of a CONNECT_ERROR is neither an object nor a string.
    #[error("CONNECT_ERROR payload is neither an object nor a string")]
    ConnectErrorPayload,
    /// The event has a name from [`EventName::RESERVED`](crate::EventName::RESERVED).
    #[error("event name is reserved by Socket.IO")]
    ReservedName,
    /// The number of a placeholder is not an integer from 0 up to the number of attachments.
    #[error("placeholder without an attachment")]
    Placeholder,
}
