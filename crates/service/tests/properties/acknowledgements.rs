//! Acknowledgements: the answers, and the clients without one.

use std::{collections::BTreeMap, time::Duration};

use roomwire_service::{ClientId, ErrorCode, Gateway, Payload, WebSocketService, testing::TestClient};
use tokio::{task::JoinHandle, time::Instant};

use crate::fixture::{Cluster, Ledger, server};

const SOON: Duration = Duration::from_secs(5);

/// Acknowledges the next event with this.
fn answers(mut client: TestClient, answer: &'static str) -> JoinHandle<TestClient> {
    tokio::spawn(async move {
        let asked = client.next().await.expect("asked");
        assert!(asked.wants_ack());
        asked.acknowledge(Payload::from_encoded(answer.into(), Vec::new())).expect("answers");
        client
    })
}

async fn ask(service: &WebSocketService, client: impl AsRef<str>) -> Result<u32, ErrorCode> {
    let answer = service.send_to_client_with_ack(client.as_ref(), "how-many", &(), SOON).await;
    answer.map_err(|error| error.code())
}

#[tokio::test(start_paused = true)]
async fn a_client_answers_on_this_node_and_on_another() {
    let cluster = Cluster::of(2, Gateway::new).await;
    for node in &cluster.nodes {
        let client = node.server.connect().await.expect("connects");
        let id = client.id().clone();
        let client = answers(client, "7");
        assert_eq!(ask(&cluster.nodes[0].service, &id).await, Ok(7));
        drop(client.await.expect("no panic"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_is_a_timeout_after_the_time_given() {
    let cluster = Cluster::of(2, Gateway::new).await;
    for node in &cluster.nodes {
        let client = node.server.connect().await.expect("connects");
        let began = Instant::now();
        assert_eq!(ask(&cluster.nodes[0].service, client.id()).await, Err(ErrorCode::Timeout));
        assert_eq!(began.elapsed().as_secs(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_shape_is_an_invalid_payload_that_names_the_field() {
    let server = server(Gateway::new()).await;
    let client = server.connect().await.expect("connects");
    let id = client.id().clone();
    let client = answers(client, r#"{"count":"many"}"#);
    #[derive(Debug, serde::Deserialize)]
    struct Count {
        #[expect(dead_code, reason = "it never arrives")]
        count: u32,
    }
    let refused = server.service().send_to_client_with_ack::<Count>(&id, "how-many", &(), SOON).await;
    let refused = refused.expect_err("no number");
    assert_eq!((refused.code(), refused.field()), (ErrorCode::InvalidPayload, Some("count")));
    drop(client.await.expect("no panic"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_not_found_and_one_that_goes_meanwhile_does_not_answer() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    assert_eq!(ask(&cluster.nodes[0].service, "nobody").await, Err(ErrorCode::ClientNotFound));
    for (number, node) in cluster.nodes.iter().enumerate() {
        let mut client = node.server.connect().await.expect("connects");
        let (service, id) = (cluster.nodes[0].service.clone(), client.id().clone());
        let asked = tokio::spawn(async move { ask(&service, id).await });
        drop(client.next().await.expect("asked"));
        client.disconnect();
        assert_eq!(asked.await.expect("no panic"), Err(ErrorCode::Timeout));
        ledger.gone(number + 1).await;
        assert_eq!(ask(&cluster.nodes[0].service, client.id()).await, Err(ErrorCode::ClientNotFound));
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_without_end_is_no_harm() {
    let cluster = Cluster::of(2, Gateway::new).await;
    for node in &cluster.nodes {
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        let id = client.id().clone();
        let client = answers(client, "7");
        let service = &cluster.nodes[0].service;
        let answer: u32 = service.send_to_client_with_ack(&id, "n", &(), Duration::MAX).await.expect("answers");
        assert_eq!(answer, 7);
        let client = answers(client.await.expect("no panic"), "8");
        let all = service.broadcast_to_room_with_ack::<u32>("r", "n", &(), Duration::MAX).await.expect("answers");
        assert_eq!((all.answers.len(), all.silent.len()), (1, 0));
        node.service.leave_room(client.await.expect("no panic").handle(), "r").await.expect("leaves");
    }
}

/// Members of `r` on each node: `a…` answer with a number, `b…` do not, `c…` answer with text.
async fn room(cluster: &Cluster) -> (Vec<JoinHandle<TestClient>>, Vec<TestClient>) {
    let (mut answering, mut silent) = (Vec::new(), Vec::new());
    for (number, node) in cluster.nodes.iter().enumerate() {
        for kind in ["a", "b", "c"] {
            let id = ClientId::new(format!("{kind}{number}")).expect("valid");
            let handshake = roomwire_service::Handshake::new(id);
            let client = node.server.connect_with(node.service.namespace_name(), handshake).await.expect("connects");
            node.service.join_room(client.handle(), "r").await.expect("joins");
            match kind {
                "a" => answering.push(answers(client, "7")),
                "c" => answering.push(answers(client, r#""seven""#)),
                _ => silent.push(client),
            }
        }
    }
    (answering, silent)
}

#[tokio::test(start_paused = true)]
async fn a_room_on_three_nodes_acknowledges_and_silent_members_are_listed() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let clients = room(&cluster).await;
    let began = Instant::now();
    let service = &cluster.nodes[1].service;
    let all = service.broadcast_to_room_with_ack::<u32>("r", "how-many", &(), SOON).await.expect("asks");
    assert_eq!(began.elapsed().as_secs(), 5, "silence is waited for");
    let answers: BTreeMap<_, _> =
        all.answers.into_iter().map(|(client, answer)| (client, answer.map_err(|error| error.code()))).collect();
    let expected = ["a0", "a1", "a2"].map(|id| (ClientId::new(id).expect("valid"), Ok(7)));
    let odd = ["c0", "c1", "c2"].map(|id| (ClientId::new(id).expect("valid"), Err(ErrorCode::InvalidPayload)));
    assert_eq!(answers, BTreeMap::from_iter(expected.into_iter().chain(odd)));
    assert_eq!(all.silent, ["b0", "b1", "b2"]);
    drop(clients);
}

#[tokio::test(start_paused = true)]
async fn a_room_is_not_waited_for_when_all_have_answered() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let mut clients = Vec::new();
    for node in &cluster.nodes {
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        clients.push(answers(client, "1"));
    }
    let began = Instant::now();
    let all = cluster.nodes[0].service.broadcast_to_room_with_ack::<u32>("r", "n", &(), SOON).await.expect("asks");
    assert_eq!((all.answers.len(), all.silent.len(), began.elapsed()), (2, 0, Duration::ZERO));
    let empty = cluster.nodes[0].service.broadcast_to_room_with_ack::<u32>("none", "n", &(), SOON).await.expect("asks");
    assert_eq!((empty.answers.len(), empty.silent.len(), began.elapsed()), (0, 0, Duration::ZERO));
}
