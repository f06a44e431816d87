//! A node that is cut off from Redis for less than its lease.

use std::time::Duration;

use roomwire_chaos::{Fault, Lines, Plan, Stage};
use tokio::time::{Instant, sleep, sleep_until};

use crate::NODE;

const CUT: Duration = Duration::from_secs(8);
const HEARTBEAT: Duration = Duration::from_secs(2);

/// When leases run out, by the server's clock, as it keeps them.
async fn deadlines(stage: &Stage) -> Vec<String> {
    let keys: Vec<String> = stage.redis().ask(&["KEYS", "*:lease"]).await;
    let [key] = &keys[..] else { panic!("leases are kept in one place: {keys:?}") };
    stage.redis().ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]).await
}

/// Waits until a node renewed its lease: from then on it is longest until it does so again.
async fn until_renewed(stage: &Stage) -> Instant {
    let before = deadlines(stage).await;
    loop {
        if deadlines(stage).await != before {
            return Instant::now();
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_8_seconds_loses_nobody() {
    let stage = Stage::set(NODE, Plan { proxied: true, ..Plan::default() }).await;
    let (before, from) = (stage.crowd.memberships(), stage.ledger.len());
    for (node, fault) in [(0, Fault::Hold), (1, Fault::Swallow), (2, Fault::Refuse)] {
        // Just before it would have renewed its lease again. Whose renewal it was is not known: three nodes, three tries
        // at different distances.
        sleep_until(until_renewed(&stage).await + HEARTBEAT.mul_f64(0.9)).await;
        stage.proxies[node].inject(fault, Lines::All);
        let cut = Instant::now();
        sleep_until(cut + CUT).await;
        stage.proxies[node].heal();
        let healed = Instant::now();
        let converged = stage.converged(healed, Duration::from_secs(10)).await;
        let flow = stage.remote_messages_flow(healed, Duration::from_secs(10)).await;
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
