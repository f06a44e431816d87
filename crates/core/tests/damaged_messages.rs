//! A message between nodes that was damaged on the way is refused, whatever it says.

use rand::RngExt;
use roomwire_core::{
    Binary, ClientId, DisconnectReason, EncodedPayload, Envelope, EnvelopeError, Incarnation, Namespace, NodeId,
    NodeMessage, Payload, Revocation, Revoked, RoomId, RoomKey, RoomUid, Timestamp, TraceParent, UserId,
};

const FLIPS: usize = 100_000;

/// One message of each kind, with payloads from a few bytes to more than XXH3 hashes at once.
fn messages() -> Vec<Envelope> {
    let payloads: Vec<EncodedPayload> = [0, 40, 700]
        .into_iter()
        .map(|length| {
            let arguments = ("x".repeat(length), Binary::from(vec![7; length / 2]));
            EncodedPayload::from(&Payload::encode(&arguments).expect("encodes"))
        })
        .collect();
    let [short, medium, long] = &payloads[..] else { panic!("three payloads") };
    let client = ClientId::new("client").expect("valid");
    let user = UserId::new("ada").expect("valid");
    let room = RoomKey::new(Namespace::root(), RoomId::new("room").expect("valid"));
    let (namespace, event, reason) = (Namespace::root(), "greet".to_owned(), DisconnectReason::ServerShutdown);
    let moment = Timestamp::from_millis(1_795_446_540_120);
    let messages = [
        NodeMessage::ToRoom {
            room: room.clone(),
            except: Some(client.clone()),
            event: event.clone(),
            payload: medium.clone(),
            conflate: Some("key".to_owned()),
        },
        NodeMessage::ToAll { namespace: namespace.clone(), except: None, event: event.clone(), payload: long.clone() },
        NodeMessage::ToClient {
            namespace: namespace.clone(),
            client: client.clone(),
            event: event.clone(),
            payload: short.clone(),
        },
        NodeMessage::AckRequest {
            request: 7,
            namespace: namespace.clone(),
            clients: vec![client.clone()],
            event: event.clone(),
            payload: medium.clone(),
            timeout_ms: 5_000,
        },
        NodeMessage::AckResponse { request: 7, client: client.clone(), payload: Some(short.clone()) },
        NodeMessage::AckResponse { request: 7, client: client.clone(), payload: None },
        NodeMessage::Disconnect { namespace: namespace.clone(), client, reason },
        NodeMessage::RoomDeleted { room, uid: RoomUid::from_u64(9) },
        NodeMessage::ToUser { namespace: namespace.clone(), user: user.clone(), event, payload: medium.clone() },
        NodeMessage::DisconnectUser { namespace, user: user.clone(), reason },
        NodeMessage::Revoked(Revocation { subject: Revoked::User(user), revoked_at: moment, until: moment }),
    ];
    let from = Incarnation::begin(NodeId::random());
    let trace = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    messages
        .into_iter()
        .enumerate()
        .map(|(number, message)| Envelope {
            from: from.clone(),
            sent_at: Timestamp::from_millis(1_795_446_540_120),
            trace: trace.clone().filter(|_| number % 2 == 0),
            message,
        })
        .collect()
}

#[test]
fn no_message_with_a_flipped_bit_is_read() {
    let whole: Vec<Vec<u8>> = messages().iter().map(|sent| sent.encode().expect("encodes").to_vec()).collect();
    let mut random = rand::rng();
    for flip in 0..FLIPS {
        let mut bytes = whole[flip % whole.len()].clone();

        let (at, bit) = (random.random_range(0..bytes.len()), random.random_range(0..8));
        bytes[at] ^= 1 << bit;
        let refused = Envelope::decode(&bytes).expect_err("is damaged");
        match at {
            0 => assert!(matches!(refused, EnvelopeError::Version(_)), "{refused}"),
            _ => assert_eq!(refused, EnvelopeError::Damaged, "bit {bit} of byte {at} of {}", bytes.len()),
        }
    }
    println!("{FLIPS} flipped bits in {} messages", whole.len());
}

#[test]
fn no_message_with_any_of_its_bits_flipped_or_any_of_its_bytes_lost_is_read() {
    for sent in messages() {
        let whole = sent.encode().expect("encodes").to_vec();
        assert_eq!(Envelope::decode(&whole), Ok(sent));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            for bit in 0..8 {
                damaged[at] = whole[at] ^ (1 << bit);
                assert!(Envelope::decode(&damaged).is_err(), "bit {bit} of byte {at}");
            }
            damaged.remove(at);
            assert!(Envelope::decode(&damaged).is_err(), "without byte {at}");
        }
    }
}

#[test]
fn a_message_of_another_version_is_refused_in_words_that_name_both() {
    let mut bytes = messages()[0].encode().expect("encodes").to_vec();
    bytes[0] = 3;
    let refused = Envelope::decode(&bytes).expect_err("of another version");
    assert_eq!(refused.to_string(), "message of version 3, expected 4");
}
