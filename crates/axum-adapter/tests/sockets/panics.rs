//! A panic answers its client with an error and harms no other.

use roomwire_service::{Client, Error, Event, FromEvent, Gateway, WebSocketService};
use serde::{Serialize, Serializer};

use crate::support::{Fixture, Polling, WebSocket, config};

async fn panics() -> Result<(), Error> {
    panic!("a bug");
}

struct Unlucky;

impl FromEvent for Unlucky {
    async fn from_event(_: &Event) -> Result<Self, Error> {
        panic!("a bug");
    }
}

async fn unlucky(_: Unlucky) -> Result<(), Error> {
    Ok(())
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("a bug");
    }
}

async fn unwritable() -> Result<Unwritable, Error> {
    Ok(Unwritable)
}

async fn broadcasts_unwritable(service: WebSocketService) -> Result<(), Error> {
    service.broadcast("never", &Unwritable).await
}

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "room").await
}

fn gateway() -> Gateway {
    Gateway::new()
        .on("panics", panics)
        .on("unlucky", unlucky)
        .on("unwritable", unwritable)
        .on("broadcasts-unwritable", broadcasts_unwritable)
        .on("enter", enter)
        .fallback(panics)
        .on_disconnect(panics)
}

const EVENTS: [&str; 5] = ["panics", "unlucky", "unwritable", "broadcasts-unwritable", "nobody-handles"];

#[tokio::test]
async fn a_panic_in_a_handler_is_an_internal_error_to_its_client_alone() {
    let fixture = Fixture::new(config(), gateway()).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut polling = Polling::connect(fixture.address).await;
    for event in EVENTS {
        let answer = socket.ask_for(1, &format!(r#"["{event}"]"#)).await;
        assert!(answer.starts_with(r#"[{"error":{"code":"INTERNAL""#) && !answer.contains("bug"), "{event}: {answer}");
        // Without an acknowledgement it is the event `error`.
        socket.send(&format!(r#"42["{event}"]"#)).await;
        let told = socket.message().await;
        assert!(told.starts_with(r#"42["error",{"code":"INTERNAL""#) && !told.contains("bug"), "{event}: {told}");
        polling.post(&format!(r#"427["{event}"]"#)).await;
        let answer = polling.poll().await;
        assert!(answer[0].starts_with(r#"437[{"error":{"code":"INTERNAL""#), "{event}: {answer:?}");
    }
    assert_eq!(socket.ask_for(2, r#"["enter"]"#).await, "[null]");
    assert_eq!(fixture.service.member_count("room").await.expect("counts"), 1);
    // The handler of the disconnect panics too, and the client is cleaned up.
    socket.close().await;
    polling.post("1").await;
    fixture.empty().await;
    assert_eq!(fixture.service.member_count("room").await.expect("counts"), 0);
    assert_eq!(fixture.service.shutdown().await, 0);
}

#[tokio::test]
async fn a_panic_when_a_client_is_welcomed_disconnects_it_with_an_error() {
    let fixture = Fixture::new(config(), Gateway::new().on_connect(panics).on_disconnect(panics)).await;
    for _ in 0..20 {
        let mut socket = WebSocket::connect(fixture.address).await;
        let told = socket.message().await;
        assert!(told.starts_with(r#"42["error",{"code":"INTERNAL""#), "{told}");
        assert_eq!(socket.message().await, "41");
    }
    fixture.empty().await;
    assert_eq!(fixture.service.shutdown().await, 0);
}
