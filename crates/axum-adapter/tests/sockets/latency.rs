//! Small messages go out at once.

use std::time::{Duration, Instant};

use roomwire_service::{Data, Error, Gateway};

use crate::support::{Stage, WebSocket, config};

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

/// Without `TCP_NODELAY`, a small message waits 40 ms for the acknowledgement of the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_message_does_not_wait_for_the_acknowledgement_of_the_one_before() {
    let stage = Stage::new(config(), Gateway::new().on("echo", echo)).await;
    let mut socket = WebSocket::connect(stage.address).await;
    let mut took = Vec::new();
    for number in 0..50 {
        let began = Instant::now();
        // Two answers to one question: the second would wait.
        socket.send(&format!(r#"42{number}["echo",{number}]"#)).await;
        socket.send(&format!(r#"429{number}["echo",{number}]"#)).await;
        assert_eq!(socket.message().await, format!("43{number}[{number}]"));
        assert_eq!(socket.message().await, format!("439{number}[{number}]"));
        took.push(began.elapsed());
    }
    took.sort_unstable();
    assert!(took[25] < Duration::from_millis(15), "median {:?}", took[25]);
}
