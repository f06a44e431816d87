//! The list of nodes, with the number of their clients and memberships.

use super::{
    Cluster,
    fixture::{LONG, Peer, client, client_in, room, room_in},
};
use crate::{Incarnation, NodeSummary};

fn summary(peer: &Peer, clients: u64, memberships: u64) -> NodeSummary {
    NodeSummary { node: peer.incarnation.node().clone(), clients, memberships }
}

async fn nodes(peer: &Peer) -> Vec<NodeSummary> {
    peer.state.nodes().await.expect("reads")
}

fn sorted(mut nodes: Vec<NodeSummary>) -> Vec<NodeSummary> {
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    nodes
}

/// Every node with a lease is listed, with its clients and memberships of all namespaces, sorted by name.
pub async fn every_node_is_listed_with_what_it_holds(cluster: &dyn Cluster) {
    let [first, second, idle] = Peer::three(cluster).await;
    for name in ["a", "b"] {
        first.enter(&client(name), &room("r")).await;
    }
    first.join(&client("a"), &room("s")).await;
    first.enter(&client_in("/x", "a"), &room_in("/x", "r")).await;
    second.connect(&client("c")).await;
    let expected = sorted(vec![summary(&first, 3, 4), summary(&second, 1, 0), summary(&idle, 0, 0)]);
    for reader in [&first, &idle] {
        assert_eq!(nodes(reader).await, expected);
    }
    first.leave(&client("a"), &room("s")).await;
    first.disconnect(&client("b")).await;
    second.enter(&client_in("/x", "a"), &room_in("/x", "r")).await;
    let expected = sorted(vec![summary(&first, 1, 1), summary(&second, 2, 1), summary(&idle, 0, 0)]);
    assert_eq!(nodes(&idle).await, expected);
}

/// Two incarnations of one node are one node. A node without a lease is listed until it is cleaned up completely.
pub async fn a_node_is_listed_until_nothing_is_left_of_it(cluster: &dyn Cluster) {
    let [survivor, old, _] = Peer::three(cluster).await;
    let new = Peer { incarnation: Incarnation::begin(old.incarnation.node().clone()), ..old.clone() };
    new.state.begin_lease(&new.incarnation, LONG).await.expect("begins");
    old.enter(&client("old"), &room("r")).await;
    new.enter(&client("new"), &room("r")).await;
    let of_the_node = async |peer: &Peer| {
        let all = nodes(&survivor).await;
        all.into_iter().find(|summary| summary.node == *peer.incarnation.node())
    };
    assert_eq!(of_the_node(&old).await, Some(summary(&old, 2, 2)));

    old.state.end_lease(&old.incarnation).await.expect("ends");
    assert_eq!(of_the_node(&old).await, Some(summary(&old, 2, 2)), "what is left is still listed");
    survivor.reap_all(&old.incarnation, 10).await;
    assert_eq!(of_the_node(&old).await, Some(summary(&old, 1, 1)));
    new.disconnect(&client("new")).await;
    new.state.end_lease(&new.incarnation).await.expect("ends");
    survivor.reap_all(&new.incarnation, 10).await;
    assert_eq!(of_the_node(&old).await, None);
}
