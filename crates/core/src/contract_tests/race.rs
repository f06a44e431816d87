//! Concurrent calls, many times.

use std::{
    hint,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures_util::future::join_all;
use tokio::task::JoinSet;

/// The operation of one lane in a round.
pub(super) type Lane<T> = Box<dyn Fn(usize) -> Pin<Box<dyn Future<Output = T> + Send>> + Send + Sync>;

pub(super) fn lane<T, F>(act: impl Fn(usize) -> F + Send + Sync + 'static) -> Lane<T>
where
    F: Future<Output = T> + Send + 'static,
{
    Box::new(move |round| Box::pin(act(round)))
}

/// Lets all lanes run through these rounds, and returns what they returned, by round and lane.
///
/// Two calls can interleave in two ways: on two threads, or at an await point. So in the first half of the rounds every
/// lane is a task of its own. In the second half one task polls all of them in turns, each beginning up to three turns
/// late: after a few rounds every call of a lane has met every await point of the others.
pub(super) async fn race<T: Send + 'static>(rounds: usize, lanes: Vec<Lane<T>>) -> Vec<Vec<T>> {
    let lanes = Arc::from(lanes);
    let mut results = race_in_parallel(rounds / 2, &lanes).await;
    for round in rounds / 2..rounds {
        let turns = lanes.iter().enumerate().map(async |(number, lane)| {
            for _ in 0..(round >> (2 * number)) % 4 {
                tokio::task::yield_now().await;
            }
            lane(round).await
        });
        results.push(join_all(turns).await);
    }
    results
}

async fn race_in_parallel<T: Send + 'static>(rounds: usize, lanes: &Arc<[Lane<T>]>) -> Vec<Vec<T>> {
    let arrived = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for number in 0..lanes.len() {
        let (lanes, arrived) = (lanes.clone(), arrived.clone());
        running.spawn(async move {
            let mut results = Vec::new();
            for round in 0..rounds {
                start_together(&arrived, lanes.len() * (round + 1)).await;
                results.push(lanes[number](round).await);
            }
            (number, results.into_iter())
        });
    }
    let mut by_lane = running.join_all().await;
    by_lane.sort_by_key(|(number, _)| *number);
    let mut by_round = Vec::new();
    for _ in 0..rounds {
        by_round.push(by_lane.iter_mut().filter_map(|(_, results)| results.next()).collect());
    }
    by_round
}

/// Waits for the other tasks without sleeping: a task that was only just woken would start too late to meet calls that
/// take a microsecond. A task that waits for long yields to the runtime at every turn, so that the runtime polls the
/// others' connections. With all of its threads spinning, the runtime would notice answers seconds late.
async fn start_together(arrived: &AtomicUsize, everybody: usize) {
    arrived.fetch_add(1, Ordering::AcqRel);
    for turn in 1.. {
        if arrived.load(Ordering::Acquire) >= everybody {
            return;
        }
        match turn % 100 {
            50 if turn < 1000 => thread::yield_now(),
            0 => tokio::task::yield_now().await,
            _ if turn > 1000 => tokio::task::yield_now().await,
            _ => hint::spin_loop(),
        }
    }
}
