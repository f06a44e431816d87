//! The sessions of a user over all nodes.

use std::collections::BTreeSet;

use roomwire_service::{Gateway, Identity, PageRequest, WebSocketService};

use super::fixture::{connect, user};
use crate::fixture::{Cluster, Leases, Ledger, Node, eventually};

/// The ids of ada's sessions; the count must agree.
async fn sessions(service: &WebSocketService) -> BTreeSet<String> {
    let page = service.user_sessions(&user("ada"), &PageRequest::first(1000)).await.expect("reads");
    assert_eq!(page.next, None);
    let count = service.user_session_count(&user("ada")).await.expect("counts");
    assert_eq!(count, page.items.len() as u64);
    page.items.into_iter().map(|session| session.id.to_string()).collect()
}

#[tokio::test]
async fn the_sessions_of_a_user_are_those_that_are_there_on_whichever_node() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let mut here = Vec::new();
    for number in 0..10 {
        let node = &cluster.nodes[number % 2];
        here.push(connect(node, &format!("{number}"), Identity::of(user("ada"))).await);
        connect(node, &format!("passing {number}"), Identity::of(user("ada"))).await.disconnect();
        here.push(connect(node, &format!("bob {number}"), Identity::of(user("bob"))).await);
    }
    ledger.gone(10).await;
    for node in &cluster.nodes {
        assert_eq!(sessions(&node.service).await, (0..10).map(|number| number.to_string()).collect());
        let elsewhere = node.service.namespace("/elsewhere").expect("valid");
        assert!(sessions(&elsewhere).await.is_empty());
    }
    here.iter().for_each(roomwire_service::testing::TestClient::disconnect);
    ledger.gone(30).await;
    assert!(sessions(&cluster.nodes[0].service).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_of_a_lost_node_are_listed_no_more_and_those_of_a_node_that_heals_are_again() {
    let leases = Leases::of(2).await;
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let survivors: Vec<&Node> = leases.cluster.nodes.iter().collect();
    let mortal = leases.mortal(&own, Gateway::new()).await;
    let ada = || Identity::of(user("ada"));
    let stays = [connect(survivors[0], "a", ada()).await, connect(survivors[1], "b", ada()).await];
    let lost = [connect(&mortal, "c", ada()).await, connect(&mortal, "d", ada()).await];
    assert_eq!(sessions(&survivors[0].service).await.len(), 4);
    tokio::task::spawn_blocking(move || drop(own)).await.expect("ends");
    drop((lost, mortal));
    leases.run_out(&survivors).await;
    let all = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    eventually("the lost node is cleaned up", async || {
        survivors[1].service.user_session_count(&user("ada")).await.expect("counts") == 2
    })
    .await;
    assert_eq!(sessions(&survivors[1].service).await, all);
    survivors[0].store.fence().await;
    for node in &survivors {
        node.store.heartbeat().await;
    }
    eventually("the node is healed", async || sessions(&survivors[1].service).await == all).await;
    drop(stays);
}
