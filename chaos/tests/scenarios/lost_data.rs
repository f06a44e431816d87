//! Redis that forgets: its data, or its scripts.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use roomwire_chaos::{Client, Fixture, control::Order};
use tokio::time::{Instant, sleep};

use crate::fixture;

const CAPACITY: usize = 60;
const BOUND: Duration = Duration::from_secs(5);
const FULL: &str = "full";

/// A room with as many members as it may have, from all nodes, and further clients that try to join.
async fn full_room(fixture: &Fixture) -> (Vec<Client>, Vec<Client>) {
    let create = Order::CreateRoom { room: FULL.to_owned(), capacity: CAPACITY as u32 };
    fixture.node(0).ask::<()>(create).await.expect("the room is created");
    let mut members = Vec::new();
    for index in 0..CAPACITY {
        let client = fixture.newcomer(index % 3).await;
        client.join(FULL).await.expect("there is room");
        members.push(client);
    }
    let mut newcomers = Vec::new();
    for node in 0..3 {
        for _ in 0..4 {
            let client = fixture.newcomer(node).await;
            assert_eq!(client.join(FULL).await, Err("ROOM_FULL".to_owned()));
            newcomers.push(client);
        }
    }
    (members, newcomers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_flushall_all_is_put_back_within_5_seconds_and_full_rooms_stay_full() {
    let fixture = fixture().await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let (members, newcomers) = full_room(&fixture).await;
    let over = AtomicBool::new(false);
    let tries = AtomicUsize::new(0);
    let begin = Instant::now();
    // They try all the time; when one got in, and where, if any did.
    let trying = join_all(newcomers.iter().map(async |client| {
        while !over.load(Ordering::Relaxed) {
            tries.fetch_add(1, Ordering::Relaxed);
            if client.join(FULL).await.is_ok() {
                return Some((begin.elapsed(), client.belief().server));
            }
            sleep(Duration::from_millis(5)).await;
        }
        None
    }));
    let flushing = async {
        sleep(Duration::from_millis(100)).await;
        fixture.redis().flush_all().await;
        let flushed = Instant::now();
        // The members of the full room are no part of the crowd, so they are counted.
        let mut refilled = None;
        // Until well after: a newcomer must not get in while others are put back, nor later.
        while flushed.elapsed() < BOUND {
            let members = fixture.checker.members_of(FULL).await;
            assert!(members <= CAPACITY as u64, "{members} members in a room for {CAPACITY}");
            if members == CAPACITY as u64 {
                refilled.get_or_insert(flushed.elapsed());
            } else if members < CAPACITY as u64 {
                refilled = None;
            }
            sleep(Duration::from_millis(5)).await;
        }
        over.store(true, Ordering::Relaxed);
        refilled.expect("the full room is full again")
    };
    let (refilled, admitted) = tokio::join!(flushing, trying);
    let admitted: Vec<_> = admitted.into_iter().flatten().collect();
    assert!(admitted.is_empty(), "newcomers were admitted to a full room: {admitted:.1?}");
    drop((members, newcomers));
    let left = async || (fixture.checker.members_of(FULL).await == 0).then_some(());
    roomwire_chaos::eventually("they are gone", Duration::from_secs(5), left).await;
    println!(
        "the full room was full again {refilled:.2?} after FLUSHALL; {} tries to get in failed",
        tries.into_inner()
    );
    fixture.converged(Instant::now(), Duration::from_secs(1)).await;
    // Once more without them: how long it takes until all agree.
    fixture.redis().flush_all().await;
    let converged = fixture.converged(Instant::now(), BOUND).await;
    println!("all agreed {converged:.2?} after FLUSHALL");
    assert_eq!(fixture.crowd.memberships(), before);
    fixture.assert_ledger(from, &before);
    let left = fixture.ledger.left_since(from);
    assert!(left.keys().all(|(room, _)| room == FULL), "nobody else left");
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn script_flush_under_load_fails_no_join() {
    let fixture = fixture().await;
    let end = Instant::now() + Duration::from_secs(4);
    let joins = AtomicUsize::new(0);
    let load = join_all(fixture.crowd.iter().take(60).enumerate().map(async |(index, client)| {
        let room = format!("load-{}", index % 10);
        while Instant::now() < end {
            if let Err(code) = client.join(&room).await {
                panic!("a join failed: {code}");
            }
            if let Err(code) = client.leave(&room).await {
                panic!("a leave failed: {code}");
            }
            joins.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let mut flushes = 0;
    let flushing = async {
        while Instant::now() < end {
            fixture.redis().ask::<()>(&["SCRIPT", "FLUSH", "SYNC"]).await;
            flushes += 1;
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(load, flushing);
    println!("{} joins, none failed, while scripts were flushed {flushes} times", joins.into_inner());
    fixture.converged(Instant::now(), Duration::from_secs(3)).await;
}
