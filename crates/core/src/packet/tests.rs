//! Properties of the decoder.

use bytes::Bytes;
use bytestring::ByteString;

use super::{Packet, PacketDecoder, PacketError, PacketKind, PacketLimits};
use crate::{AckId, EventName, Payload};

const LIMITS: PacketLimits = PacketLimits { bytes: 200, attachments: 3, depth: 4 };
const TWO: &str = r#"52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;

fn decoder() -> PacketDecoder {
    PacketDecoder::new(LIMITS)
}

fn decoded(text: &str) -> Packet {
    decoder().text(text).expect(text).expect("no attachments")
}

fn rejected(text: &str) -> PacketError {
    decoder().text(text).expect_err(text)
}

fn event(text: &str) -> (ByteString, Payload) {
    let PacketKind::Event { name, payload, .. } = decoded(text).kind else { panic!("an event: {text}") };
    (name, payload)
}

#[test]
fn each_type_is_decoded() {
    let payload = |text: &str| Payload::from_encoded(text.to_owned().into(), Vec::new());
    let event = |ack, text| PacketKind::Event { name: "x".into(), ack, payload: payload(text) };
    for (text, namespace, kind) in [
        ("0", "/", PacketKind::Connect { auth: payload("") }),
        (r#"0/a,{"t":1}"#, "/a", PacketKind::Connect { auth: payload(r#"{"t":1}"#) }),
        ("1/a", "/a", PacketKind::Disconnect),
        (r#"2["x"]"#, "/", event(None, "")),
        (r#"2/a?b=c,5["x",1,[2]]"#, "/a?b=c", event(Some(AckId(5)), "1,[2]")),
        ("37[]", "/", PacketKind::Ack { id: AckId(7), payload: payload("") }),
        ("3/a,7[null]", "/a", PacketKind::Ack { id: AckId(7), payload: payload("null") }),
        (r#"4{"message":"no"}"#, "/", PacketKind::ConnectError { error: payload(r#"{"message":"no"}"#) }),
        (r#"4"no""#, "/", PacketKind::ConnectError { error: payload(r#""no""#) }),
    ] {
        assert_eq!(decoded(text), Packet { namespace: namespace.into(), kind }, "{text}");
    }
}

#[test]
fn a_payload_that_does_not_fit_the_type_is_rejected() {
    for (error, texts) in [
        (PacketError::ConnectPayload, &["0[]", "0null", "0\"a\"", "05true", "0x"][..]),
        (PacketError::DisconnectPayload, &["1{}", "1/a,null", "1 "]),
        (PacketError::EventPayload, &["2", "27", "2/a", "2{}", "2[]", "2[ ]", "2[null]", "2[[1]]", "2[true,1]"]),
        (PacketError::AckPayload, &["37", "37{}", "37null", "37\"a\""]),
        (PacketError::MissingAckId, &["3[]", "3/a,[]"]),
        (PacketError::ConnectErrorPayload, &["4[]", "41null"]),
        (
            PacketError::InvalidJson,
            &["0{", "2[\"a\"", "2[\"a\",]", "2[\"a\"]]", "37[1}", "2[\"a\"]\u{a0}", "4\"", "2[01]"],
        ),
    ] {
        for text in texts {
            assert_eq!(rejected(text), error, "{text}");
        }
    }
}

#[test]
fn event_names_are_decoded_whatever_the_sender_escapes() {
    for (text, name) in [
        (r#"2["room\/join",1]"#, "room/join"),
        (r#"2["gr\u00f6\u00dfe",1]"#, "größe"),
        (r#"2["a\u0026b",1]"#, "a&b"),
        (r#"2["\ud83c\udf89",1]"#, "🎉"),
        (r#"2["a\ud83c",1]"#, "a\u{fffd}"),
        (r#"2["say \"hi\"\n",1]"#, "say \"hi\"\n"),
        (r#"2["",1]"#, ""),
        ("2[5,1]", "5"),
        ("2[ -0.5e3 ,1]", "-0.5e3"),
    ] {
        let (decoded, payload) = event(text);
        assert_eq!((&*decoded, payload.arguments()), (name, "1"), "{text}");
    }
}

#[test]
fn reserved_names_are_rejected_also_when_escaped() {
    for name in EventName::RESERVED {
        assert_eq!(rejected(&format!(r#"2["{name}"]"#)), PacketError::ReservedName);
    }
    assert_eq!(rejected(r#"2["conn\u0065ct",1]"#), PacketError::ReservedName);
    assert_eq!(rejected(r#"51-["connect",{"_placeholder":true,"num":0}]"#), PacketError::ReservedName);
    assert_eq!(event(r#"2["Connect"]"#).0, "Connect");
}

#[test]
fn arguments_are_kept_as_they_were_sent() {
    let arguments = r#"{"z":1, "a":1e400,"z":0.10} , "\ud83c\/\u0041" ,9007199254740993"#;
    assert_eq!(event(&format!("2[ \"x\" , {arguments} ] ")).1.arguments(), arguments);
}

#[test]
fn a_decoded_packet_shares_the_bytes_of_the_message() {
    let text = ByteString::from(r#"2/a,["name",{"a":1}]"#);
    let within = text.as_bytes().as_ptr_range();
    let packet = decoder().text(text.clone()).expect("valid").expect("complete");
    let PacketKind::Event { name, payload, .. } = &packet.kind else { panic!("an event") };
    for part in [&*packet.namespace, &**name, payload.arguments()] {
        assert!(within.contains(&part.as_ptr()), "{part} was copied");
    }
}

#[test]
fn attachments_arrive_in_order_behind_the_text() {
    let mut decoder = decoder();
    for _ in 0..2 {
        assert_eq!(decoder.text(TWO), Ok(None));
        assert_eq!(decoder.binary(Bytes::from_static(&[1])), Ok(None));
        assert!(decoder.is_incomplete());
        let packet = decoder.binary(Bytes::new()).expect("valid").expect("complete");
        let PacketKind::Event { payload, .. } = packet.kind else { panic!("an event") };
        assert_eq!(payload.attachments(), [&[1][..], &[]]);
        assert!(!decoder.is_incomplete());
    }
    assert_eq!(decoder.text(r#"61-3[{"_placeholder":true,"num":0}]"#), Ok(None));
    let packet = decoder.binary(Bytes::from_static(&[1])).expect("valid").expect("complete");
    let PacketKind::Ack { id: AckId(3), payload } = packet.kind else { panic!("an acknowledgement") };
    assert_eq!(payload.attachments().len(), 1);
}

#[test]
fn text_among_attachments_and_binary_without_a_packet_are_rejected() {
    let mut decoder = decoder();
    let binary = || Bytes::from_static(&[1]);
    assert_eq!(decoder.binary(binary()), Err(PacketError::UnexpectedAttachment));
    assert_eq!(decoder.text(TWO), Ok(None));
    assert_eq!(decoder.text("2[\"a\"]"), Err(PacketError::MissingAttachment));
    assert_eq!(decoder.binary(binary()), Err(PacketError::UnexpectedAttachment));
    assert_eq!(decoder.text("51-[\"a\"]"), Ok(None));
    assert!(decoder.binary(binary()).expect("valid").is_some(), "an attachment needs no placeholder");
    assert_eq!(decoder.binary(binary()), Err(PacketError::UnexpectedAttachment));
    // A placeholder in a packet without attachments is an object like any other.
    assert!(decoder.text(r#"2["a",{"_placeholder":true,"num":7}]"#).expect("valid").is_some());
}

#[test]
fn a_placeholder_without_an_attachment_is_rejected_before_attachments_arrive() {
    assert_eq!(rejected(r#"52-["a",{"_placeholder":true,"num":2}]"#), PacketError::Placeholder);
    assert_eq!(rejected(r#"62-1[{"_placeholder":true,"num":-1}]"#), PacketError::Placeholder);
}

#[test]
fn text_and_attachments_together_have_at_most_the_allowed_bytes() {
    let too_large = Err(PacketError::TooLarge { most: LIMITS.bytes });
    let text = |length: usize| format!(r#"2["{}"]"#, "x".repeat(length - 5));
    assert!(decoder().text(text(LIMITS.bytes)).expect("fits").is_some());
    assert_eq!(decoder().text(text(LIMITS.bytes + 1)), too_large);

    let left = LIMITS.bytes - TWO.len();
    let mut decoder = decoder();
    for (first, second) in [(left, 1), (left + 1, 0), (1, left), (0, left + 1)] {
        assert_eq!(decoder.text(TWO), Ok(None));
        let first = decoder.binary(vec![0; first].into());
        assert_eq!(first.and_then(|_| decoder.binary(vec![0; second].into())), too_large);
        assert!(!decoder.is_incomplete());
    }
    assert_eq!(decoder.text(TWO), Ok(None));
    assert_eq!(decoder.binary(vec![0; left].into()), Ok(None));
    assert!(decoder.binary(Bytes::new()).expect("fits").is_some());
}

#[test]
fn arguments_and_auth_are_nested_at_most_as_deep_as_allowed() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let too_deep = PacketError::TooDeep { most: LIMITS.depth };
    assert_eq!(event(&format!(r#"2["a",{},[]]"#, nested(4))).1.arguments(), "[[[[]]]],[]");
    assert_eq!(rejected(&format!(r#"2["a",{}]"#, nested(5))), too_deep);
    assert_eq!(rejected(&format!("37[{}]", nested(5))), too_deep);
    assert_eq!(rejected(&format!(r#"0{{"a":{}}}"#, nested(4))), too_deep);
    decoded(&format!(r#"0{{"a":{}}}"#, nested(3)));
}

#[test]
fn a_message_of_brackets_alone_does_no_harm() {
    let mut decoder = PacketDecoder::new(PacketLimits { bytes: usize::MAX, ..LIMITS });
    assert_eq!(decoder.text(format!("2[\"a\",{}", "[".repeat(8 << 20))), Err(PacketError::InvalidJson));
    let (open, close) = ("{\"a\":[".repeat(1 << 20), "]}".repeat(1 << 20));
    let error = decoder.text(format!("51-[\"a\",{open}{close}]"));
    assert_eq!(error, Err(PacketError::TooDeep { most: LIMITS.depth }));
}

#[test]
fn debug_output_contains_no_credentials() {
    let auth = Payload::encode(&[("token", "secret")]).expect("encodes");
    let packet = Packet { namespace: "/".into(), kind: PacketKind::Connect { auth } };
    let shown = format!("{packet:?}");
    assert!(!shown.contains("secret"), "{shown}");
}
