//! The order in which members see messages, and that a member misses none.

use std::{collections::HashMap, sync::Arc};

use roomwire_service::{Gateway, testing::TestClient};
use tokio::{sync::Barrier, task::JoinSet};

use crate::fixture::{Cluster, within, yield_randomly};

const SENDERS: u32 = 4;
const MESSAGES: u32 = 500;

/// Reads so many messages, each a sender and a number.
async fn read(client: &mut TestClient, messages: usize) -> Vec<(u32, u32)> {
    let mut read = Vec::with_capacity(messages);
    while read.len() < messages {
        read.push(client.expect("n").await);
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_on_one_node_see_one_order_and_every_sender_keeps_its_own() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let mut members = Vec::new();
    for number in 0..10 {
        let node = &cluster.nodes[number % 2];
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        members.push(client);
    }
    let mut senders = JoinSet::new();
    let together = Arc::new(Barrier::new(SENDERS as usize));
    for sender in 0..SENDERS {
        let (service, together) = (cluster.nodes[sender as usize % 2].service.clone(), together.clone());
        senders.spawn(async move {
            for number in 0..MESSAGES {
                if number % 10 == 0 {
                    together.wait().await;
                }
                service.broadcast_to_room("r", "n", &(sender, number)).await.expect("sends");
                yield_randomly().await;
            }
        });
    }
    senders.join_all().await;
    let mut seen = Vec::new();
    for member in &mut members {
        seen.push(within("all messages", read(member, (SENDERS * MESSAGES) as usize)).await);
    }
    for (number, order) in seen.iter().enumerate() {
        assert!(*order == seen[number % 2], "members of one node see one order");
        let mut next: HashMap<u32, u32> = HashMap::new();
        for (sender, number) in order {
            let expected = next.entry(*sender).or_default();
            assert_eq!(number, expected, "sender {sender} is heard in its order, without a gap");
            *expected += 1;
        }
    }
    let interleaved = seen[0].windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    assert!(interleaved >= 40, "the senders hardly met: {interleaved}");
}

/// Joins, has another node send to the room, and reads until that message comes.
async fn round(cluster: &Cluster, client: &mut TestClient, node: usize, number: usize) {
    let (here, there) = (&cluster.nodes[node].service, &cluster.nodes[1 - node].service);
    let room = format!("room-{}", number % 3);
    here.join_room(client.handle(), &room).await.expect("joins");
    let message = (client.id().to_string(), number);
    there.broadcast_to_room(&room, "n", &message).await.expect("sends");
    loop {
        // Others use the room at the same time.
        let received: (String, usize) = client.expect("n").await;
        if received == message {
            break;
        }
    }
    here.leave_room(client.handle(), &room).await.expect("leaves");
    client.drain();
}

async fn run(cluster: Cluster, rounds: usize) {
    let cluster = Arc::new(cluster);
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        let cluster = cluster.clone();
        workers.spawn(async move {
            let mut clients = Vec::new();
            for node in &cluster.nodes {
                clients.push(node.server.connect().await.expect("connects"));
            }
            for number in (worker..rounds).step_by(8) {
                // Alternating: every client's next round is on the other node.
                let node = (number / 8) % 2;
                round(&cluster, &mut clients[node], node, number).await;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_join_returned_a_broadcast_from_another_node_is_received_10000_of_10000_times() {
    run(Cluster::of(2, Gateway::new).await, 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_join_returned_a_broadcast_is_received_also_when_the_network_is_slow() {
    let cluster = Cluster::of(2, Gateway::new).await;
    for node in &cluster.nodes {
        node.store.yield_randomly();
        node.bus.yield_randomly();
    }
    run(cluster, 4000).await;
}
