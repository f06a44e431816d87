//! With `debug: true` each event in and out is logged with its outcome, and nothing that a client said.

use roomwire_service::{Client, Data, Error, ErrorCode, Gateway, Payload, WebSocketConfig, WebSocketService};

use crate::support::{Fixture, Log, Polling, WebSocket, config, eventually};

async fn pass_on(service: WebSocketService, client: Client, payload: Payload) -> Result<(), Error> {
    service.join_room(&client, "room").await?;
    service.broadcast_to_room("room", "passed-on", payload.clone()).await?;
    service.broadcast("told-all", payload.clone()).await?;
    service.send_to_client(client.id(), "told-one", payload).await
}

async fn refuse(Data(secret): Data<String>) -> Result<(), Error> {
    Err(Error::new(ErrorCode::Forbidden).with_source(secret))
}

#[tokio::test]
async fn events_are_logged_with_their_outcome_and_without_what_they_carry() {
    let log = Log::capture();
    let gateway = Gateway::new().on("pass-on", pass_on).on("refuse", refuse);
    let fixture = Fixture::new(WebSocketConfig { debug: true, ..config() }, gateway).await;
    let mut socket = WebSocket::open(fixture.address).await;
    socket.send(r#"40{"token":"SECRET-token"}"#).await;
    assert!(socket.message().await.starts_with("40{"));
    assert_eq!(socket.ask_for(1, r#"["pass-on","SECRET-payload"]"#).await, "[null]");
    socket.ask_for(2, r#"["refuse","SECRET-payload"]"#).await;
    socket.ask_for(3, r#"["unknown","SECRET-payload"]"#).await;
    let mut polling = Polling::open(fixture.address).await;
    polling.post(r#"40{"token":"SECRET-token"}"#).await;
    polling.post(r#"42["pass-on","SECRET-payload"]"#).await;
    polling.post("42[SECRET-payload").await;
    socket.close().await;
    eventually("both are gone", async || log.lines_with(&["disconnected"]) >= 2).await;

    let text = log.text();
    assert!(!text.contains("SECRET"), "{text}");
    for (event, outcome) in [("pass-on", "OK"), ("refuse", "FORBIDDEN"), ("unknown", "UNKNOWN_EVENT")] {
        assert!(log.lines_with(&[&format!("\"{event}\""), &format!("outcome=\"{outcome}\"")]) >= 1, "{event}: {text}");
    }
    for event in ["passed-on", "told-all", "told-one"] {
        assert!(log.lines_with(&[&format!("\"{event}\""), "sent"]) >= 1, "{event}: {text}");
    }
    assert_eq!(log.lines_with(&["ERROR"]), 0, "{text}");
}
