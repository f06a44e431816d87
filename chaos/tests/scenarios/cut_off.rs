//! A node that is cut off from Redis, for less than its lease and for longer.

use std::time::Duration;

use roomwire_chaos::{Client, Entry, Fault, Fixture, Lines, Plan, Roster, control::Happening};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{NODE, QUICK_LEASE as LEASE, quick};

const CUT: Duration = Duration::from_secs(8);
const HEARTBEAT: Duration = Duration::from_secs(2);

/// When the lease of a node runs out, as the server keeps it.
async fn deadline_of(fixture: &Fixture, node: usize) -> String {
    let keys: Vec<String> = fixture.redis().ask(&["KEYS", "*:lease"]).await;
    let [key] = &keys[..] else { panic!("leases are kept in one place: {keys:?}") };
    let place = key.strip_suffix(":lease").expect("it was asked for");
    let numbers: Vec<String> = fixture.redis().ask(&["ZRANGE", key, "0", "-1"]).await;
    for number in numbers {
        let name: String =
            fixture.redis().ask(&["HGET", &format!("{place}:st"), &format!("incarnation:{number}")]).await;
        if name.starts_with(&format!("{}.", fixture.node(node).name())) {
            return fixture.redis().ask(&["ZSCORE", key, &number]).await;
        }
    }
    panic!("node {node} has no lease")
}

/// Waits until a node has renewed its lease: from then on it is longest until it does so again.
async fn until_renewed(fixture: &Fixture, node: usize) -> Instant {
    let before = deadline_of(fixture, node).await;
    while deadline_of(fixture, node).await == before {
        sleep(Duration::from_millis(5)).await;
    }
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_8_seconds_loses_no_client() {
    let fixture = Fixture::set(NODE, Plan { proxied: true, ..Plan::default() }).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    for (node, fault) in [(0, Fault::Hold), (1, Fault::Refuse), (2, Fault::Swallow)] {
        // Just before it would have renewed its lease again: nothing is worse.
        sleep_until(until_renewed(&fixture, node).await + HEARTBEAT.mul_f64(0.9)).await;
        fixture.proxies[node].inject(fault, Lines::All);
        let cut = Instant::now();
        sleep_until(cut + CUT).await;
        fixture.proxies[node].heal();
        let healed = Instant::now();
        let converged = fixture.converged(healed, Duration::from_secs(10)).await;
        let flow = fixture.remote_messages_flow(healed, Duration::from_secs(10)).await;
        let left = fixture.ledger.left_since(from).len();
        println!("{fault:?}: {left} false departures");
        println!("{fault:?} for {CUT:?}: all agreed {converged:.2?} and messages flowed {flow:.2?} after it ended");
    }
    // A lease that would expire has expired by now.
    sleep(Duration::from_secs(3)).await;
    let left = fixture.ledger.left_since(from);
    assert!(left.is_empty(), "{} were reported to have left: {:.3?}", left.len(), left.iter().collect::<Vec<_>>());
    fixture.assert_ledger(from, &before);
    assert_eq!(fixture.crowd.disconnects(), 0);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}

/// How many of these clients were reported to be connected, to have left the room, and to be gone.
fn counts(entries: &[Entry], clients: &[String]) -> (usize, usize, usize) {
    let (mut connected, mut left, mut gone) = (0, 0, 0);
    for entry in entries {
        match &entry.what {
            Happening::Connected { client } if clients.contains(client) => connected += 1,
            Happening::Left { client, .. } if clients.contains(client) => left += 1,
            Happening::Disconnected { client, .. } if clients.contains(client) => gone += 1,
            _ => {}
        }
    }
    (connected, left, gone)
}

/// Waits until at least as many events as these were reported.
async fn until_reported(fixture: &Fixture, from: usize, clients: &[String], due: (usize, usize, usize)) {
    let enough = |entries: &[Entry]| {
        let (connected, left, gone) = counts(entries, clients);
        connected >= due.0 && left >= due.1 && gone >= due.2
    };
    let what = format!("{due:?} connected, left and gone");
    fixture.ledger.until(&what, from, Duration::from_secs(10), enough).await;
}

/// Four clients of the first node, members of one room, and their ids.
async fn members(fixture: &Fixture) -> (Vec<Client>, Vec<String>) {
    let (mut members, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let member = fixture.newcomer(0).await;
        member.join("cut").await.expect("joins");
        ids.push(member.belief().id.clone().expect("is connected"));
        members.push(member);
    }
    (members, ids)
}

/// Each join and connect since then has one end, after it, also when every lease of that time has run out.
async fn assert_paired(fixture: &Fixture, from: usize) {
    sleep(2 * LEASE).await;
    let unpaired = fixture.ledger.unpaired(from);
    assert!(unpaired.is_empty(), "{} unpaired:\n  {}", unpaired.len(), unpaired.join("\n  "));
    let roster = Roster::of(&fixture.ledger.since(0));
    assert!(roster.repeated.is_empty() && roster.ignored.is_empty(), "{:?} {:?}", roster.repeated, roster.ignored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_on_a_node_that_is_cut_off_is_reported_once_20_times() {
    let fixture = Fixture::set(NODE, Plan { clients: 12, proxied: true, ..quick() }).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    for round in 0..20 {
        let began = Instant::now();
        let round_from = fixture.ledger.len();
        let (mut clients, ids) = members(&fixture).await;
        let fault = [Fault::Hold, Fault::Refuse, Fault::Swallow][round % 3];
        fixture.proxies[0].inject(fault, Lines::All);
        // Two end before others clean up, and two after that.
        clients[0].leave("cut").await.expect("leaves");
        drop(clients.remove(1));
        let ended = began.elapsed();
        until_reported(&fixture, round_from, &ids, (4, 4, 4)).await;
        let cleaned_up = began.elapsed();
        clients[1].leave("cut").await.expect("leaves");
        drop(clients.remove(2));
        fixture.proxies[0].heal();
        let healed = began.elapsed();
        // Two have no connection and two have left: those two are reported as connected once more.
        until_reported(&fixture, round_from, &ids, (6, 4, 4)).await;
        let back = began.elapsed();
        // The connection for messages may be half-open for longer, and joins fail until it is replaced.
        fixture.remote_messages_flow(Instant::now(), Duration::from_secs(10)).await;
        let flow = began.elapsed();
        // Its leave is settled before it joins again; that of the other one together with its disconnect.
        clients[0].join("cut").await.expect("joins again");
        drop(clients);
        until_reported(&fixture, round_from, &ids, (6, 5, 6)).await;
        fixture.converged(Instant::now(), Duration::from_secs(10)).await;
        println!(
            "{fault:?}: ended {ended:.1?}, cleaned up {cleaned_up:.1?}, healed {healed:.1?}, back {back:.1?}, messages flow \
             {flow:.1?}, agreed {:.1?}",
            began.elapsed()
        );
    }
    assert_paired(&fixture, from).await;
    fixture.assert_ledger(from, &before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_redis_stands_still_is_reported_once_20_times() {
    let fixture = Fixture::set(NODE, Plan { clients: 12, ..quick() }).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    for _ in 0..20 {
        let began = Instant::now();
        let round_from = fixture.ledger.len();
        let (mut clients, ids) = members(&fixture).await;
        fixture.redis().stop_answering();
        // The server carries both out when it goes on, and its answers come too late.
        drop(clients.remove(1));
        clients[0].leave("cut").await.expect("leaves");
        sleep(Duration::from_millis(100)).await;
        assert_eq!(counts(&fixture.ledger.since(round_from), &ids), (4, 0, 0), "Redis has not confirmed an end");
        fixture.redis().go_on();
        let went_on = began.elapsed();
        until_reported(&fixture, round_from, &ids, (4, 2, 1)).await;
        let confirmed = began.elapsed();
        drop(clients);
        until_reported(&fixture, round_from, &ids, (4, 4, 4)).await;
        println!("went on {went_on:.1?}, confirmed {confirmed:.1?}, ended {:.1?}", began.elapsed());
    }
    assert_paired(&fixture, from).await;
    fixture.converged(Instant::now(), Duration::from_secs(1)).await;
    fixture.assert_ledger(from, &before);
}
