//! A broadcast is one frame, the same for everybody.

use roomwire_service::{Binary, Client, Error, Gateway, WebSocketService};
use serde::Serialize;

use crate::support::{Fixture, Frame, Polling, WebSocket, config, eventually};

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "room").await
}

/// Different each time it is encoded.
struct Encoded(std::sync::atomic::AtomicU32);

impl Serialize for Encoded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::AcqRel).serialize(serializer)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_get_the_same_bytes_of_one_encoding() {
    let fixture = Fixture::new(config(), Gateway::new().on_connect(enter)).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(WebSocket::connect(fixture.address).await);
    }
    let mut polling = Polling::connect(fixture.address).await;
    eventually("all are in", async || fixture.has_members("room", 101).await).await;
    let payload = Encoded(7.into());
    fixture.service.broadcast_to_room("room", "say \"hi\"", &payload).await.expect("sent");
    for socket in &mut sockets {
        assert_eq!(socket.message().await, r#"42["say \"hi\"",7]"#);
    }
    assert_eq!(polling.poll().await, [r#"42["say \"hi\"",7]"#]);
    assert_eq!(payload.0.into_inner(), 8);
}

#[tokio::test]
async fn binary_goes_out_as_attachments_on_every_transport() {
    let fixture = Fixture::new(config(), Gateway::new()).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut polling = Polling::connect(fixture.address).await;
    fixture.holds(2).await;
    fixture.service.broadcast("picture", &Binary::from(vec![7, 7, 7])).await.expect("sent");
    fixture.service.broadcast("said", &"after").await.expect("sent");
    let text = r#"451-["picture",{"_placeholder":true,"num":0}]"#;
    let mut frames = Vec::new();
    while frames.len() < 3 {
        match socket.frame().await.expect("a frame") {
            Frame::Text(ping) if ping == "2" => {}
            frame => frames.push(frame),
        }
    }
    let said = r#"42["said","after"]"#;
    assert_eq!(frames, [Frame::Text(text.into()), Frame::Binary(vec![7; 3]), Frame::Text(said.into())]);
    assert_eq!(polling.poll().await, [text, "bBwcH", said]);
}
