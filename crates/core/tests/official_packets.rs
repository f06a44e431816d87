//! The codec against what the official JavaScript parser encodes, decodes and rejects, as `packets/capture.mjs` records it.

use std::collections::BTreeSet;

use bytes::Bytes;
use roomwire_core::{
    AckId,
    packet::{EncodedPacket, Packet, PacketDecoder, PacketError, PacketKind, PacketLimits},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// Reasons to differ, each with the texts of such messages. The official parser accepts all of them, and client libraries
/// send none of them.
const DIFFERENCES: &[(&str, &[&str])] = &[
    ("JavaScript converts an empty text and whitespace to the number 0, here the type CONNECT", &["", " ", "\n0"]),
    (
        "and here the acknowledgement id 0, or a part of an id; for this codec it is whitespace before JSON",
        &["0 ", "1 ", r#"2 ["a"]"#, "2\t7[\"a\"]"],
    ),
    (
        "a number in the place of a name keeps its spelling; JavaScript writes numbers in one way only",
        &["2[-0]", "2[1.0]", "2[1e2]"],
    ),
    (
        "an event without a payload has no name",
        &["2", "27", "2/a", "2/a,", r#"2/a["a"]"#, r#"2/**/["a"]"#, "2/chat,12", "51-", "51-7"],
    ),
    (
        "an acknowledgement without a payload does not follow the protocol, which says `[]`",
        &["37", "3/chat,12", "61-7"],
    ),
    (
        "an acknowledgement without an id acknowledges nothing",
        &["3", "3[]", "3/", "3/a,[]", "3/chat,", "61-[]", r#"61-[{"x":{"_placeholder":true,"num":0}}]"#],
    ),
    (
        "above 2^53-1, two ids are the same number in JavaScript, so the wrong callback could be called",
        &["39007199254740992[]", "318446744073709551616[]", r#"29007199254740993["a"]"#],
    ),
    (
        "a number of attachments has decimal digits only; JavaScript converts other notations and whitespace",
        &[r#"51.0-["a"]"#, r#"51e0-["a"]"#, r#"50x1-["a"]"#, r#"5 1-["a"]"#, r#"5+1-["a"]"#],
    ),
    (
        "the same holds for the number of a placeholder; what is not an integer becomes `undefined` there",
        &[
            r#"51-["a",{"_placeholder":true,"num":0.5}]"#,
            r#"51-["a",{"_placeholder":true,"num":0.0}]"#,
            r#"51-["a",{"_placeholder":true,"num":-0}]"#,
            r#"51-["a",{"_placeholder":true,"num":0e1}]"#,
            r#"51-["a",{"_placeholder":true,"num":1e-1}]"#,
        ],
    ),
    (
        "placeholders in a placeholder are checked too; the official parser replaces the outer one and ignores them",
        &[r#"51-["a",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":7}}]"#],
    ),
];

/// Names that are spelled otherwise when encoded again. A number becomes a string, which finds the same handlers in
/// JavaScript; a lone surrogate becomes U+FFFD, since Rust strings cannot contain it.
const OTHER_SPELLING: &[&str] = &["5", "0", "-1.5", "1e+21", "half \u{fffd}", "\u{fffd}"];

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
}

#[derive(Debug, Deserialize)]
struct Encoded {
    messages: Vec<Message>,
    #[serde(rename = "type")]
    kind: String,
    nsp: String,
    id: Option<i64>,
    name: Option<String>,
    arguments: String,
}

#[derive(Debug, Deserialize)]
struct Received {
    messages: Vec<Message>,
    #[serde(default)]
    packets: Vec<Decoded>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Decoded {
    #[serde(rename = "type")]
    kind: String,
    nsp: String,
    id: Option<f64>,
    data: Option<Value>,
}

/// The cases of a file, without its first line, which names the parser's version.
fn cases<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let cases: Vec<T> = file
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(cases.len() > 250, "{} cases", cases.len());
    cases
}

fn decode(messages: &[Message]) -> Result<Vec<Packet>, PacketError> {
    let mut decoder = PacketDecoder::new(PacketLimits { bytes: 100_000, attachments: 10, depth: 32 });
    let mut packets = Vec::new();
    for message in messages {
        packets.extend(match message {
            Message::Text(text) => decoder.text(text.as_str())?,
            Message::Binary(bytes) => decoder.binary(bytes.clone().into())?,
        });
    }
    Ok(packets)
}

/// Type, id, name, arguments and attachments of a packet.
fn parts(packet: &Packet) -> (&'static str, Option<i64>, Option<&str>, &str, &[Bytes]) {
    match &packet.kind {
        PacketKind::Connect { auth } => ("CONNECT", None, None, auth.arguments(), &[]),
        PacketKind::Disconnect => ("DISCONNECT", None, None, "", &[]),
        PacketKind::Event { name, ack, payload } => {
            ("EVENT", ack.map(|AckId(id)| id), Some(name), payload.arguments(), payload.attachments())
        }
        PacketKind::Ack { id: AckId(id), payload } => {
            ("ACK", Some(*id), None, payload.arguments(), payload.attachments())
        }
        PacketKind::ConnectError { error } => ("CONNECT_ERROR", None, None, error.arguments(), &[]),
    }
}

#[test]
fn what_the_official_parser_encodes_is_decoded_to_the_same_and_encoded_to_the_same_messages() {
    for case in cases::<Encoded>(include_str!("packets/encoded.jsonl")) {
        let packets = decode(&case.messages).unwrap_or_else(|error| panic!("{error}: {case:?}"));
        let [packet] = &packets[..] else { panic!("{} packets: {case:?}", packets.len()) };
        let attachments: Vec<&[u8]> = case.messages.iter().filter_map(binary).collect();
        let (kind, id, name, arguments, sent) = parts(packet);
        assert_eq!((kind, id, name), (&*case.kind, case.id, case.name.as_deref()), "{case:?}");
        assert_eq!((&*packet.namespace, arguments), (&*case.nsp, &*case.arguments), "{case:?}");
        assert_eq!(sent, attachments, "{case:?}");

        let again = EncodedPacket::from(packet);
        assert_eq!(again.attachments(), attachments, "{case:?}");
        let Some(Message::Text(text)) = case.messages.first() else { panic!("no text: {case:?}") };
        let is_spelled_otherwise = name.is_some_and(|name| OTHER_SPELLING.contains(&name));
        assert_eq!(again.text() != text, is_spelled_otherwise, "{} instead of {text}", again.text());
    }
}

fn binary(message: &Message) -> Option<&[u8]> {
    match message {
        Message::Binary(bytes) => Some(bytes),
        Message::Text(_) => None,
    }
}

#[test]
fn what_the_official_parser_rejects_is_rejected_and_what_it_decodes_is_decoded_to_the_same() {
    let mut unseen: BTreeSet<&str> = DIFFERENCES.iter().flat_map(|(_, texts)| *texts).copied().collect();
    let mut surprises = Vec::new();
    for case in cases::<Received>(include_str!("packets/received.jsonl")) {
        let ours = decode(&case.messages);
        let is_same = match (&ours, &case.error) {
            (Ok(packets), None) => {
                packets.len() == case.packets.len()
                    && packets.iter().zip(&case.packets).all(|(ours, theirs)| is_same(ours, theirs))
            }
            (Err(error), Some(theirs)) => error_of(*error) == error_class(theirs),
            _ => false,
        };
        let text = case.messages.iter().rev().find_map(|message| match message {
            Message::Text(text) => Some(text.as_str()),
            Message::Binary(_) => None,
        });
        let is_expected = text.is_some_and(|text| DIFFERENCES.iter().any(|(_, texts)| texts.contains(&text)));
        if is_expected {
            unseen.remove(text.unwrap_or_default());
        }
        if is_same == is_expected {
            surprises.push(format!("{ours:?}\n    and not {case:?}"));
        }
    }
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
    assert!(unseen.is_empty(), "no such cases: {unseen:?}");
}

fn is_same(ours: &Packet, theirs: &Decoded) -> bool {
    let (kind, id, name, arguments, attachments) = parts(ours);
    let mut elements: Vec<Value> = match arguments {
        "" => Vec::new(),
        _ => ours_as_values(ours),
    };
    if let Some(name) = name {
        elements.insert(0, Value::from(name));
    }
    let data = match (&theirs.data, kind) {
        (None, _) => Vec::new(),
        (Some(Value::Array(elements)), _) => elements.clone(),
        (Some(other), _) => vec![other.clone()],
    };
    // The official parser reads an id that means nothing.
    let ignores_id = matches!(kind, "CONNECT" | "DISCONNECT" | "CONNECT_ERROR");
    kind == theirs.kind
        && *ours.namespace == theirs.nsp
        && (id.map(|id| id as f64) == theirs.id || ignores_id)
        && elements.len() == data.len()
        && elements.iter().zip(&data).all(|(ours, theirs)| equal(ours, theirs, attachments))
}

/// The arguments as values; lone surrogates are U+FFFD.
fn ours_as_values(packet: &Packet) -> Vec<Value> {
    let payload = match &packet.kind {
        PacketKind::Connect { auth: payload }
        | PacketKind::Event { payload, .. }
        | PacketKind::Ack { payload, .. }
        | PacketKind::ConnectError { error: payload } => payload,
        PacketKind::Disconnect => return Vec::new(),
    };
    let array = roomwire_core::Payload::from_encoded(format!("[{}]", payload.arguments()).into(), Vec::new());
    array.decode().expect("arguments are JSON")
}

/// Whether two values are the same for JavaScript. Binary values are `{"$bytes":[…]}` there and placeholders here.
fn equal(ours: &Value, theirs: &Value, attachments: &[Bytes]) -> bool {
    if let (Some(bytes), false) = (theirs.get("$bytes"), attachments.is_empty()) {
        let attachment = ours["num"].as_u64().and_then(|number| attachments.get(usize::try_from(number).ok()?));
        return ours["_placeholder"] == true
            && attachment.is_some_and(|attachment| *bytes == Value::from(attachment.to_vec()));
    }
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        // The name of an event, which is text here and may be a number there.
        (Value::String(ours), Value::Number(theirs)) => *ours == theirs.to_string(),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| equal(ours, theirs, attachments))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| equal(ours, theirs, attachments)))
        }
        _ => ours == theirs,
    }
}

/// The message of the official parser for this error.
fn error_of(error: PacketError) -> &'static str {
    match error {
        PacketError::UnknownType => "unknown packet type",
        PacketError::AttachmentCount => "Illegal attachments",
        PacketError::TooManyAttachments { .. } => "too many attachments",
        PacketError::MissingAttachment => "got plaintext data when reconstructing a packet",
        PacketError::UnexpectedAttachment => "got binary data when not reconstructing a packet",
        PacketError::Placeholder => "illegal attachments",
        _ => "invalid payload",
    }
}

/// The message of the official parser without the type that it quotes.
fn error_class(message: &str) -> &str {
    if message.starts_with("unknown packet type") { "unknown packet type" } else { message }
}
