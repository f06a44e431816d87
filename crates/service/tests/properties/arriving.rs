//! A client that the store knows already and that was not told that it is connected: what other nodes send to it waits.

use std::{sync::Arc, time::Duration};

use roomwire_core::Namespace;
use roomwire_service::{ClientId, DisconnectReason, Error, Gateway, Handshake, WebSocketService, testing::TestClient};
use tokio::{task::JoinHandle, time::sleep};

use crate::fixture::{Cluster, Hold, Ledger, Moment};

/// Two nodes, and a client that connects to the first, held when the store knows it.
async fn arriving() -> (Cluster, Arc<Hold>, JoinHandle<Result<TestClient, Error>>) {
    let cluster = Cluster::of(2, Gateway::new).await;
    let hold = cluster.nodes[0].store.hold(Moment::After, "connect");
    let server = cluster.nodes[0].server.clone();
    let connecting = tokio::spawn(async move { server.connect_with(&Namespace::root(), Handshake::new(ada())).await });
    hold.reached().await;
    (cluster, hold, connecting)
}

fn ada() -> ClientId {
    ClientId::new("ada").expect("valid")
}

/// Lets messages come in that were sent before.
async fn arrive() {
    sleep(Duration::from_millis(5)).await;
}

#[tokio::test(start_paused = true)]
async fn messages_and_questions_of_other_nodes_reach_it_in_order_once_it_takes_part() {
    let (cluster, hold, connecting) = arriving().await;
    let other: &WebSocketService = &cluster.nodes[1].service;
    for number in 0..3 {
        other.send_to_client(ada(), "number", &number).await.expect("the store knows where it is");
    }
    let asking = tokio::spawn({
        let other = other.clone();
        async move { other.send_to_client_with_ack::<u32>(ada(), "question", &(), Duration::from_secs(1)).await }
    });
    arrive().await;
    hold.release();
    let mut client = connecting.await.expect("no panic").expect("connects");
    other.send_to_client(ada(), "number", &3).await.expect("connected");
    for number in 0..3 {
        assert_eq!(client.expect::<u32>("number").await, number);
    }
    let question = client.next().await.expect("a question");
    assert_eq!(&*question.name, "question");
    question.acknowledge(&7).expect("can be encoded");
    assert_eq!(asking.await.expect("no panic").expect("answered"), 7);
    assert_eq!(client.expect::<u32>("number").await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_another_node_to_disconnect_it_is_carried_out_once_it_takes_part() {
    let (cluster, hold, connecting) = arriving().await;
    let ledger = Ledger::of(cluster.services());
    cluster.nodes[1].service.disconnect_client(ada()).await.expect("the store knows where it is");
    arrive().await;
    hold.release();
    let mut client = connecting.await.expect("no panic").expect("connects");
    assert!(client.next().await.is_none(), "its connection ends");
    ledger.gone(1).await;
    assert_eq!(ledger.disconnected()[0].1, DisconnectReason::DisconnectedByServer);
    assert_eq!(cluster.nodes[1].service.client_count().await.expect("answers"), 0);
}

#[tokio::test(start_paused = true)]
async fn more_than_it_could_have_waiting_ends_its_connection_and_leaves_no_gap() {
    let (cluster, hold, connecting) = arriving().await;
    let most = cluster.nodes[0].service.config().limits.send_buffer;
    let other = &cluster.nodes[1].service;
    for number in 0..=most {
        other.send_to_client(ada(), "number", &number).await.expect("the store knows where it is");
    }
    arrive().await;
    let ledger = Ledger::of(cluster.services());
    hold.release();
    let mut client = connecting.await.expect("no panic").expect("connects");
    let received = client.drain();
    assert_eq!(received.len(), most);
    ledger.gone(1).await;
    assert_eq!(ledger.disconnected()[0].1, DisconnectReason::SlowConsumer);
}
