//! The server ends a websocket by a close frame, after which every client reconnects. The Engine.IO close packet is for
//! HTTP long-polling: on a websocket python-socketio and rust_socketio take it for good and never come back.

use std::time::Duration;

use roomwire_service::{Gateway, WebSocketConfig};

use crate::support::{Fixture, Frame, WebSocket, config};

/// The frames after which the connection ends.
async fn last_frames(mut socket: WebSocket) -> Vec<Frame> {
    let mut seen = Vec::new();
    while let Some(frame) = socket.frame().await {
        seen.push(frame);
    }
    seen
}

#[track_caller]
fn ends_with_a_close_frame(seen: &[Frame]) {
    assert!(matches!(seen.last(), Some(Frame::Close(_))), "{seen:?}");
    assert!(!seen.contains(&Frame::Text("1".to_owned())), "{seen:?}");
}

#[tokio::test]
async fn when_the_server_stops() {
    let mut fixture = Fixture::new(config(), Gateway::new()).await;
    let socket = WebSocket::connect(fixture.address).await;
    fixture.tell_to_stop();
    ends_with_a_close_frame(&last_frames(socket).await);
    fixture.ended().await;
}

#[tokio::test]
async fn when_pings_are_not_answered() {
    let [ping_interval, ping_timeout] = [Duration::from_millis(100); 2];
    let config = WebSocketConfig { ping_interval, ping_timeout, ..config() };
    let fixture = Fixture::new(config, Gateway::new()).await;
    let socket = WebSocket::connect(fixture.address).await;
    ends_with_a_close_frame(&last_frames(socket).await);
    fixture.empty().await;
}

#[tokio::test]
async fn when_a_packet_is_malformed() {
    let fixture = Fixture::new(config(), Gateway::new()).await;
    for packet in ["4nonsense", "42[", "9"] {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.send(packet).await;
        ends_with_a_close_frame(&last_frames(socket).await);
    }
    fixture.empty().await;
}
