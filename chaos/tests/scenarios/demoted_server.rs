//! A failover behind an address that moves, while the connections to the former primary stay open.

use std::time::Duration;

use roomwire_chaos::{Fixture, Plan, control::Happening, eventually};
use roomwire_test_servers::{RedisServer, Settings, free_port};
use tokio::time::{Instant, sleep};

use crate::NODE;

const ROUNDS: usize = 10;
const BOUND: Duration = Duration::from_secs(5);

async fn is_copy_of(copy: &RedisServer, primary: &RedisServer) {
    copy.ask::<()>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]).await;
    eventually("the copy is whole", Duration::from_secs(10), async || {
        let replication: String = copy.ask(&["INFO", "replication"]).await;
        replication.contains("master_link_status:up").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_of_10_failovers_messages_cross_within_5_seconds_and_each_node_tells_one_gap() {
    let settings = Settings::default().with("repl-diskless-sync-delay", "0");
    let second = RedisServer::start_with(settings.clone()).await;
    let fixture = Fixture::set(NODE, Plan { proxied: true, clients: 100, redis: settings, ..Plan::default() }).await;
    let (before, begin) = (fixture.crowd.memberships(), fixture.ledger.len());
    let nothing = free_port().to_string();
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let (primary, copy) = if round % 2 == 0 { (fixture.redis(), &second) } else { (&second, fixture.redis()) };
        is_copy_of(copy, primary).await;
        let from = fixture.ledger.len();
        copy.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
        primary.ask::<()>(&["REPLICAOF", "127.0.0.1", &nothing]).await;
        fixture.proxies.iter().for_each(|proxy| proxy.lead_to(copy.address()));
        let moved = Instant::now();
        let noticed = fixture.ledger.until("all nodes report a gap", from, BOUND, |entries| {
            entries.iter().filter(|entry| entry.what == Happening::Gap).count() == 3
        });
        let noticed = noticed.await - moved;
        let flow = fixture.remote_messages_flow(moved, BOUND).await;
        println!("round {round}: gap told after {noticed:.2?}, messages cross after {flow:.2?}");
        slowest = slowest.max(flow);
        // Until the grace for members on their way back is over, so that the next round begins like this one.
        sleep(Duration::from_secs(3)).await;
    }
    let gaps = fixture.ledger.gaps_since(begin);
    println!("messages crossed {slowest:.2?} after a failover at the latest; gaps: {gaps:?}");
    assert!(gaps.len() == 3 && gaps.values().all(|count| *count == ROUNDS), "each gap is told once: {gaps:?}");
    fixture.converged(Instant::now(), Duration::from_secs(10)).await;
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
    fixture.assert_ledger(begin, &before);
    assert_eq!(fixture.crowd.disconnects(), 0);
}
