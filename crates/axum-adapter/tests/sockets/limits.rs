//! What one event may bring is bounded by one setting, exactly, on every transport.

use roomwire_core::DisconnectReason;
use roomwire_service::{Error, Gateway, Payload};

use crate::support::{Departures, Fixture, Polling, WebSocket, config, frame, head};

const LIMIT: usize = 4096;

async fn size(payload: Payload) -> Result<usize, Error> {
    Ok(payload.size())
}

async fn fixture() -> (Fixture, Departures) {
    let (gateway, departures) = Departures::of(Gateway::new().on("size", size));
    let mut config = config();
    config.limits.payload = LIMIT;
    config.limits.attachments = 2;
    (Fixture::new(config, gateway).await, departures)
}

/// An event whose argument takes so many bytes.
fn event(bytes: usize) -> String {
    format!(r#"["size","{}"]"#, "x".repeat(bytes - 2))
}

const TOO_LARGE: &str = r#""code":"PAYLOAD_TOO_LARGE""#;

#[tokio::test]
async fn text_at_the_limit_is_handled_and_one_byte_more_is_refused() {
    let (fixture, mut departures) = fixture().await;
    let mut socket = WebSocket::connect(fixture.address).await;
    assert_eq!(socket.ask_for(1, &event(LIMIT)).await, format!("[{LIMIT}]"));
    let refused = socket.ask_for(2, &event(LIMIT + 1)).await;
    assert!(refused.contains(TOO_LARGE), "{refused}");

    let mut polling = Polling::connect(fixture.address).await;
    assert_eq!(polling.post(&format!("421{}", event(LIMIT))).await.status, 200);
    assert_eq!(polling.poll().await, [format!("431[{LIMIT}]")]);
    assert_eq!(polling.post(&format!("422{}", event(LIMIT + 1))).await.status, 200);
    let refused = polling.poll().await;
    assert!(refused[0].starts_with("432") && refused[0].contains(TOO_LARGE), "{refused:?}");
    assert!(departures.is_empty());
}

const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

#[tokio::test]
async fn attachments_count_and_one_byte_more_is_refused() {
    let (fixture, mut departures) = fixture().await;
    let largest = LIMIT - PLACEHOLDER.len();
    let mut socket = WebSocket::connect(fixture.address).await;
    for (bytes, accepted) in [(largest, true), (largest + 1, false)] {
        socket.send(&format!(r#"451-1["size",{PLACEHOLDER}]"#)).await;
        socket.send_binary(&vec![7; bytes]).await;
        let answer = socket.message().await;
        assert_eq!(answer == format!("431[{LIMIT}]"), accepted, "{answer}");
        assert_eq!(answer.contains(TOO_LARGE), !accepted, "{answer}");
    }

    // In base64, three bytes of seven are four characters: "BwcH".
    let mut polling = Polling::connect(fixture.address).await;
    let largest = largest - largest % 3;
    let attachment = "BwcH".repeat(largest / 3);
    let body = format!("451-1[\"size\",{PLACEHOLDER}]\u{1e}b{attachment}");
    assert_eq!(polling.post(&body).await.status, 200);
    assert_eq!(polling.poll().await, [format!("431[{}]", largest + PLACEHOLDER.len())]);
    let body = format!("451-2[\"size\",{PLACEHOLDER}]\u{1e}b{attachment}BwcH");
    assert_eq!(polling.post(&body).await.status, 200);
    let refused = polling.poll().await;
    assert!(refused[0].contains(TOO_LARGE), "{refused:?}");
    assert!(departures.is_empty());
}

#[tokio::test]
async fn what_no_event_within_the_limit_can_be_ends_the_connection() {
    let (fixture, mut departures) = fixture().await;
    let mut healthy = WebSocket::connect(fixture.address).await;
    let too_long = frame(&format!("42{}", event(LIMIT + 1000)));
    // Heads alone: of 64 MiB, and of the largest length there is. Nothing of the kind follows.
    let heads = [too_long, head(1, 64 << 20), head(2, 64 << 20), [&[0x82, 0xff][..], &[0x7f; 12]].concat()];
    for bytes in heads {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.write(&bytes).await;
        socket.closed_by_server().await;
        assert_eq!(departures.reason_of(&socket.id).await, DisconnectReason::ProtocolError);
    }
    // Many small frames of one message.
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut first = head(1, 1000);
    first[0] &= 0x7f;
    socket.write(&[first, vec![b'4'; 1000]].concat()).await;
    for _ in 0..10 {
        let mut next = head(0, 1000);
        next[0] &= 0x7f;
        socket.write(&[next, vec![b'x'; 1000]].concat()).await;
    }
    socket.closed_by_server().await;
    assert_eq!(departures.reason_of(&socket.id).await, DisconnectReason::ProtocolError);

    let mut polling = Polling::connect(fixture.address).await;
    assert_eq!(polling.post(&format!("42{}", event(LIMIT * 2))).await.status, 413);
    assert_eq!(departures.reason_of(&polling.id).await, DisconnectReason::ProtocolError);
    assert_eq!(healthy.ask_for(1, &event(10)).await, "[10]");
}

/// A binary event with so many attachments of one byte.
fn with_attachments(count: usize) -> String {
    let placeholders: Vec<_> = (0..count).map(|number| format!(r#"{{"_placeholder":true,"num":{number}}}"#)).collect();
    format!(r#"45{count}-1["size",{}]"#, placeholders.join(","))
}

#[tokio::test]
async fn an_attachment_more_than_allowed_is_refused_with_a_text_and_far_too_many_end_the_connection() {
    let (fixture, mut departures) = fixture().await;
    let mut socket = WebSocket::connect(fixture.address).await;
    for (count, answer) in [
        (2, "431[61]"),
        (
            3,
            r#"431[{"error":{"code":"LIMIT_EXCEEDED","message":"3 binary attachments in one message; 2 are allowed"}}]"#,
        ),
        (
            66,
            r#"431[{"error":{"code":"LIMIT_EXCEEDED","message":"66 binary attachments in one message; 2 are allowed"}}]"#,
        ),
    ] {
        socket.send(&with_attachments(count)).await;
        for _ in 0..count {
            socket.send_binary(&[1]).await;
        }
        assert_eq!(socket.message().await, answer);
    }
    let mut polling = Polling::connect(fixture.address).await;
    let body = format!("{}{}", with_attachments(3), "\u{1e}bAQ==".repeat(3));
    assert_eq!(polling.post(&body).await.status, 200);
    let refused = polling.poll().await;
    assert!(refused[0].contains(r#""code":"LIMIT_EXCEEDED""#), "{refused:?}");
    assert!(departures.is_empty());

    socket.send(&with_attachments(67)).await;
    assert_eq!(departures.reason_of(&socket.id).await, DisconnectReason::ProtocolError);
    socket.closed_by_server().await;
}
