//! A broadcast reads no state, encodes once, and publishes only where another node listens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use roomwire_service::Gateway;
use serde::{Serialize, Serializer};

use crate::fixture::Cluster;

/// Counts how often it is encoded.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        serializer.serialize_str("data")
    }
}

#[tokio::test]
async fn a_thousand_broadcasts_read_no_state() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut clients = Vec::new();
    for node in [here, there] {
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        clients.push(client);
    }
    cluster.nodes.iter().for_each(|node| drop(node.store.take_log()));
    for number in 0..250 {
        here.service.broadcast_to_room("r", "n", &number).await.expect("sends");
        here.service.broadcast_to_room_except(clients[0].handle(), "r", "n", &number).await.expect("sends");
        here.service.broadcast("n", &number).await.expect("sends");
        here.service.broadcast_to_room("empty", "n", &number).await.expect("sends");
    }
    for _ in 0..750 {
        clients[1].next().await.expect("arrives");
    }
    for node in &cluster.nodes {
        assert_eq!(node.store.take_log(), Vec::<&str>::new(), "no state is asked, on either side");
    }
}

#[tokio::test]
async fn data_is_encoded_once_whatever_the_number_of_members() {
    for members in [1, 10, 500] {
        let cluster = Cluster::of(2, Gateway::new).await;
        let mut clients = Vec::new();
        for number in 0..members {
            let node = &cluster.nodes[number % 2];
            let client = node.server.connect().await.expect("connects");
            node.service.join_room(client.handle(), "r").await.expect("joins");
            clients.push(client);
        }
        let data = Arc::new(Counted::default());
        cluster.nodes[0].service.broadcast_to_room("r", "n", &*data).await.expect("sends");
        cluster.nodes[0].service.broadcast("n", &*data).await.expect("sends");
        for client in &mut clients {
            assert_eq!(client.expect::<String>("n").await, "data");
            assert_eq!(client.expect::<String>("n").await, "data");
        }
        assert_eq!(data.0.load(Ordering::SeqCst), 2, "{members} members, two broadcasts");
    }
}

#[tokio::test]
async fn nothing_is_published_while_no_other_node_has_members() {
    let cluster = Cluster::of(2, || [Gateway::new(), Gateway::of("/empty")]).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let near = here.server.connect().await.expect("connects");
    here.service.join_room(near.handle(), "r").await.expect("joins");
    let published = || here.bus.take_log().into_iter().filter(|call| *call == "publish").count();
    published();

    let quiet = here.service.namespace("/empty").expect("valid");
    for number in 0..100 {
        here.service.broadcast_to_room("r", "n", &number).await.expect("sends");
        here.service.broadcast("n", &number).await.expect("sends");
        quiet.broadcast("n", &number).await.expect("sends");
    }
    assert_eq!(published(), 0, "nobody is there to hear it");

    let far = there.server.connect().await.expect("connects");
    here.service.broadcast("n", &0).await.expect("sends");
    here.service.broadcast_to_room("r", "n", &0).await.expect("sends");
    assert_eq!(published(), 1, "the namespace is heard, the room is not");

    there.service.join_room(far.handle(), "r").await.expect("joins");
    here.service.broadcast_to_room("r", "n", &0).await.expect("sends");
    assert_eq!(published(), 1, "one message, whatever the number of members");

    there.service.leave_room(far.handle(), "r").await.expect("leaves");
    here.service.broadcast_to_room("r", "n", &0).await.expect("sends");
    assert_eq!(published(), 0, "the last member there is gone");
}
