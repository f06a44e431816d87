//! Of values of which only the newest counts, a client that does not read is owed no more than the newest.

use roomwire_service::{ErrorCode, Gateway, testing::TestClient};

use crate::fixture::{Cluster, Ledger, config};

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

#[tokio::test]
async fn a_client_that_does_not_read_stays_and_gets_the_newest_of_each_key_from_any_node() {
    for from in [0, 1] {
        let (cluster, mut slow) = cluster().await;
        let mut reader = cluster.nodes[1].server.connect().await.expect("connects");
        cluster.nodes[1].service.join_room(reader.handle(), "r").await.expect("joins");
        let ledger = Ledger::of(cluster.services());
        let service = &cluster.nodes[from].service;
        for number in 0..1000_usize {
            let key = ["a", "b", "c"][number % 3];
            service.broadcast_latest_to_room("r", key, "cursor", &(key, number)).await.expect("sends");
        }
        // The last of them has come to the node once another member has it.
        while reader.expect::<(String, usize)>("cursor").await.1 < 999 {}
        let mut got = Vec::new();
        while got.len() < BUFFER + 3 {
            got.push(slow.expect::<(String, usize)>("cursor").await.1);
        }
        assert_eq!(got[..BUFFER], Vec::from_iter(0..BUFFER), "what there was room for");
        assert_eq!(got[BUFFER..], [997, 998, 999], "the newest of b, c and a, in the turns of 16, 17 and 18");
        assert!(slow.drain().is_empty());
        service.broadcast_latest_to_room("r", "a", "cursor", &("a", 1000)).await.expect("sends");
        assert_eq!(slow.expect::<(String, usize)>("cursor").await.1, 1000);
        assert!(slow.handle().is_connected() && ledger.disconnected().is_empty());
    }
}

#[tokio::test]
async fn the_sender_can_be_left_out_and_a_bad_key_is_refused() {
    let (cluster, mut client) = cluster().await;
    let service = &cluster.nodes[1].service;
    service.broadcast_latest_to_room_except(client.id(), "r", "a", "cursor", &1).await.expect("sends");
    service.broadcast_latest_to_room("r", "a", "cursor", &2).await.expect("sends");
    assert_eq!(client.expect::<u32>("cursor").await, 2);
    for key in ["", "a\nb", &"k".repeat(129)] {
        let refused = service.broadcast_latest_to_room("r", key, "cursor", &3).await.expect_err("refused");
        assert_eq!(refused.code(), ErrorCode::InvalidName);
    }
}
