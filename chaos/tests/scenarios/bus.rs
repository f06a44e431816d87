//! Connections for messages that break.

use std::{collections::BTreeSet, time::Duration};

use roomwire_chaos::{Fixture, Lines, Plan, control::Happening};
use tokio::time::Instant;

use crate::{NODE, fixture};

const KILLS: usize = 100;

/// Waits until each of the three nodes reported a gap; how long the slowest took.
async fn all_report_a_gap(fixture: &Fixture, from: usize, since: Instant, within: Duration) -> Duration {
    let nodes = |entries: &[roomwire_chaos::Entry]| {
        let gaps = entries.iter().filter(|entry| entry.what == Happening::Gap);
        gaps.map(|entry| entry.node.clone()).collect::<BTreeSet<_>>().len()
    };
    let left = within.saturating_sub(since.elapsed());
    fixture.ledger.until("all nodes report a gap", from, left, |entries| nodes(entries) == 3).await;
    fixture.ledger.since(from).iter().map(|entry| entry.at - since).max().unwrap_or_default()
}

/// How many nodes are subscribed to each of the rooms' channels, as the server counts.
async fn subscribers(fixture: &Fixture) -> Vec<u64> {
    let channels: Vec<String> = fixture.redis().ask(&["PUBSUB", "SHARDCHANNELS", "*:room:*"]).await;
    let command: Vec<&str> = ["PUBSUB", "SHARDNUMSUB"].into_iter().chain(channels.iter().map(String::as_str)).collect();
    let counts: Vec<(String, u64)> = fixture.redis().ask(&command).await;
    counts.into_iter().map(|(_, count)| count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_that_are_killed_100_times_miss_a_second_at_most_and_say_so() {
    let fixture = fixture().await;
    let (before, begin) = (fixture.crowd.memberships(), fixture.ledger.len());
    let mut slowest = Duration::ZERO;
    for round in 0..KILLS {
        let from = fixture.ledger.len();
        let killed: usize = fixture.redis().ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        assert_eq!(killed, 3, "in round {round} each node has one connection for messages");
        let gap = all_report_a_gap(&fixture, from, Instant::now(), Duration::from_secs(1)).await;
        slowest = slowest.max(gap);
    }
    let gaps = fixture.ledger.gaps_since(begin);
    println!("{KILLS} times all subscribers were killed; the longest gap was {slowest:.2?}; counted: {gaps:?}");
    assert!(gaps.len() == 3 && gaps.values().all(|count| *count == KILLS), "each gap is counted once: {gaps:?}");
    let subscribers = subscribers(&fixture).await;
    assert_eq!(subscribers, vec![3; 100], "no subscription is missing");
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
    fixture.assert_ledger(begin, &before);
    fixture.converged(Instant::now(), Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_bus_is_noticed_and_mended_within_8_seconds() {
    let fixture = Fixture::set(NODE, Plan { proxied: true, ..Plan::default() }).await;
    let before = fixture.crowd.memberships();
    for lines in [Lines::Subscribers, Lines::All] {
        let from = fixture.ledger.len();
        fixture.proxies[1].silence(lines);
        let silent = Instant::now();
        let bound = Duration::from_secs(8);
        let gap = |entries: &[roomwire_chaos::Entry]| entries.iter().any(|entry| entry.what == Happening::Gap);
        let noticed = fixture.ledger.until("the gap is noticed", from, bound, gap).await - silent;
        let flow = fixture.remote_messages_flow(silent, bound).await;
        let visits = async || {
            let visitor = fixture.try_newcomer(1).await.ok()?;
            visitor.join("visited").await.ok()?;
            Some(visitor)
        };
        let left = bound.saturating_sub(silent.elapsed());
        let visitor = roomwire_chaos::eventually("somebody comes and joins", left, visits).await;
        let mended = silent.elapsed();
        println!(
            "{lines:?} half-open: noticed after {noticed:.2?}, messages after {flow:.2?}, a newcomer's join after {mended:.2?}"
        );
        visitor.leave("visited").await.expect("it leaves");
        drop(visitor);
        fixture.converged(Instant::now(), Duration::from_secs(3)).await;
        fixture.assert_messages_flow(Duration::from_secs(3)).await;
        let left = fixture.ledger.left_since(from);
        assert!(left.keys().all(|(room, _)| room == "visited"), "nobody else left");
        fixture.assert_ledger(from, &before);
    }
}
