//! A room never has more members than its capacity, however many join at once and wherever.

use std::collections::BTreeSet;

use roomwire_service::{
    Client, ClientId, ErrorCode, Gateway, NewRoom, PageRequest, WebSocketService, testing::TestClient,
};
use tokio::task::JoinSet;

use crate::fixture::Cluster;

const CAPACITY: usize = 10;
const CLIENTS: usize = 200;

/// Clients spread over the nodes, each with the service of its own node.
async fn crowd(cluster: &Cluster) -> Vec<(WebSocketService, TestClient)> {
    let mut crowd = Vec::new();
    for number in 0..CLIENTS {
        let node = &cluster.nodes[number % cluster.nodes.len()];
        crowd.push((node.service.clone(), node.server.connect().await.expect("connects")));
    }
    crowd
}

/// All join at once. Returns those that are members.
async fn race(crowd: &[(WebSocketService, TestClient)]) -> Vec<(WebSocketService, Client)> {
    let mut joins = JoinSet::new();
    for (service, client) in crowd {
        let (service, client) = (service.clone(), client.handle().clone());
        joins.spawn(async move { (service.join_room(&client, "arena").await, service, client) });
    }
    let mut winners = Vec::new();
    let mut full = 0;
    while let Some(joined) = joins.join_next().await {
        match joined.expect("no panic") {
            (Ok(()), service, client) => winners.push((service, client)),
            (Err(error), ..) => {
                assert_eq!(error.code(), ErrorCode::RoomFull);
                full += 1;
            }
        }
    }
    assert_eq!((winners.len(), full), (CAPACITY, CLIENTS - CAPACITY));
    winners
}

async fn run(cluster: Cluster, rounds: usize) {
    let observer = &cluster.nodes[0].service;
    observer.create_room("arena", NewRoom::with_capacity(10)).await.expect("created");
    let crowd = crowd(&cluster).await;
    for round in 0..rounds {
        let winners = race(&crowd).await;
        let admitted: BTreeSet<ClientId> = winners.iter().map(|(_, client)| client.id().clone()).collect();
        let members = observer.members("arena", &PageRequest::first(100)).await.expect("answers");
        let in_store: BTreeSet<ClientId> = members.items.into_iter().map(|member| member.client).collect();
        let here = crowd.iter().map(|(_, client)| client.handle()).filter(|client| !client.rooms().is_empty());
        let locally: BTreeSet<ClientId> = here.map(|client| client.id().clone()).collect();
        assert_eq!(in_store, admitted, "round {round}: the store agrees");
        assert_eq!(locally, admitted, "round {round}: every node agrees");
        for (service, client) in winners {
            service.leave_room(&client, "arena").await.expect("leaves");
        }
        assert!(!cluster.hears("arena"), "round {round}: no node keeps a seat");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_joins_racing_for_10_places_over_three_nodes_10_succeed_1000_times() {
    run(Cluster::of(3, Gateway::new).await, 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_joins_racing_for_10_places_10_succeed_also_when_the_store_is_slow() {
    let cluster = Cluster::of(3, Gateway::new).await;
    for node in &cluster.nodes {
        node.store.yield_randomly();
        node.bus.yield_randomly();
    }
    run(cluster, 50).await;
}
