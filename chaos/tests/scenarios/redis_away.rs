//! Redis that does not answer, and Redis that comes back empty.

use std::time::Duration;

use roomwire_chaos::{
    Client, Fixture, Plan,
    control::{Happening, Order},
    eventually,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{NODE, fixture};

/// How long an operation may take that fails.
const FAST: Duration = Duration::from_millis(1200);
const UNAVAILABLE: &str = "STATE_UNAVAILABLE";

/// Asks for joins and counts at one node until that moment; the slowest answer.
async fn operations_fail_fast(fixture: &Fixture, node: usize, visitor: &Client, until: Instant) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut round = 0;
    while Instant::now() + FAST < until {
        let begin = Instant::now();
        let room = format!("away-{round}");
        let (joined, counted) = tokio::join!(visitor.join(&room), fixture.node(node).ask::<u64>(Order::CountClients));
        assert_eq!(joined, Err(UNAVAILABLE.to_owned()), "a join while Redis is away");
        assert_eq!(counted, Err(UNAVAILABLE.to_owned()), "a count while Redis is away");
        slowest = slowest.max(begin.elapsed());
        round += 1;
        sleep(Duration::from_millis(50)).await;
    }
    slowest
}

/// Lets a client of each node speak in its room until that moment: the members of its own node hear all of it. Returns
/// how long the slowest took to be heard.
async fn local_messages_go_on(fixture: &Fixture, until: Instant) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut number = 1_000_000;
    while Instant::now() + FAST < until {
        for node in 0..3 {
            let speaker = fixture.crowd.on(node).next().expect("a client is there");
            let room = speaker.belief().rooms.first().expect("it is in rooms").clone();
            number += 1;
            let begin = Instant::now();
            // Whether it says that other nodes could not be reached is another question.
            let (_, ()) = tokio::join!(speaker.say(&room, "local", number), async {
                for client in fixture.crowd.on(node).filter(|client| client.belief().rooms.contains(&room)) {
                    eventually("a member of the same node hears", FAST, async || {
                        client.belief().heard.iter().any(|heard| heard.said.number == number).then_some(())
                    })
                    .await;
                }
                slowest = slowest.max(begin.elapsed());
            });
        }
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stops_for_5_seconds_costs_no_client_a_membership() {
    let fixture = fixture().await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let mut visitors = Vec::new();
    for node in 0..3 {
        visitors.push(fixture.newcomer(node).await);
    }
    fixture.redis().stop_answering();
    let stopped = Instant::now();
    let end = stopped + Duration::from_secs(5);
    let (a, b, c, local, ()) = tokio::join!(
        operations_fail_fast(&fixture, 0, &visitors[0], end),
        operations_fail_fast(&fixture, 1, &visitors[1], end),
        operations_fail_fast(&fixture, 2, &visitors[2], end),
        local_messages_go_on(&fixture, end),
        sleep_until(end),
    );
    let slowest = a.max(b).max(c);
    for node in fixture.alive() {
        assert_eq!(node.ask::<bool>(Order::IsHealthy).await, Ok(false), "{} says how it is", node.name());
    }
    fixture.redis().go_on();
    let back = Instant::now();
    for visitor in &visitors {
        eventually("a join is possible again", Duration::from_secs(3), async || visitor.join("after").await.ok()).await;
    }
    let joins = back.elapsed();
    let flow = fixture.remote_messages_flow(back, Duration::from_secs(3)).await;
    drop(visitors);
    eventually("the visitors are gone", Duration::from_secs(3), async || {
        (fixture.checker.members_of("after").await == 0).then_some(())
    })
    .await;
    let converged = fixture.converged(back, Duration::from_secs(3)).await;
    for node in fixture.alive() {
        let well = async || (node.ask::<bool>(Order::IsHealthy).await == Ok(true)).then_some(());
        eventually("it is healthy again", Duration::from_secs(3).saturating_sub(back.elapsed()), well).await;
    }
    println!(
        "while Redis was stopped operations failed after at most {slowest:.2?}, local messages took at most {local:.2?}; \
         then joins were possible after {joins:.2?}, remote messages flowed after {flow:.2?}, all agreed after {converged:.2?}"
    );
    assert!(slowest <= FAST, "operations took up to {slowest:?}");
    // A lease that would expire has expired by now.
    sleep_until(stopped + Duration::from_secs(12)).await;
    fixture.assert_ledger(from, &before);
    for what in [Happening::StateUnavailable, Happening::StateRecovered] {
        let said = fixture.ledger.since(from).into_iter().filter(|entry| entry.what == what).map(|entry| entry.node);
        let mut said: Vec<String> = said.collect();
        said.sort_unstable();
        assert_eq!(said, ["node-0", "node-1", "node-2"], "{what:?} is reported once by each node");
    }
    let left = fixture.ledger.left_since(from);
    assert!(left.keys().all(|(room, _)| room == "after"), "nobody else left: {left:?}");
    assert_eq!(fixture.crowd.disconnects(), 0);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_is_filled_again_within_10_seconds() {
    let mut fixture = Fixture::set(NODE, Plan::default()).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    fixture.redis_mut().kill();
    sleep(Duration::from_secs(10)).await;
    fixture.redis_mut().start_again_empty().await;
    let back = Instant::now();
    let flow = fixture.remote_messages_flow(back, Duration::from_secs(3)).await;
    let converged = fixture.converged(back, Duration::from_secs(10)).await;
    println!("remote messages flowed {flow:.2?} and all agreed {converged:.2?} after Redis came back empty");
    assert_eq!(fixture.crowd.disconnects(), 0, "no client was disconnected");
    assert_eq!(fixture.crowd.memberships(), before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
    fixture.assert_ledger(from, &before);
    assert!(fixture.ledger.left_since(from).is_empty(), "no client was reported to have left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_with_old_data_is_set_right_within_10_seconds() {
    let mut fixture = Fixture::set(NODE, Plan::default()).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let mut passing = Vec::new();
    for number in 0..30 {
        let client = fixture.newcomer(number % 3).await;
        client.join("passing").await.expect("joins");
        passing.push(client);
    }
    fixture.redis().save().await;
    // What it does not know: disconnects, leaves and joins.
    passing.clear();
    for client in fixture.crowd.iter().take(60) {
        let room = client.belief().rooms.first().expect("it is in rooms").clone();
        client.leave(&room).await.expect("leaves");
        client.join("another").await.expect("joins");
    }
    let gone = async || (fixture.checker.members_of("passing").await == 0).then_some(());
    eventually("they are gone", Duration::from_secs(3), gone).await;
    fixture.redis_mut().kill();
    sleep(Duration::from_secs(2)).await;
    fixture.redis_mut().start_again().await;
    let back = Instant::now();
    assert_eq!(fixture.checker.members_of("passing").await, 30, "it has the old data");
    let converged = fixture.converged(back, Duration::from_secs(10)).await;
    let flow = fixture.remote_messages_flow(back, Duration::from_secs(3)).await;
    println!("all agreed {converged:.2?} and remote messages flowed {flow:.2?} after Redis came back with old data");
    assert_eq!(fixture.crowd.disconnects(), 0, "no client was disconnected");
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
    fixture.assert_ledger(from, &before);
}
