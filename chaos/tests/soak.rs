//! Clients that come and go for long, with stops of Redis: what grows, and what is left.
//!
//! `cargo xtask soak` runs the long one.

use std::{env, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use rand::random_range;
use roomwire_chaos::{Comeback, Fixture, Node, Plan, eventually};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const NODE: &str = env!("CARGO_BIN_EXE_chaos-node");
/// Clients that stay, and come back when their connection ends.
const RESIDENTS: usize = 300;
/// Between two newcomers: 50 a second.
const PACE: Duration = Duration::from_millis(20);
const SAMPLES: Duration = Duration::from_secs(10);
/// By how much the memory of a node may grow, in bytes in ten minutes.
const MOST_GROWTH: f64 = 1e6;

/// What newcomers met.
#[derive(Debug, Default)]
struct Visits {
    served: usize,
    /// While Redis is stopped.
    refused: usize,
}

/// The memory of a node at a moment, in seconds since the start.
struct Sample {
    at: f64,
    memory: Vec<u64>,
}

/// Connects, joins two rooms, speaks, and ends: half of them without a close.
async fn visit(fixture: &Fixture) -> bool {
    let Ok(client) = fixture.try_newcomer(random_range(0..3)).await else { return false };
    for _ in 0..2 {
        let room = format!("room-{}", random_range(0..100));
        if client.join(&room).await.is_ok() {
            // It may have lost its connection.
            let _ = client.say(&room, "visit", 0).await;
        }
    }
    sleep(Duration::from_millis(random_range(200..4000))).await;
    if random_range(0..2) == 0 {
        client.hang_up();
        sleep(Duration::from_millis(100)).await;
    }
    true
}

/// Lets clients come and go for this long, while Redis is stopped now and then.
async fn churn(fixture: &Fixture, lasts: Duration, most_stopped: Duration) -> (Visits, Vec<Sample>) {
    let begin = Instant::now();
    let (mut visits, mut samples) = (Visits::default(), Vec::new());
    let mut present = FuturesUnordered::new();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sampling = interval(SAMPLES);
    let stops = async {
        loop {
            sleep(lasts.min(Duration::from_secs(60)).mul_f64(random_range(0.3..0.7))).await;
            fixture.redis().stop_answering();
            sleep(most_stopped.mul_f64(random_range(0.2..1.0))).await;
            fixture.redis().go_on();
        }
    };
    tokio::pin!(stops);
    while begin.elapsed() < lasts {
        tokio::select! {
            _ = pace.tick() => present.push(visit(fixture)),
            Some(served) = present.next() => if served { visits.served += 1 } else { visits.refused += 1 },
            _ = sampling.tick() => {
                fixture.crowd.forget();
                let memory: Vec<u64> = fixture.alive().into_iter().map(Node::memory).collect();
                let at = begin.elapsed().as_secs_f64();
                let shown: Vec<_> = memory.iter().map(|bytes| format!("{:.1}", *bytes as f64 / 1e6)).collect();
                println!("{at:5.0} s  {} came and went, {} refused, memory {} MB", visits.served, visits.refused, shown.join(" "));
                samples.push(Sample { at, memory });
            }
            () = &mut stops => {}
        }
    }
    // It may be stopped at this moment.
    fixture.redis().go_on();
    while let Some(served) = present.next().await {
        if served { visits.served += 1 } else { visits.refused += 1 }
    }
    (visits, samples)
}

/// The slope of the line of least squares, in bytes in ten minutes.
fn growth(samples: &[Sample], node: usize) -> f64 {
    let count = samples.len() as f64;
    let value = |sample: &Sample| sample.memory[node] as f64;
    let (mean_at, mean) =
        (samples.iter().map(|sample| sample.at).sum::<f64>() / count, samples.iter().map(value).sum::<f64>() / count);
    let covariance: f64 = samples.iter().map(|sample| (sample.at - mean_at) * (value(sample) - mean)).sum();
    let variance: f64 = samples.iter().map(|sample| (sample.at - mean_at).powi(2)).sum();
    covariance / variance * 600.0
}

/// The open files of each node, and the keys of Redis.
async fn held(fixture: &Fixture) -> (Vec<usize>, usize) {
    (fixture.alive().into_iter().map(Node::open_files).collect(), fixture.redis().ask(&["DBSIZE"]).await)
}

async fn soak(lasts: Duration, most_stopped: Duration) -> Vec<Sample> {
    let plan = Plan { clients: RESIDENTS, comeback: Comeback::Anywhere, ..Plan::default() };
    let fixture = Fixture::set(NODE, plan).await;
    let (files, keys) = held(&fixture).await;
    let (visits, samples) = churn(&fixture, lasts, most_stopped).await;
    println!("{visits:?}");
    assert!(visits.served > 0 && visits.served > visits.refused, "{visits:?}");
    fixture.converged(Instant::now(), Duration::from_secs(30)).await;
    assert_eq!(fixture.crowd.disconnects(), 0, "residents stay connected while Redis is stopped");
    eventually("what newcomers took is given back", Duration::from_secs(30), async || {
        let (files_now, keys_now) = held(&fixture).await;
        // Connections to Redis are opened when they are needed.
        let spare = |(now, before): (&usize, &usize)| *now <= before + 2;
        (files_now.iter().zip(&files).all(spare) && keys_now == keys).then_some(())
    })
    .await;
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_and_go_while_redis_stops_leave_no_file_and_no_key() {
    soak(Duration::from_secs(12), Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes, or an hour: cargo xtask soak"]
async fn the_memory_of_nodes_does_not_grow() {
    let minutes = env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let lasts = Duration::from_secs(60 * minutes);
    let samples = soak(lasts, Duration::from_secs(5)).await;
    // Buffers and tables reach their size first.
    let settled = samples.iter().position(|sample| sample.at >= lasts.as_secs_f64() * 0.3).unwrap_or_default();
    let growth: Vec<_> = (0..3).map(|node| growth(&samples[settled..], node)).collect();
    println!("bytes in ten minutes: {growth:.0?}");
    assert!(growth.iter().all(|growth| *growth <= MOST_GROWTH), "{growth:?}");
}
