//! A node that stands still for longer than its lease: others take it for lost, and then it goes on.

use std::time::Duration;

use roomwire_chaos::control::Happening;
use tokio::time::{Instant, sleep};

use crate::stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_taken_for_lost_and_goes_on_puts_its_clients_back() {
    let stage = stage().await;
    let (before, from) = (stage.crowd.memberships(), stage.ledger.len());
    let clients = stage.crowd.on(1).count();
    let lost: usize = stage.crowd.on(1).map(|client| client.belief().rooms.len()).sum();
    stage.node(1).pause();
    let paused = Instant::now();
    let left = |entries: &[roomwire_chaos::Entry]| {
        entries.iter().filter(|entry| matches!(entry.what, Happening::Left { .. })).count() == lost
    };
    let gone = stage.ledger.until("its members left", from, Duration::from_secs(15), left).await - paused;
    sleep(Duration::from_millis(500)).await;
    stage.node(1).go_on();
    let back = Instant::now();
    let converged = stage.converged(back, Duration::from_secs(5)).await;
    println!("taken for lost after {gone:.2?}; all agreed {converged:.2?} after it went on");
    // Reported to be back a moment after they are.
    stage
        .ledger
        .until("they joined again", from, Duration::from_secs(2), |entries| entries.len() >= 2 * (lost + clients))
        .await;
    assert_eq!(stage.crowd.disconnects(), 0, "nobody was disconnected");
    assert_eq!(stage.crowd.memberships(), before);
    stage.assert_ledger(from, &before);
    let twice = stage.ledger.left_since(from).into_iter().find(|(_, reasons)| reasons.len() != 1);
    assert_eq!(twice, None, "each left once");
    let twice = stage.ledger.joined_since(from).into_iter().find(|(_, times)| *times != 1);
    assert_eq!(twice, None, "each joined again once");
    stage.assert_messages_flow(Duration::from_secs(3)).await;
}
