//! Packets as the messages that carry them.

use std::{fmt::Write, sync::Arc};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    Packet, PacketKind, TextFrame,
    frame::{begin, finish},
    json::push_string,
    wire,
};
use crate::{AckId, Payload};

/// The messages of one packet: its text, then its attachments.
///
/// Clones share the bytes, so one encoded packet serves every recipient of a broadcast.
///
/// The namespace is `/`, or begins with `/` and has no `,`: it is one of [`Namespace`](crate::Namespace) or of a
/// received [`Packet`]. Payloads are not checked.
///
/// ```
/// use roomwire_core::{Payload, packet::EncodedPacket};
///
/// let payload = Payload::encode("hi")?;
/// assert_eq!(EncodedPacket::event("/", None, "say", &payload).text(), r#"2["say","hi"]"#);
/// assert_eq!(EncodedPacket::connect("/chat", "Ab3x", None).text(), r#"0/chat,{"sid":"Ab3x"}"#);
/// # Ok::<(), roomwire_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPacket {
    message: TextFrame,
    attachments: Option<Arc<[Bytes]>>,
}

impl EncodedPacket {
    /// CONNECT from the server: the client joined the namespace as `sid`. `pid` is its private session id for
    /// connection state recovery.
    #[must_use]
    pub fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> Self {
        let mut text = head(wire::CONNECT, 0, namespace, None, 24 + sid.len() + pid.map_or(0, str::len));
        text.push_str(r#"{"sid":"#);
        push_string(&mut text, sid);
        if let Some(pid) = pid {
            text.push_str(r#","pid":"#);
            push_string(&mut text, pid);
        }
        text.push('}');
        Self::from_text(text)
    }

    /// CONNECT_ERROR: the client may not join the namespace. The official client reports `message` and `data` as
    /// properties of an `Error`, and does not retry.
    #[must_use]
    pub fn connect_error(namespace: &str, message: &str, data: Option<&RawValue>) -> Self {
        let data = data.map_or("", RawValue::get);
        let mut text = head(wire::CONNECT_ERROR, 0, namespace, None, 24 + message.len() + data.len());
        text.push_str(r#"{"message":"#);
        push_string(&mut text, message);
        if !data.is_empty() {
            text.push_str(r#","data":"#);
            text.push_str(data);
        }
        text.push('}');
        Self::from_text(text)
    }

    /// DISCONNECT: the client must leave the namespace.
    #[must_use]
    pub fn disconnect(namespace: &str) -> Self {
        Self::from_text(head(wire::DISCONNECT, 0, namespace, None, 0))
    }

    /// EVENT, or BINARY_EVENT if the payload has attachments.
    #[must_use]
    pub fn event(namespace: &str, ack: Option<AckId>, name: &str, payload: &Payload) -> Self {
        let (arguments, kind) = (payload.arguments(), binary_or(wire::EVENT, wire::BINARY_EVENT, payload));
        let separator = if arguments.is_empty() { "" } else { "," };
        let length = "[\"\"]".len() + name.len() + separator.len() + arguments.len();
        let mut text = head(kind, payload.attachments().len(), namespace, ack, length);
        text.push('[');
        push_string(&mut text, name);
        text.push_str(separator);
        text.push_str(arguments);
        text.push(']');
        Self::new(text, payload.attachments())
    }

    /// ACK, or BINARY_ACK if the payload has attachments.
    #[must_use]
    pub fn ack(namespace: &str, id: AckId, payload: &Payload) -> Self {
        let (arguments, kind) = (payload.arguments(), binary_or(wire::ACK, wire::BINARY_ACK, payload));
        let mut text = head(kind, payload.attachments().len(), namespace, Some(id), "[]".len() + arguments.len());
        text.push('[');
        text.push_str(arguments);
        text.push(']');
        Self::new(text, payload.attachments())
    }

    /// The packet's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.message.as_str()[MESSAGE.len_utf8()..]
    }

    /// The Engine.IO message with the text, which is sent first.
    #[must_use]
    pub fn message(&self) -> &TextFrame {
        &self.message
    }

    /// The binary messages, which follow the text in this order.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// The binary messages for a queue; `None` if there are none.
    #[must_use]
    pub fn shared_attachments(&self) -> Option<Arc<[Bytes]>> {
        self.attachments.clone()
    }

    /// The size of text and attachments in bytes, as a websocket carries them.
    #[must_use]
    pub fn size(&self) -> usize {
        self.message.frame().len() + self.attachments().iter().map(Bytes::len).sum::<usize>()
    }

    fn new(text: String, attachments: &[Bytes]) -> Self {
        Self { message: finish(text), attachments: (!attachments.is_empty()).then(|| attachments.into()) }
    }

    fn from_text(text: String) -> Self {
        Self::new(text, &[])
    }
}

impl From<&Packet> for EncodedPacket {
    fn from(packet: &Packet) -> Self {
        let namespace = &*packet.namespace;
        let plain = |kind, payload: &Payload| {
            let arguments = payload.arguments();
            Self::from_text(head(kind, 0, namespace, None, arguments.len()) + arguments)
        };
        match &packet.kind {
            PacketKind::Connect { auth } => plain(wire::CONNECT, auth),
            PacketKind::Disconnect => Self::disconnect(namespace),
            PacketKind::Event { name, ack, payload } => Self::event(namespace, *ack, name, payload),
            PacketKind::Ack { id, payload } => Self::ack(namespace, *id, payload),
            PacketKind::ConnectError { error } => plain(wire::CONNECT_ERROR, error),
        }
    }
}

/// The Engine.IO packet type of a message.
const MESSAGE: char = '4';

fn binary_or(text: u8, binary: u8, payload: &Payload) -> u8 {
    if payload.attachments().is_empty() { text } else { binary }
}

/// Everything before the payload, with room for a payload of `length` bytes.
fn head(kind: u8, attachments: usize, namespace: &str, ack: Option<AckId>, length: usize) -> String {
    debug_assert!(namespace.starts_with('/') && !namespace.contains(','), "not a namespace: {namespace}");
    let mut text = begin(32 + namespace.len() + length);
    text.push(MESSAGE);
    text.push(char::from(kind));
    // Writing to a `String` cannot fail.
    if attachments > 0 {
        let _ = write!(text, "{attachments}-");
    }
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(AckId(id)) = ack {
        let _ = write!(text, "{id}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::EncodedPacket;
    use crate::{AckId, Binary, Payload};

    #[test]
    fn the_root_namespace_is_not_written() {
        let payload = Payload::encode(&1).expect("encodes");
        for (packet, text) in [
            (EncodedPacket::disconnect("/"), "1"),
            (EncodedPacket::disconnect("/a"), "1/a,"),
            (EncodedPacket::event("/", Some(AckId(0)), "x", &payload), r#"20["x",1]"#),
            (EncodedPacket::event("/a", Some(AckId(0)), "x", &payload), r#"2/a,0["x",1]"#),
            (EncodedPacket::event("/a", None, "x", &Payload::default()), r#"2/a,["x"]"#),
            (EncodedPacket::ack("/", AckId(12), &Payload::default()), "312[]"),
            (EncodedPacket::ack("/a", AckId(12), &payload), "3/a,12[1]"),
        ] {
            assert_eq!(packet.text(), text);
            assert_eq!((packet.attachments().len(), packet.size()), (0, text.len() + 3));
        }
    }

    #[test]
    fn connect_has_the_public_id_and_the_private_one_if_there_is_one() {
        assert_eq!(EncodedPacket::connect("/", "a", None).text(), r#"0{"sid":"a"}"#);
        assert_eq!(EncodedPacket::connect("/b", "a", Some("p")).text(), r#"0/b,{"sid":"a","pid":"p"}"#);
    }

    #[test]
    fn connect_error_has_a_message_and_the_data_if_there_is_any() {
        assert_eq!(EncodedPacket::connect_error("/", "no \"x\"", None).text(), r#"4{"message":"no \"x\""}"#);
        let data = to_raw_value(&["a"]).expect("encodes");
        let packet = EncodedPacket::connect_error("/b", "no", Some(&data));
        assert_eq!(packet.text(), r#"4/b,{"message":"no","data":["a"]}"#);
    }

    #[test]
    fn attachments_follow_the_text_and_are_counted_in_it() {
        let payload = Payload::encode(&(Binary::from(vec![1]), Binary::from(vec![2, 3]))).expect("encodes");
        let event = EncodedPacket::event("/a", Some(AckId(7)), "x", &payload);
        let arguments = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        assert_eq!(event.text(), format!(r#"52-/a,7["x",{arguments}]"#));
        assert_eq!(event.attachments(), [&[1][..], &[2, 3]]);
        assert_eq!(event.size(), event.message().frame().len() + 3);
        assert_eq!(EncodedPacket::ack("/", AckId(7), &payload).text(), format!("62-7[{arguments}]"));
    }

    #[test]
    fn clones_share_the_bytes() {
        let payload = Payload::encode(&Binary::from(vec![1])).expect("encodes");
        let packet = EncodedPacket::event("/", None, "x", &payload);
        let copy = packet.clone();
        assert_eq!(copy.message().frame().as_ptr(), packet.message().frame().as_ptr());
        assert_eq!(copy.attachments().as_ptr(), packet.attachments().as_ptr());
    }
}
