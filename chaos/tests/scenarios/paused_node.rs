//! A node that stands still for longer than its lease: others take it for lost, and then it goes on.

use std::time::Duration;

use roomwire_chaos::control::Happening;
use tokio::time::{Instant, sleep};

use crate::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_taken_for_lost_and_goes_on_puts_its_clients_back() {
    let fixture = fixture().await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let clients = fixture.crowd.on(1).count();
    let lost: usize = fixture.crowd.on(1).map(|client| client.belief().rooms.len()).sum();
    fixture.node(1).pause();
    let paused = Instant::now();
    let left = |entries: &[roomwire_chaos::Entry]| {
        entries.iter().filter(|entry| matches!(entry.what, Happening::Left { .. })).count() == lost
    };
    let gone = fixture.ledger.until("its members left", from, Duration::from_secs(15), left).await - paused;
    sleep(Duration::from_millis(500)).await;
    fixture.node(1).go_on();
    let back = Instant::now();
    let converged = fixture.converged(back, Duration::from_secs(5)).await;
    println!("taken for lost after {gone:.2?}; all agreed {converged:.2?} after it went on");
    // Reported to be back a moment after they are.
    fixture
        .ledger
        .until("they joined again", from, Duration::from_secs(2), |entries| entries.len() >= 2 * (lost + clients))
        .await;
    assert_eq!(fixture.crowd.disconnects(), 0, "no client was disconnected");
    assert_eq!(fixture.crowd.memberships(), before);
    fixture.assert_ledger(from, &before);
    let twice = fixture.ledger.left_since(from).into_iter().find(|(_, reasons)| reasons.len() != 1);
    assert_eq!(twice, None, "each left once");
    let twice = fixture.ledger.joined_since(from).into_iter().find(|(_, times)| *times != 1);
    assert_eq!(twice, None, "each joined again once");
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}
