//! The decoder of one session: messages in, packets out.

use bytes::Bytes;
use bytestring::ByteString;

use super::{Packet, PacketError, PacketKind, head::Head, json, wire};
use crate::{EventName, Payload};

/// Limits of one packet. They apply while bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLimits {
    /// The most bytes of text and attachments together.
    pub bytes: usize,
    /// The most attachments.
    pub attachments: usize,
    /// How deep arrays and objects of an argument, or of `auth`, may be nested.
    pub depth: usize,
}

/// Decodes the packets of one Engine.IO session.
///
/// Decoded packets share the bytes of the messages. Memory is allocated for bytes that arrived, never for a number that
/// the peer sent.
///
/// ```
/// use bytes::Bytes;
/// use roomwire_core::packet::{PacketDecoder, PacketError, PacketKind, PacketLimits};
///
/// let mut decoder = PacketDecoder::new(PacketLimits { bytes: 1_000, attachments: 10, depth: 32 });
/// assert_eq!(decoder.text(r#"51-["upload",{"_placeholder":true,"num":0}]"#)?, None);
/// let packet = decoder.binary(Bytes::from_static(b"png"))?.expect("the only attachment has arrived");
/// let PacketKind::Event { payload, .. } = packet.kind else { panic!("an event") };
/// assert_eq!(payload.attachments(), [&b"png"[..]]);
///
/// assert_eq!(decoder.text(r#"2["disconnect"]"#), Err(PacketError::ReservedName));
/// # Ok::<(), PacketError>(())
/// ```
#[derive(Debug)]
pub struct PacketDecoder {
    limits: PacketLimits,
    incomplete: Option<Incomplete>,
}

/// A packet whose attachments have not all arrived.
#[derive(Debug)]
struct Incomplete {
    /// Has the attachments that have arrived.
    packet: Packet,
    /// How many attachments are missing.
    missing: usize,
    /// How many bytes may still arrive.
    bytes_left: usize,
}

impl PacketDecoder {
    /// A decoder for a new session.
    #[must_use]
    pub fn new(limits: PacketLimits) -> Self {
        Self { limits, incomplete: None }
    }

    /// Whether attachments of a packet are missing.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.incomplete.is_some()
    }

    /// Decodes a text message. Returns the packet, or `None` if attachments must arrive first.
    ///
    /// # Errors
    /// [`PacketError`]. The decoder then drops an incomplete packet.
    pub fn text(&mut self, text: impl Into<ByteString>) -> Result<Option<Packet>, PacketError> {
        if self.incomplete.take().is_some() {
            return Err(PacketError::MissingAttachment);
        }
        let text = text.into();
        let bytes_left = self.bytes_left(self.limits.bytes, text.len())?;
        let head = Head::parse(&text, self.limits.attachments)?;
        let kind = self.content(&text, &head)?;
        let namespace = match head.namespace {
            "" => ByteString::from_static("/"),
            name => text.slice_ref(name),
        };
        let packet = Packet { namespace, kind };
        if head.attachments > 0 {
            self.incomplete = Some(Incomplete { packet, missing: head.attachments, bytes_left });
            return Ok(None);
        }
        Ok(Some(packet))
    }

    /// Decodes a binary message, which is an attachment. Returns the packet if it was the last one.
    ///
    /// # Errors
    /// [`PacketError::UnexpectedAttachment`] or [`PacketError::TooLarge`]. The decoder then drops an incomplete packet.
    pub fn binary(&mut self, attachment: Bytes) -> Result<Option<Packet>, PacketError> {
        let mut incomplete = self.incomplete.take().ok_or(PacketError::UnexpectedAttachment)?;
        incomplete.bytes_left = self.bytes_left(incomplete.bytes_left, attachment.len())?;
        incomplete.missing -= 1;
        if let PacketKind::Event { payload, .. } | PacketKind::Ack { payload, .. } = &mut incomplete.packet.kind {
            payload.push_attachment(attachment);
        }
        if incomplete.missing > 0 {
            self.incomplete = Some(incomplete);
            return Ok(None);
        }
        Ok(Some(incomplete.packet))
    }

    fn bytes_left(&self, left: usize, arrived: usize) -> Result<usize, PacketError> {
        left.checked_sub(arrived).ok_or(PacketError::TooLarge { most: self.limits.bytes })
    }

    fn content(&self, text: &ByteString, head: &Head<'_>) -> Result<PacketKind, PacketError> {
        let payload = |json| {
            let payload = Payload::from_encoded(text.slice_ref(json), Vec::new());
            let most = self.limits.depth;
            payload.check_depth(most).map_err(|_| PacketError::TooDeep { most })?;
            if head.attachments > 0 && payload.lacks_attachment(head.attachments) {
                return Err(PacketError::Placeholder);
            }
            Ok(payload)
        };
        // The payload of a type that need not have one.
        let optional = |opening: &[char], error| match head.json {
            "" => Ok(Payload::default()),
            json => payload(beginning_with(json, opening, error)?),
        };
        match head.kind {
            wire::CONNECT => Ok(PacketKind::Connect { auth: optional(&['{'], PacketError::ConnectPayload)? }),
            wire::DISCONNECT if head.json.is_empty() => Ok(PacketKind::Disconnect),
            wire::DISCONNECT => Err(PacketError::DisconnectPayload),
            wire::CONNECT_ERROR => {
                Ok(PacketKind::ConnectError { error: optional(&['{', '"'], PacketError::ConnectErrorPayload)? })
            }
            wire::ACK | wire::BINARY_ACK => {
                let id = head.ack.ok_or(PacketError::MissingAckId)?;
                Ok(PacketKind::Ack { id, payload: payload(elements(head.json, PacketError::AckPayload)?)? })
            }
            _ => {
                let (first, arguments) = json::split_first(elements(head.json, PacketError::EventPayload)?);
                Ok(PacketKind::Event { name: name(text, first)?, ack: head.ack, payload: payload(arguments)? })
            }
        }
    }
}

/// One valid JSON value that begins with one of these characters.
fn beginning_with<'a>(json: &'a str, opening: &[char], error: PacketError) -> Result<&'a str, PacketError> {
    if json.trim_ascii_start().starts_with(opening) { json::validated(json) } else { Err(error) }
}

/// The elements of an array, as text between its brackets.
fn elements(json: &str, error: PacketError) -> Result<&str, PacketError> {
    let array = beginning_with(json, &['['], error)?;
    Ok(array[1..array.len() - 1].trim_ascii())
}

/// The event name of the first element of an event.
fn name(text: &ByteString, first: &str) -> Result<ByteString, PacketError> {
    match first.bytes().next() {
        Some(b'"') => {
            let name = json::decode_string(text, first).ok_or(PacketError::EventPayload)?;
            if EventName::RESERVED.contains(&&*name) { Err(PacketError::ReservedName) } else { Ok(name) }
        }
        Some(b'-' | b'0'..=b'9') => Ok(text.slice_ref(first)),
        _ => Err(PacketError::EventPayload),
    }
}
