//! Redis that has no memory left.

use std::time::Duration;

use roomwire_chaos::eventually;
use tokio::time::{Instant, sleep_until};

use crate::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_memory_is_full_joins_are_refused_and_all_else_goes_on() {
    let mut fixture = fixture().await;
    let from = fixture.ledger.len();
    fixture.redis().set("maxmemory", "1000000").await;
    let full = Instant::now();
    for node in 0..3 {
        let client = fixture.crowd.on(node).next().expect("a client is there");
        assert_eq!(client.join("one-more").await, Err("LIMIT_EXCEEDED".to_owned()), "a join at node {node}");
        let room = client.belief().rooms.first().expect("it is in rooms").clone();
        client.leave(&room).await.expect("leaving goes on");
    }
    let refused = fixture.try_newcomer(0).await.err();
    println!("a newcomer is told: {refused:?}");
    let converged = fixture.converged(full, Duration::from_secs(3)).await;
    // Leases go on: one that would expire has expired by now.
    sleep_until(full + Duration::from_secs(12)).await;
    let left = fixture.ledger.left_since(from);
    assert_eq!(left.len(), 3, "nobody else left: {left:?}");
    let before = fixture.crowd.memberships();
    let (from, killed) = (fixture.ledger.len(), fixture.kill_nodes(&[2]).await);
    let cleaned = fixture.converged(killed, Duration::from_secs(15)).await;
    fixture.assert_ledger(from, &before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
    fixture.redis().set("maxmemory", "0").await;
    let client = fixture.crowd.on(0).next().expect("a client is there");
    eventually("joins are possible again", Duration::from_secs(3), async || client.join("one-more").await.ok()).await;
    println!(
        "with memory full leaves were agreed on after {converged:.2?}, a killed node was cleaned up after {cleaned:.2?}"
    );
}
