//! A node that is cut off from Redis for less than its lease.

use std::time::Duration;

use roomwire_chaos::{Fault, Lines, Plan, Stage};
use tokio::time::{Instant, sleep, sleep_until};

use crate::NODE;

const CUT: Duration = Duration::from_secs(8);
const HEARTBEAT: Duration = Duration::from_secs(2);

/// When the lease of a node runs out, as the server keeps it.
async fn deadline_of(stage: &Stage, node: usize) -> String {
    let keys: Vec<String> = stage.redis().ask(&["KEYS", "*:lease"]).await;
    let [key] = &keys[..] else { panic!("leases are kept in one place: {keys:?}") };
    let place = key.strip_suffix(":lease").expect("it was asked for");
    let numbers: Vec<String> = stage.redis().ask(&["ZRANGE", key, "0", "-1"]).await;
    for number in numbers {
        let name: String = stage.redis().ask(&["HGET", &format!("{place}:l:{number}"), "name"]).await;
        if name.starts_with(&format!("{}.", stage.node(node).name())) {
            return stage.redis().ask(&["ZSCORE", key, &number]).await;
        }
    }
    panic!("node {node} has no lease")
}

/// Waits until a node has renewed its lease: from then on it is longest until it does so again.
async fn until_renewed(stage: &Stage, node: usize) -> Instant {
    let before = deadline_of(stage, node).await;
    while deadline_of(stage, node).await == before {
        sleep(Duration::from_millis(5)).await;
    }
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_8_seconds_loses_nobody() {
    let stage = Stage::set(NODE, Plan { proxied: true, ..Plan::default() }).await;
    let (before, from) = (stage.crowd.memberships(), stage.ledger.len());
    for (node, fault) in [(0, Fault::Hold), (1, Fault::Refuse), (2, Fault::Swallow)] {
        // Just before it would have renewed its lease again: nothing is worse.
        sleep_until(until_renewed(&stage, node).await + HEARTBEAT.mul_f64(0.9)).await;
        stage.proxies[node].inject(fault, Lines::All);
        let cut = Instant::now();
        sleep_until(cut + CUT).await;
        stage.proxies[node].heal();
        let healed = Instant::now();
        let converged = stage.converged(healed, Duration::from_secs(10)).await;
        let flow = stage.remote_messages_flow(healed, Duration::from_secs(10)).await;
        let left = stage.ledger.left_since(from).len();
        println!("{fault:?}: {left} false departures");
        println!("{fault:?} for {CUT:?}: all agreed {converged:.2?} and messages flowed {flow:.2?} after it ended");
    }
    // Whoever would be taken for lost is so by now.
    sleep(Duration::from_secs(3)).await;
    let left = stage.ledger.left_since(from);
    assert!(left.is_empty(), "{} were reported to have left: {:.3?}", left.len(), left.iter().collect::<Vec<_>>());
    stage.assert_ledger(from, &before);
    assert_eq!(stage.crowd.disconnects(), 0);
    stage.assert_messages_flow(Duration::from_secs(3)).await;
}
