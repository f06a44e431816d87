//! Nodes that stop in good order: no outage, and nothing for others to clean up.

use std::time::Duration;

use roomwire_chaos::{Fixture, Node, Plan, control::Happening};
use tokio::time::Instant;

use crate::NODE;

const NODES: [usize; 3] = [0, 1, 2];
/// 17 rounds of three nodes are 51 stops without clients, and as many with clients.
const ROUNDS: usize = 17;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_stop_warn_of_nothing_and_leave_nothing_behind() {
    let begin = Instant::now();
    // So that a heartbeat is on its way to Redis at many of the stops.
    let variables = vec![("ROOMWIRE_LEASE__HEARTBEAT".to_owned(), "10".to_owned())];
    let mut fixture = Fixture::set(NODE, Plan { clients: 0, variables, ..Plan::default() }).await;
    let from = fixture.ledger.len();
    let mut log = String::new();
    for round in 0..2 * ROUNDS {
        let mut clients = Vec::new();
        for node in NODES.into_iter().filter(|_| round % 2 == 1) {
            for room in ["r", "s"] {
                let client = fixture.newcomer(node).await;
                client.join(room).await.expect("joins");
                clients.push(client);
            }
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..50))).await;
        let stopped = fixture.stop_nodes(&NODES).await;
        if round + 1 == 2 * ROUNDS {
            log.extend(stopped.iter().map(Node::log));
        }
        let left = fixture.checker.stored().await.expect("Redis answers");
        assert_eq!(left.clients().len(), 0, "in round {round} clients are left");
        for node in NODES {
            fixture.start_node(node).await;
        }
    }
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert_eq!(warnings, Vec::<&str>::new());
    assert_eq!(log.matches("stopping").count(), 2 * ROUNDS * NODES.len());
    let is_expected = |what: &Happening| match what {
        Happening::Connected { .. } | Happening::Joined { .. } => true,
        Happening::Left { reason, .. } => reason.ends_with("server shutting down"),
        Happening::Disconnected { reason, .. } => reason == "server shutting down",
        _ => false,
    };
    let entries = fixture.ledger.since(from);
    let others: Vec<_> = entries.iter().filter(|entry| !is_expected(&entry.what)).collect();
    assert!(others.is_empty(), "{others:?}");
    println!("{} stops without an outage, in {:.1?}", 2 * ROUNDS * NODES.len(), begin.elapsed());
}
