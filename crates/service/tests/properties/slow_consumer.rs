//! A client that does not read is cut off with a reason; what it saw before has no gap, and others lose nothing.

use std::time::Duration;

use roomwire_service::{DisconnectReason, ErrorCode, Gateway, testing::TestClient};

use serde_json::Value;

use crate::fixture::{Cluster, Ledger, config, within};

const BUFFER: usize = 16;

/// A cluster of two whose clients may have `BUFFER` messages waiting, and a member of `r` on its second node.
async fn cluster() -> (Cluster, TestClient) {
    let mut config = config();
    config.limits.send_buffer = BUFFER;
    let cluster = Cluster::configured(Default::default(), config, 2, Gateway::new).await;
    let client = cluster.nodes[1].server.connect().await.expect("connects");
    cluster.nodes[1].service.join_room(client.handle(), "r").await.expect("joins");
    (cluster, client)
}

async fn prefix(mut client: TestClient) -> Vec<u32> {
    let mut read = Vec::new();
    while let Some(received) = within("the end", client.next()).await {
        read.push(received.payload.decode().expect("a number"));
    }
    read
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_when_its_buffer_is_full_and_sees_no_gap() {
    for from in [0, 1] {
        let (cluster, slow) = cluster().await;
        let ledger = Ledger::of(cluster.services());
        let mut quick = cluster.nodes[1].server.connect().await.expect("connects");
        cluster.nodes[1].service.join_room(quick.handle(), "r").await.expect("joins");
        for number in 0..3 * BUFFER as u32 {
            cluster.nodes[from].service.broadcast_to_room("r", "n", &number).await.expect("sends");
            assert_eq!(quick.expect::<u32>("n").await, number, "others get everything");
        }
        let id = slow.id().clone();
        ledger.gone(1).await;
        assert_eq!(prefix(slow).await, Vec::from_iter(0..BUFFER as u32), "what came before the gap, and no more");
        let (gone, reason) = ledger.disconnected().pop().expect("reported");
        assert_eq!((gone.client, reason), (id, DisconnectReason::SlowConsumer));
        assert!(quick.handle().is_connected());
        assert_eq!(cluster.nodes[0].service.member_count("r").await.expect("answers"), 1);
    }
}

#[tokio::test]
async fn as_many_messages_as_the_buffer_holds_disconnect_no_client() {
    let (cluster, mut client) = cluster().await;
    for round in 0..5 {
        for number in 0..BUFFER {
            cluster.nodes[1].service.broadcast_to_room("r", "n", &(round, number)).await.expect("sends");
        }
        for number in 0..BUFFER {
            assert_eq!(client.expect::<(usize, usize)>("n").await, (round, number));
        }
    }
    assert!(client.handle().is_connected());
}

#[tokio::test]
async fn every_way_of_sending_cuts_a_slow_client_off() {
    for way in 0..3 {
        let (cluster, slow) = cluster().await;
        let (service, id) = (&cluster.nodes[1].service, slow.id().clone());
        let ledger = Ledger::of([service.clone()]);
        for number in 0..BUFFER {
            service.send_to_client(&id, "n", &number).await.expect("sends");
        }
        match way {
            0 => {
                let refused = service.send_to_client(&id, "n", &99).await.expect_err("no place");
                assert_eq!(refused.code(), ErrorCode::ClientNotFound);
            }
            1 => service.broadcast("n", &99).await.expect("sends"),
            _ => {
                let soon = Duration::from_secs(1);
                let refused = service.send_to_client_with_ack::<Value>(&id, "n", &99, soon).await;
                assert_eq!(refused.expect_err("no place").code(), ErrorCode::ClientNotFound);
            }
        }
        ledger.gone(1).await;
        assert_eq!(ledger.disconnected()[0].1, DisconnectReason::SlowConsumer);
        assert_eq!(prefix(slow).await.len(), BUFFER);
    }
}
