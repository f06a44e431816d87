//! Between socketioxide's packets and the service's payloads.

use std::collections::VecDeque;

use bytes::Bytes;
use bytestring::ByteString;
use roomwire_core::{Error, ErrorCode, OutboundEvent, Payload};
use serde_json::value::RawValue;
use socketioxide_core::{Str, Value, packet::Packet};

/// The packet of an event, made once for all its receivers.
pub(crate) fn event(namespace: &Str, event: &OutboundEvent) -> Packet {
    let arguments = event.payload.arguments();
    let mut text = String::with_capacity(event.name.len() + arguments.len() + 8);
    text.push('[');
    // A name is checked text: as JSON it is the same between quotes, with `"` and `\` escaped.
    text.push_str(&serde_json::Value::from(event.name.as_str()).to_string());
    if !arguments.is_empty() {
        text.push(',');
        text.push_str(arguments);
    }
    text.push(']');
    Packet::event(namespace.clone(), value(text, &event.payload))
}

/// The packet of an acknowledgement.
pub(crate) fn acknowledgement(namespace: &Str, ack: i64, payload: &Payload) -> Packet {
    Packet::ack(namespace.clone(), value(format!("[{}]", payload.arguments()), payload), ack)
}

fn value(text: String, payload: &Payload) -> Value {
    let attachments = payload.attachments();
    let attachments = (!attachments.is_empty()).then(|| attachments.iter().cloned().collect::<VecDeque<Bytes>>());
    Value::Str(text.into(), attachments)
}

/// How many bytes came: text and attachments.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Str(text, attachments) => text.len() + attachments.iter().flatten().map(Bytes::len).sum::<usize>(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

/// Reads the name and the arguments of an incoming event.
///
/// Checks everything that could harm the receivers of the arguments: that they are JSON, and that each placeholder has
/// its attachment.
pub(crate) fn read_event(value: Value) -> Result<(ByteString, Payload), Error> {
    let (text, attachments) = parts(value)?;
    let values = values(&text)?;
    let name = values.first().ok_or_else(|| malformed("an event without a name"))?;
    let name: String = serde_json::from_str(name.get()).map_err(|_| malformed("an event whose name is no text"))?;
    let arguments = joined(&text, &values[1..]);
    let payload = Payload::from_encoded(arguments, attachments);
    payload.check_placeholders()?;
    Ok((name.into(), payload))
}

/// The arguments of an acknowledgement as it came in.
pub(crate) fn read_acknowledgement(value: Value) -> Result<Payload, Error> {
    let (text, attachments) = parts(value)?;
    let arguments = joined(&text, &values(&text)?);
    let payload = Payload::from_encoded(arguments, attachments);
    payload.check_placeholders()?;
    Ok(payload)
}

/// What a client sent with its handshake: one JSON value, if any.
pub(crate) fn read_handshake(auth: Option<&Value>) -> Result<Payload, Error> {
    let Some(Value::Str(text, _)) = auth else { return Ok(Payload::default()) };
    let _: &RawValue = serde_json::from_str(text).map_err(|_| malformed("the handshake is not JSON"))?;
    Ok(Payload::from_encoded(text.as_str().into(), Vec::new()))
}

fn parts(value: Value) -> Result<(ByteString, Vec<Bytes>), Error> {
    let Value::Str(text, attachments) = value else { return Err(malformed("a packet that is no text")) };
    let text = ByteString::try_from(Bytes::from(text)).map_err(Error::internal)?;
    Ok((text, attachments.map(Vec::from).unwrap_or_default()))
}

fn values(text: &ByteString) -> Result<Vec<&RawValue>, Error> {
    serde_json::from_str(text).map_err(|_| malformed("the arguments are not JSON"))
}

/// The part of `text` from the first to the last of these values, shared and not copied.
fn joined(text: &ByteString, values: &[&RawValue]) -> ByteString {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return ByteString::new() };
    let begin = first.get().as_ptr().addr() - text.as_ptr().addr();
    let end = last.get().as_ptr().addr() + last.get().len() - text.as_ptr().addr();
    text.slice_ref(&text[begin..end])
}

fn malformed(problem: &'static str) -> Error {
    Error::with_message(ErrorCode::InvalidPayload, problem)
}

#[cfg(test)]
mod tests {
    use roomwire_core::{Binary, ErrorCode, EventName, OutboundEvent, Payload};
    use socketioxide_core::{Value, packet::PacketData};

    use super::{acknowledgement, event, read_acknowledgement, read_event};

    fn incoming(text: &str) -> Value {
        Value::Str(text.to_owned().into(), None)
    }

    fn with_attachment(text: &str) -> Value {
        Value::Str(text.to_owned().into(), Some(vec![vec![1].into()].into()))
    }

    #[test]
    fn an_event_goes_out_and_comes_in_the_same() {
        let payload = Payload::encode(&("a \"quoted\" text", Binary::from(vec![1, 2]))).expect("encodes");
        let outbound = OutboundEvent::new(EventName::new("say \"hi\"").expect("valid"), payload);
        let packet = event(&"/".into(), &outbound);
        let PacketData::BinaryEvent(value, None) = packet.inner else { panic!("not a binary event: {packet:?}") };
        let (name, payload) = read_event(value).expect("reads");
        assert_eq!(&*name, "say \"hi\"");
        assert_eq!(payload, outbound.payload);
    }

    #[test]
    fn an_acknowledgement_goes_out_and_comes_in_the_same() {
        let payload = Payload::encode(&vec![1, 2]).expect("encodes");
        let PacketData::EventAck(value, 7) = acknowledgement(&"/".into(), 7, &payload).inner else { panic!("no ack") };
        assert_eq!(read_acknowledgement(value).expect("reads"), payload);
    }

    #[test]
    fn arguments_are_the_text_between_name_and_bracket() {
        for (text, arguments) in
            [(r#"["a"]"#, ""), (r#"["a",1]"#, "1"), (r#"[ "a" , {"b":[1,2]} , null ]"#, r#"{"b":[1,2]} , null"#)]
        {
            let (name, payload) = read_event(incoming(text)).expect(text);
            assert_eq!((&*name, payload.arguments()), ("a", arguments));
        }
    }

    #[test]
    fn arguments_that_would_harm_their_receivers_are_refused() {
        for text in [r#"["a",1]x"#, r#"["a",]"#, r#"["a",{]"#, "[]", "[1]", "", r#""a""#] {
            assert_eq!(read_event(incoming(text)).expect_err(text).code(), ErrorCode::InvalidPayload);
        }
        let lone = with_attachment(r#"["a",{"_placeholder":true,"num":1}]"#);
        assert_eq!(read_event(lone).expect_err("refused").code(), ErrorCode::InvalidPayload);
    }

    #[test]
    fn text_beside_an_attachment_arrives_as_it_was_sent() {
        let key = "$serde_json::private::RawValue";
        let mut nested = "1".to_owned();
        for _ in 0..12 {
            nested = format!(r#"{{"{key}":{}}}"#, serde_json::Value::from(nested));
        }
        for argument in [r#""\ud83c""#, "1e400", &format!("{}{}", "[".repeat(100), "]".repeat(100)), &nested] {
            let text = format!(r#"["a",{argument},{{"_placeholder":true,"num":0}}]"#);
            let (_, payload) = read_event(with_attachment(&text)).expect("reads");
            assert!(payload.arguments().starts_with(argument));
        }
    }
}
