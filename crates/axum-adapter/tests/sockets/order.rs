//! What one client sends is handled in the order sent.

use std::sync::Arc;

use parking_lot::Mutex;
use roomwire_service::{Client, Data, Error, Gateway, RoomId, State, WebSocketConfig, WebSocketService};

use crate::support::{Fixture, Polling, WebSocket, chance, config, eventually, frame};

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn say(service: WebSocketService, Data((room, text)): Data<(RoomId, String)>) -> Result<(), Error> {
    service.broadcast_to_room(&room, "said", &text).await
}

fn chat() -> Gateway {
    Gateway::new().on("join-room", join).on("send-message", say)
}

fn segment(number: usize) -> Vec<u8> {
    let join = frame(&format!(r#"42["join-room","room-{number}"]"#));
    let say = frame(&format!(r#"42["send-message","room-{number}","hello {number}"]"#));
    [join, say].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_and_a_message_in_one_segment_give_the_sender_its_message() {
    let fixture = Fixture::new(config(), chat()).await;
    let mut ada = WebSocket::connect(fixture.address).await;
    for number in 0..2000 {
        ada.write(&segment(number)).await;
        assert_eq!(ada.message().await, format!(r#"42["said","hello {number}"]"#));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_and_messages_sent_without_waiting_give_every_message_in_order() {
    let mut config = config();
    config.limits.send_buffer = 4096;
    let fixture = Fixture::new(config, chat()).await;
    let mut ada = WebSocket::connect(fixture.address).await;
    for number in 0..2000 {
        ada.write(&segment(number)).await;
    }
    for number in 0..2000 {
        assert_eq!(ada.message().await, format!(r#"42["said","hello {number}"]"#));
    }
}

#[derive(Clone, Default)]
struct Handled(Arc<Mutex<Vec<usize>>>);

impl Handled {
    async fn are(&self, expected: usize) {
        eventually("all events are handled", async || self.0.lock().len() >= expected).await;
        let handled = self.0.lock();
        let wrong = handled.iter().enumerate().find(|(place, number)| place != *number);
        assert_eq!((wrong, handled.len()), (None, expected));
    }
}

/// Takes a different number of turns for each event.
async fn note(State(handled): State<Handled>, Data(number): Data<usize>) -> Result<(), Error> {
    let mut luck = number as u64;
    for _ in 0..chance(&mut luck, 8) {
        tokio::task::yield_now().await;
    }
    handled.0.lock().push(number);
    Ok(())
}

async fn noting(config: WebSocketConfig) -> (Fixture, Handled) {
    let handled = Handled::default();
    let fixture = Fixture::new(config, Gateway::new().with_state(handled.clone()).on("note", note)).await;
    (fixture, handled)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_events_over_one_websocket_are_handled_in_order() {
    let (fixture, handled) = noting(config()).await;
    let mut ada = WebSocket::connect(fixture.address).await;
    for number in 0..20_000 {
        ada.send(&format!(r#"42["note",{number}]"#)).await;
    }
    handled.are(20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_events_in_one_http_body_are_handled_in_order() {
    let (fixture, handled) = noting(config()).await;
    let mut ada = Polling::connect(fixture.address).await;
    let packets: Vec<String> = (0..20_000).map(|number| format!(r#"42["note",{number}]"#)).collect();
    assert_eq!(ada.post(&packets.join("\u{1e}")).await.status, 200);
    handled.are(20_000).await;
    assert_eq!(fixture.service.local_client_count(), 1);
}
