//! Random packets and messages: what is encoded is decoded to the same, and no message does harm.

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};
use roomwire_core::{
    AckId, EventName, Payload,
    packet::{EncodedPacket, Packet, PacketDecoder, PacketError, PacketKind, PacketLimits},
};
use serde_json::Value;

const LIMITS: PacketLimits = PacketLimits { bytes: 1_000, attachments: 3, depth: 6 };

fn decode(packet: &EncodedPacket) -> Result<Packet, PacketError> {
    let mut decoder = PacketDecoder::new(PacketLimits { bytes: usize::MAX, ..LIMITS });
    let mut decoded = decoder.text(packet.text())?;
    for attachment in packet.attachments() {
        assert_eq!(decoded, None, "attachments are missing");
        decoded = decoder.binary(attachment.clone())?;
    }
    Ok(decoded.expect("all attachments have arrived"))
}

fn namespaces() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[a-zé🎉?=&/ \"\\[{0-9-]{0,12}"]
}

fn ack_ids() -> impl Strategy<Value = AckId> {
    prop_oneof![0..20_i64, 0..1_i64 << 53].prop_map(AckId)
}

fn names() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("reserved names are rejected", |name| !EventName::RESERVED.contains(&name.as_str()))
}

/// JSON as any sender may write it: escapes, lone surrogates, long numbers, duplicate keys and whitespace.
fn json() -> impl Strategy<Value = String> {
    let string = r#""([ -!#-\[\]-~é🎉]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|\\ud[89a-f][0-9a-f]{2}){0,6}""#;
    let leaf = prop_oneof!["null|true|false", "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", string];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let blank = "[ \t\r\n]{0,2}";
        let items = vec((blank, inner.clone(), blank).prop_map(|(left, item, right)| left + &item + &right), 0..4);
        let fields =
            vec((string, blank, inner).prop_map(|(key, blank, value)| format!("{key}{blank}:{blank}{value}")), 0..4);
        prop_oneof![
            items.prop_map(|items| format!("[{}]", items.join(","))),
            fields.prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

fn arguments() -> impl Strategy<Value = String> {
    vec(json(), 0..4).prop_map(|values| values.join(" , "))
}

fn attachments() -> impl Strategy<Value = Vec<Bytes>> {
    vec(vec(any::<u8>(), 0..20).prop_map(Bytes::from), 0..=LIMITS.attachments)
}

/// JSON with objects that are placeholders, or nearly.
fn with_placeholders() -> impl Strategy<Value = String> {
    let number = || prop_oneof!["[0-4]", "-1|0\\.5|1e0|\"0\"|null|\\[0\\]|true|99999999999999999999"];
    let marked = || prop_oneof![4 => Just("true".to_owned()), 1 => "false|1|\"true\"|\\[true\\]|null"];
    let marker_key = r#""_placeholder"|"_placeholde\\u0072"|"_placeholder ""#;
    let field = prop_oneof![
        (r#""num"|"n\\u0075m"|"nun""#, number()).prop_map(|(key, number)| format!("{key}:{number}")),
        (marker_key, marked()).prop_map(|(key, marked)| format!("{key} : {marked}")),
    ];
    let object = vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(" ,")));
    object.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            (inner.clone(), inner).prop_map(|(one, other)| format!(r#"{{"_placeholder":{one},"num":0,"x":{other}}}"#)),
        ]
    })
}

/// Whether the placeholders in a value have attachments, told from the value and not from its text.
fn has_attachments(value: &Value, attachments: u64) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| has_attachments(item, attachments)),
        Value::Object(fields) => {
            let is_placeholder = fields.get("_placeholder") == Some(&Value::Bool(true));
            let number = fields.get("num").and_then(Value::as_u64);
            (!is_placeholder || number.is_some_and(|number| number < attachments))
                && fields.values().all(|value| has_attachments(value, attachments))
        }
        _ => true,
    }
}

proptest! {
    #[test]
    fn an_event_is_decoded_to_what_was_encoded(
        namespace in namespaces(), ack in option::of(ack_ids()), name in names(), arguments in arguments(),
        attachments in attachments(),
    ) {
        let payload = Payload::from_encoded(arguments.into(), attachments);
        let packet = decode(&EncodedPacket::event(&namespace, ack, &name, &payload)).expect("valid");
        prop_assert_eq!(&*packet.namespace, namespace);
        prop_assert_eq!(packet.kind, PacketKind::Event { name: name.into(), ack, payload });
    }

    #[test]
    fn an_acknowledgement_is_decoded_to_what_was_encoded(
        namespace in namespaces(), id in ack_ids(), arguments in arguments(), attachments in attachments(),
    ) {
        let payload = Payload::from_encoded(arguments.into(), attachments);
        let packet = decode(&EncodedPacket::ack(&namespace, id, &payload)).expect("valid");
        prop_assert_eq!(&*packet.namespace, namespace);
        prop_assert_eq!(packet.kind, PacketKind::Ack { id, payload });
    }

    #[test]
    fn connect_and_connect_error_are_decoded_to_what_was_encoded(
        namespace in namespaces(), first in any::<String>(), second in option::of(any::<String>()),
    ) {
        let packet = decode(&EncodedPacket::connect(&namespace, &first, second.as_deref())).expect("valid");
        let PacketKind::Connect { auth } = &packet.kind else { panic!("{packet:?}") };
        let auth = auth.decode::<Value>().expect("an object");
        prop_assert_eq!((auth["sid"].as_str(), auth["pid"].as_str()), (Some(&*first), second.as_deref()));

        let data = second.as_ref().map(|data| serde_json::value::to_raw_value(data).expect("encodes"));
        let packet = decode(&EncodedPacket::connect_error(&namespace, &first, data.as_deref())).expect("valid");
        let PacketKind::ConnectError { error } = &packet.kind else { panic!("{packet:?}") };
        let error = error.decode::<Value>().expect("an object");
        prop_assert_eq!((error["message"].as_str(), error["data"].as_str()), (Some(&*first), second.as_deref()));
    }

    #[test]
    fn a_placeholder_is_accepted_if_and_only_if_it_has_an_attachment(argument in with_placeholders(), count in 1..4_u64) {
        let mut decoder = PacketDecoder::new(PacketLimits { bytes: usize::MAX, attachments: 3, depth: 64 });
        let value = serde_json::from_str::<Value>(&argument).expect("JSON");
        let decoded = decoder.text(format!(r#"5{count}-["a",{argument}]"#));
        let expected = if has_attachments(&value, count) { Ok(None) } else { Err(PacketError::Placeholder) };
        prop_assert_eq!(decoded, expected);
    }

    /// Messages that are nearly packets: texts of their characters, and pieces of packets.
    #[test]
    fn any_messages_are_decoded_within_the_limits_or_rejected(
        texts in vec(prop_oneof![r#"[0-6][0-3]{0,2}-?(/[a-z]{0,2},)?[0-9]{0,3}[\[{][\[\]{},:"a0 ]{0,8}[\]}]"#, "[ -~é]{0,20}"], 1..6),
        arguments in arguments(),
        binary in vec(any::<u8>(), 0..600),
    ) {
        let mut decoder = PacketDecoder::new(LIMITS);
        let events = ["2", "27", "51-", "53-/a,"].map(|head| format!(r#"{head}["a",{arguments}]"#));
        for text in texts.into_iter().chain(events) {
            let mut decoded = decoder.text(text.clone());
            while decoded == Ok(None) {
                decoded = decoder.binary(binary.clone().into());
            }
            let Ok(Some(packet)) = decoded else { continue };
            let (PacketKind::Event { payload, .. } | PacketKind::Ack { payload, .. }) = &packet.kind else { continue };
            prop_assert!(payload.size() <= LIMITS.bytes && payload.attachments().len() <= LIMITS.attachments);
            prop_assert!(payload.check_depth(LIMITS.depth).is_ok());
            prop_assert_eq!(decode(&EncodedPacket::from(&packet)), Ok(packet), "{}", text);
        }
    }
}
