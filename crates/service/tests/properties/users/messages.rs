//! What is sent to a user, and ending all its connections.

use roomwire_service::{DisconnectReason, Gateway, Identity, testing::TestClient};

use super::fixture::{connect, ends, reasons, user};
use crate::fixture::{Cluster, Ledger};

/// Two clients of ada on each of three nodes, and one of bob.
async fn crowd(cluster: &Cluster) -> (Vec<TestClient>, Vec<TestClient>) {
    let (mut adas, mut bobs) = (Vec::new(), Vec::new());
    for (number, node) in cluster.nodes.iter().enumerate() {
        for twice in 0..2 {
            adas.push(connect(node, &format!("ada-{number}-{twice}"), Identity::of(user("ada"))).await);
        }
        bobs.push(connect(node, &format!("bob-{number}"), Identity::of(user("bob"))).await);
        bobs.push(connect(node, &format!("nobody-{number}"), Identity::anonymous()).await);
    }
    (adas, bobs)
}

#[tokio::test]
async fn events_of_a_user_reach_each_of_its_clients_in_order_and_no_other_client() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let (mut adas, mut bobs) = crowd(&cluster).await;
    let sender = &cluster.nodes[0];
    sender.store.take_log();
    sender.bus.take_log();
    for number in 0..50 {
        sender.service.send_to_user(&user("ada"), "hi", &number).await.expect("sends");
    }
    sender.service.send_to_user(&user("nobody"), "hi", &1).await.expect("a user without clients is no error");
    assert!(sender.store.take_log().is_empty(), "no state is read");
    assert_eq!(sender.bus.take_log(), vec!["publish"; 51], "one message for all other nodes");
    for ada in &mut adas {
        for number in 0..50 {
            assert_eq!(ada.expect::<i32>("hi").await, number);
        }
    }
    sender.service.broadcast("end", &()).await.expect("sends");
    for client in adas.iter_mut().chain(&mut bobs) {
        client.expect::<()>("end").await;
        assert!(client.drain().is_empty());
    }
}

#[tokio::test]
async fn a_user_is_disconnected_on_every_node_and_may_come_back() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let (mut adas, mut bobs) = crowd(&cluster).await;
    let ledger = Ledger::of(cluster.services());
    cluster.nodes[1].service.disconnect_user(&user("ada")).await.expect("ordered");
    for ada in &mut adas {
        ends(ada).await;
    }
    for (_, reason) in reasons(&ledger, 6).await {
        assert_eq!(reason, DisconnectReason::DisconnectedByServer);
    }
    let mut back = connect(&cluster.nodes[2], "ada-0-0", Identity::of(user("ada"))).await;
    cluster.nodes[0].service.send_to_user(&user("ada"), "hi", &1).await.expect("sends");
    assert_eq!(back.expect::<i32>("hi").await, 1);
    cluster.nodes[0].service.broadcast("end", &()).await.expect("sends");
    for bob in &mut bobs {
        bob.expect::<()>("end").await;
    }
}
