//! What a client sends to a namespace before it knows that the server disconnected it from there.

use std::sync::Arc;

use parking_lot::Mutex;
use roomwire_service::{Data, Error, Gateway, Payload, State};

use crate::support::{Fixture, Polling, WebSocket, config};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u32>>>);

async fn hear(State(heard): State<Heard>, Data(number): Data<u32>) -> Result<(), Error> {
    heard.0.lock().push(number);
    Ok(())
}

async fn take(State(heard): State<Heard>, _: Payload) -> Result<(), Error> {
    heard.0.lock().push(u32::MAX);
    Ok(())
}

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn fixture() -> (Fixture, Heard) {
    let heard = Heard::default();
    let custom = Gateway::of("/custom").with_state(heard.clone()).on("hear", hear).on("take", take);
    (Fixture::new(config(), [Gateway::new().on("echo", echo), custom]).await, heard)
}

/// Ends with an event of the main namespace.
const LATE: [&str; 6] = [
    r#"42/custom,["hear",1]"#,
    r#"42/custom,7["hear",2]"#,
    r#"451-/custom,8["take",{"_placeholder":true,"num":0}]"#,
    "43/custom,1[1]",
    "41/custom,",
    r#"429["echo",9]"#,
];
const ATTACHED: usize = 2;

async fn disconnect_from_custom(fixture: &Fixture, connected: &str) {
    let packet = connected.strip_prefix("40/custom,").unwrap_or_else(|| panic!("no CONNECT: {connected}"));
    let packet: serde_json::Value = serde_json::from_str(packet).expect("a CONNECT packet");
    let custom = fixture.service.namespace("/custom").expect("valid");
    custom.disconnect_client(packet["sid"].as_str().expect("an id")).await.expect("is here");
}

#[tokio::test]
async fn late_packets_over_a_websocket_are_ignored_and_other_namespaces_go_on() {
    let (fixture, heard) = fixture().await;
    let mut socket = WebSocket::connect(fixture.address).await;
    for round in 0..3 {
        socket.send("40/custom,").await;
        disconnect_from_custom(&fixture, &socket.message().await).await;
        for (number, packet) in LATE.iter().enumerate() {
            socket.send(packet).await;
            if number == ATTACHED {
                socket.send_binary(&[1, 2, 3]).await;
            }
        }
        assert_eq!(socket.message().await, "41/custom,");
        assert_eq!(socket.message().await, "439[9]", "no other packet is answered");

        socket.send("40/custom,").await;
        assert!(socket.message().await.starts_with("40/custom,"));
        socket.send(&format!(r#"42/custom,1["hear",{}]"#, 100 + round)).await;
        assert_eq!(socket.message().await, "43/custom,1[null]");
        assert_eq!(*heard.0.lock(), (100..=100 + round).collect::<Vec<_>>());
        socket.send("41/custom,").await;
    }
}

#[tokio::test]
async fn late_packets_over_http_requests_are_ignored_and_other_namespaces_go_on() {
    let (fixture, heard) = fixture().await;
    let mut polling = Polling::connect(fixture.address).await;
    for round in 0..3 {
        assert_eq!(polling.post("40/custom,").await.status, 200);
        disconnect_from_custom(&fixture, &polling.poll().await[0]).await;
        let mut late = LATE.to_vec();
        late.insert(ATTACHED + 1, "bAQID");
        assert_eq!(polling.post(&late.join("\u{1e}")).await.status, 200);
        let mut received = polling.poll().await;
        while received.len() < 2 {
            received.extend(polling.poll().await);
        }
        assert_eq!(received, ["41/custom,", "439[9]"]);

        assert_eq!(polling.post("40/custom,").await.status, 200);
        assert!(polling.poll().await[0].starts_with("40/custom,"));
        assert_eq!(polling.post(&format!(r#"42/custom,1["hear",{}]"#, 100 + round)).await.status, 200);
        assert_eq!(polling.poll().await, ["43/custom,1[null]"]);
        assert_eq!(*heard.0.lock(), (100..=100 + round).collect::<Vec<_>>());
        assert_eq!(polling.post("41/custom,").await.status, 200);
    }
}
