//! Socket.IO packets of one session: decoding never panics, keeps its limits and loses nothing.
//!
//! A zero byte stands between messages. A message that begins with the byte 1 is binary, every other one is text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomwire_core::packet::{EncodedPacket, Packet, PacketDecoder, PacketError, PacketKind, PacketLimits};
use serde_json::{Value, value::RawValue};

const LIMITS: PacketLimits = PacketLimits { bytes: 1_000, attachments: 4, depth: 8 };

/// Whether the placeholders in a value have attachments, told from the value and not from its text.
fn has_attachments(value: &Value, attachments: usize) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| has_attachments(item, attachments)),
        Value::Object(fields) => {
            let is_placeholder = fields.get("_placeholder") == Some(&Value::Bool(true));
            let number = fields.get("num").and_then(Value::as_u64);
            (!is_placeholder || number.is_some_and(|number| number < attachments as u64))
                && fields.values().all(|value| has_attachments(value, attachments))
        }
        _ => true,
    }
}

/// Checks a decoded packet. Encoding it again has a few bytes more when its name had fewer escapes, so without limits.
fn check(packet: &Packet) {
    let encoded = EncodedPacket::from(packet);
    let mut decoder = PacketDecoder::new(PacketLimits { bytes: usize::MAX, ..LIMITS });
    let mut again = decoder.text(encoded.text()).expect("what was encoded is decoded");
    for attachment in encoded.attachments() {
        assert!(again.is_none());
        again = decoder.binary(attachment.clone()).expect("what was encoded is decoded");
    }
    assert_eq!(again.as_ref(), Some(packet));

    let (PacketKind::Event { payload, .. } | PacketKind::Ack { payload, .. }) = &packet.kind else { return };
    assert!(payload.size() <= LIMITS.bytes);
    assert!(payload.attachments().len() <= LIMITS.attachments);
    assert!(payload.check_depth(LIMITS.depth).is_ok());
    let array = format!("[{}]", payload.arguments());
    serde_json::from_str::<Vec<&RawValue>>(&array).expect("arguments are JSON");
    // A value cannot hold every text: lone surrogates and large numbers have none.
    if let (Ok(value), false) = (serde_json::from_str(&array), payload.attachments().is_empty()) {
        assert!(has_attachments(&value, payload.attachments().len()));
    }
}

/// Checks that placeholders were rejected for a reason.
fn check_rejected(text: &str) {
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    let attachments: usize = text[1..=digits].parse().expect("the decoder counted them");
    let payload = &text[text.find('[').expect("an array")..];
    if let Ok(value) = serde_json::from_str(payload) {
        assert!(!has_attachments(&value, attachments));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut decoder = PacketDecoder::new(LIMITS);
    for message in data.split(|byte| *byte == 0) {
        let decoded = match (message.split_first(), std::str::from_utf8(message)) {
            (Some((1, attachment)), _) => decoder.binary(attachment.to_vec().into()),
            (_, Ok(text)) => {
                let decoded = decoder.text(text);
                if decoded == Err(PacketError::Placeholder) {
                    check_rejected(text);
                }
                decoded
            }
            _ => continue,
        };
        assert!(decoded.is_ok() || !decoder.is_incomplete());
        if let Ok(Some(packet)) = decoded {
            check(&packet);
        }
    }
});
