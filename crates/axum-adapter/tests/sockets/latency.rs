//! Small messages go out at once.

use std::time::{Duration, Instant};

use roomwire_service::{Client, Data, Error, Gateway, WebSocketService};

use crate::support::{Fixture, WebSocket, config};

/// Two small writes, one after the other.
async fn twice(service: WebSocketService, client: Client, Data(number): Data<u32>) -> Result<u32, Error> {
    service.send_to_client(client.id(), "first", &number).await?;
    // Long enough for the first to be written by itself.
    tokio::time::sleep(Duration::from_millis(2)).await;
    Ok(number)
}

/// Without `TCP_NODELAY` the second waits until the receiver acknowledges the first, which takes 40 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_message_does_not_wait_for_the_acknowledgement_of_the_one_before() {
    let fixture = Fixture::new(config(), Gateway::new().on("twice", twice)).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut took = Vec::new();
    for number in 0..50 {
        let began = Instant::now();
        socket.send(&format!(r#"42{number}["twice",{number}]"#)).await;
        assert_eq!(socket.message().await, format!(r#"42["first",{number}]"#));
        assert_eq!(socket.message().await, format!("43{number}[{number}]"));
        took.push(began.elapsed());
    }
    took.sort_unstable();
    assert!(took[25] < Duration::from_millis(15), "median {:?}", took[25]);
}
