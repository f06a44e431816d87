//! Messages to one client, here and elsewhere, and ending one client's connection.

use roomwire_service::{DisconnectReason, ErrorCode, Gateway};

use crate::fixture::{Cluster, Ledger, within};

#[tokio::test]
async fn a_client_on_this_node_is_reached_without_any_state() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let here = &cluster.nodes[0];
    let mut client = here.server.connect().await.expect("connects");
    here.store.take_log();
    here.bus.take_log();
    here.service.send_to_client(client.id(), "hi", &1).await.expect("sends");
    here.service.send_to_client(client.handle(), "hi", &2).await.expect("sends");
    assert_eq!([client.expect::<i32>("hi").await, client.expect("hi").await], [1, 2]);
    assert_eq!((here.store.take_log().len(), here.bus.take_log().len()), (0, 0));
}

#[tokio::test]
async fn a_client_on_another_node_is_found_and_reached() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let mut client = cluster.nodes[2].server.connect().await.expect("connects");
    let mut bystander = cluster.nodes[2].server.connect().await.expect("connects");
    cluster.nodes[0].store.take_log();
    for number in 0..100 {
        cluster.nodes[0].service.send_to_client(client.id(), "hi", &number).await.expect("sends");
    }
    for number in 0..100 {
        assert_eq!(client.expect::<i32>("hi").await, number);
    }
    assert_eq!(cluster.nodes[0].store.take_log(), vec!["locate"; 100]);
    assert!(bystander.drain().is_empty());
}

#[tokio::test]
async fn an_unknown_client_is_not_found() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let refused = here.service.send_to_client("nobody", "hi", &1).await.expect_err("nobody");
    assert_eq!(refused.code(), ErrorCode::ClientNotFound);
    let refused = here.service.send_to_client("", "hi", &1).await.expect_err("no name");
    assert_eq!(refused.code(), ErrorCode::InvalidName);

    let gone = there.server.connect().await.expect("connects");
    let ledger = Ledger::of(cluster.services());
    gone.disconnect();
    ledger.gone(1).await;
    for node in [here, there] {
        let refused = node.service.send_to_client(gone.id(), "hi", &1).await.expect_err("gone");
        assert_eq!(refused.code(), ErrorCode::ClientNotFound);
        let refused = node.service.disconnect_client(gone.id()).await.expect_err("gone");
        assert_eq!(refused.code(), ErrorCode::ClientNotFound);
    }
}

#[tokio::test]
async fn a_client_is_disconnected_from_its_own_and_from_another_node() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    for from in [0, 1] {
        let mut client = cluster.nodes[1].server.connect().await.expect("connects");
        cluster.nodes[1].service.join_room(client.handle(), "r").await.expect("joins");
        cluster.nodes[from].service.disconnect_client(client.id()).await.expect("ordered");
        assert!(within("the end", client.next()).await.is_none(), "the connection ends");
        ledger.gone(from + 1).await;
        let (last, reason) = ledger.disconnected().pop().expect("reported");
        assert_eq!((&last.client, reason), (client.id(), DisconnectReason::DisconnectedByServer));
    }
    assert_eq!(ledger.assert_all_left().await, 2);
    assert_eq!(cluster.nodes[0].service.client_count().await.expect("answers"), 0);
}

#[tokio::test]
async fn a_client_that_has_connected_is_reached_at_once() {
    let cluster = Cluster::of(1, Gateway::new).await;
    let node = &cluster.nodes[0];
    let mut client = node.server.connect().await.expect("connects");
    node.service.broadcast("all", &1).await.expect("sends");
    node.service.send_to_client(client.id(), "one", &2).await.expect("sends");
    assert_eq!((client.expect::<i32>("all").await, client.expect::<i32>("one").await), (1, 2));
}
