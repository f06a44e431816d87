//! `on_disconnect` is told why.

use std::time::Duration;

use roomwire_service::{DisconnectReason, Gateway};
use tokio::io::AsyncWriteExt;

use crate::support::{Departures, Fixture, Polling, WebSocket, config};

async fn fixture() -> (Fixture, Departures) {
    let (gateway, departures) = Departures::of(Gateway::new());
    (Fixture::new(config(), gateway).await, departures)
}

#[tokio::test]
async fn a_client_that_closes_its_connection_disconnected_by_itself() {
    let (fixture, mut departures) = fixture().await;
    let client = WebSocket::connect(fixture.address).await;
    let id = client.id.clone();
    client.close().await;
    assert_eq!(departures.reason_of(&id).await, DisconnectReason::ClientDisconnected);

    // An engine's close packet, then leaving the namespace.
    for goodbye in ["1", "41"] {
        let mut client = WebSocket::connect(fixture.address).await;
        client.send(goodbye).await;
        assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::ClientDisconnected, "{goodbye}");
    }
    for goodbye in ["1", "41"] {
        let mut client = Polling::connect(fixture.address).await;
        client.post(goodbye).await;
        assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::ClientDisconnected, "{goodbye}");
    }
    fixture.empty().await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_lost() {
    let (fixture, mut departures) = fixture().await;
    let client = WebSocket::connect(fixture.address).await;
    let id = client.id.clone();
    client.reset();
    assert_eq!(departures.reason_of(&id).await, DisconnectReason::ConnectionLost);

    // Its end without a goodbye.
    let client = WebSocket::connect(fixture.address).await;
    let id = client.id.clone();
    client.into_stream().shutdown().await.expect("shut down");
    assert_eq!(departures.reason_of(&id).await, DisconnectReason::ConnectionLost);
    fixture.empty().await;
}

#[tokio::test]
async fn a_client_that_the_application_disconnects_gets_a_disconnect_packet() {
    let (fixture, mut departures) = fixture().await;
    let mut client = WebSocket::connect(fixture.address).await;
    fixture.holds(1).await;
    fixture.service.disconnect_client(client.id.as_str()).await.expect("is here");
    assert_eq!(client.message().await, "41");
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::DisconnectedByServer);

    fixture.empty().await;
    let mut client = Polling::connect(fixture.address).await;
    fixture.holds(1).await;
    fixture.service.disconnect_client(client.id.as_str()).await.expect("is here");
    assert_eq!(client.poll().await, ["41"]);
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::DisconnectedByServer);
    fixture.empty().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_a_ping_timed_out() {
    let (gateway, mut departures) = Departures::of(Gateway::new());
    let mut config = config();
    config.ping_interval = Duration::from_millis(100);
    config.ping_timeout = Duration::from_millis(100);
    let fixture = Fixture::new(config, gateway).await;
    let mut client = WebSocket::connect(fixture.address).await;
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::PingTimeout);
    client.closed_by_server().await;

    let client = Polling::connect(fixture.address).await;
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::PingTimeout);
    fixture.empty().await;
}

#[tokio::test]
async fn what_is_no_protocol_is_a_protocol_error() {
    let (fixture, mut departures) = fixture().await;
    for nonsense in
        ["9", "x", "4x", "49[]", "45", r#"42{"a":1}"#, "42", "44{}", r#"42["a""#, r#"42["a",x]"#, "42[]", "42[null]"]
    {
        let mut client = WebSocket::connect(fixture.address).await;
        client.send(nonsense).await;
        assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::ProtocolError, "{nonsense}");
        client.closed_by_server().await;
    }
    // Binary that was not announced, and text where binary was announced.
    let mut client = WebSocket::connect(fixture.address).await;
    client.send_binary(&[1, 2, 3]).await;
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::ProtocolError);
    let mut client = WebSocket::connect(fixture.address).await;
    client.send(r#"451-["a",{"_placeholder":true,"num":0}]"#).await;
    client.send(r#"42["a"]"#).await;
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::ProtocolError);

    // Several requests that wait for messages at the same time; a ping may answer one of them.
    let client = Polling::connect(fixture.address).await;
    let waiting = [client.another_poll().await, client.another_poll().await, client.another_poll().await];
    assert_eq!(departures.reason_of(&client.id).await, DisconnectReason::ProtocolError);
    drop(waiting);
    fixture.empty().await;
}

#[tokio::test]
async fn a_client_that_is_connected_at_a_shutdown_gets_the_reason() {
    let (fixture, mut departures) = fixture().await;
    let mut socket = WebSocket::connect(fixture.address).await;
    fixture.holds(1).await;
    fixture.stop().await;
    assert_eq!(departures.reason_of(&socket.id).await, DisconnectReason::ServerShutdown);
    socket.closed_by_server().await;
}
