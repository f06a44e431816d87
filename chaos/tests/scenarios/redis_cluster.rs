//! Redis Cluster: a master that is killed, and slots that move.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use roomwire_chaos::{Client, Fixture, Plan, rooms};
use roomwire_test_servers::RedisCluster;
use tokio::time::{Instant, sleep};

use crate::NODE;

/// The partitions of the state and the hash tag of each, as `crates/state-redis/src/keys.rs` has them.
const PARTITIONS: u16 = 64;

fn plan(cluster: &RedisCluster) -> Plan {
    Plan { urls: Some(cluster.urls()), ..Plan::default() }
}

/// The slot of something's name. Names of the tests have no braces.
async fn key_slot(cluster: &RedisCluster, name: &str) -> u16 {
    let server = cluster.servers().last().expect("there are servers");
    server.ask(&["CLUSTER", "KEYSLOT", name]).await
}

/// In which partition a room, or a client's record, is kept.
async fn partition_of(cluster: &RedisCluster, id: &str) -> u16 {
    // Slots are the same checksum, and 64 divides their number.
    key_slot(cluster, &format!("/,{id}")).await % PARTITIONS
}

/// The slot of each partition.
async fn partition_slots(cluster: &RedisCluster) -> Vec<u16> {
    let mut slots = Vec::new();
    for partition in 0..PARTITIONS {
        slots.push(key_slot(cluster, &format!("roomwire:{partition}")).await);
    }
    slots
}

/// A client that tries to join a room, and whether its record and the room are on servers that run.
struct Try<'a> {
    client: &'a Client,
    room: String,
    is_served: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_master_is_killed_only_its_rooms_err_and_all_agree_within_30_seconds() {
    let mut cluster = RedisCluster::start(3, 1).await;
    let slots = partition_slots(&cluster).await;
    // The one that keeps the leases: nothing is worse.
    let victim = cluster.owner(slots[0]).await.expect("somebody serves it");
    let fixture = Fixture::set(NODE, plan(&cluster)).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let mut lost_partitions = BTreeSet::new();
    for (partition, slot) in slots.iter().enumerate() {
        if cluster.owner(*slot).await == Some(victim) {
            lost_partitions.insert(partition as u16);
        }
    }
    let mut tries = Vec::new();
    for (index, client) in fixture.crowd.iter().take(90).enumerate() {
        let room = format!("try-{}", index / 3);
        let id = client.belief().id.clone().expect("it is connected");
        let is_served = !lost_partitions.contains(&partition_of(&cluster, &room).await)
            && !lost_partitions.contains(&partition_of(&cluster, &id).await);
        tries.push(Try { client, room, is_served });
    }
    let served = tries.iter().filter(|each| each.is_served).count();
    assert!((10..80).contains(&served), "there are joins of both kinds: {served} of {}", tries.len());
    cluster.kill_master(victim);
    let killed = Instant::now();
    let over = AtomicBool::new(false);
    let (erred, worked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let trying = join_all(tries.iter().map(async |Try { client, room, is_served }| {
        let mut failures = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let begin = Instant::now();
            match client.join(room).await {
                Ok(()) => drop(client.leave(room).await),
                Err(code) if *is_served => failures.push(format!("{room}: {code} after {:.1?}", begin - killed)),
                Err(_) => drop(erred.fetch_add(1, Ordering::Relaxed)),
            }
            worked.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(20)).await;
        }
        failures
    }));
    let takeover = async {
        let replica = async || {
            let owner = cluster.owner(slots[0]).await;
            owner.filter(|owner| *owner != victim)
        };
        roomwire_chaos::eventually("a replica takes over", Duration::from_secs(20), replica).await;
        let took = killed.elapsed();
        // Well after, so that those that erred work again.
        sleep(Duration::from_secs(3)).await;
        over.store(true, Ordering::Relaxed);
        took
    };
    let (took, failures) = tokio::join!(takeover, trying);
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    let converged = fixture.converged(killed, Duration::from_secs(30)).await;
    println!(
        "a replica took over after {took:.2?}; of {} joins {} of the lost master's and {} of others failed; all agreed \
         after {converged:.2?}",
        worked.into_inner(),
        erred.into_inner(),
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} joins of rooms of living masters failed: {:?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );
    let left = fixture.ledger.left_since(from);
    assert!(left.keys().all(|(room, _)| room.starts_with("try-")), "nobody was taken for lost");
    assert_eq!(fixture.crowd.disconnects(), 0);
    assert!(before.is_subset(&fixture.crowd.memberships()));
    fixture.assert_ledger(from, &before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_slots_move_at_most_one_join_in_a_thousand_fails() {
    let cluster = RedisCluster::start(3, 0).await;
    let slots = partition_slots(&cluster).await;
    let fixture = Fixture::set(NODE, plan(&cluster)).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let over = AtomicBool::new(false);
    let joins = AtomicUsize::new(0);
    // Rooms in all partitions, joined and left all the time.
    let load = join_all(fixture.crowd.iter().take(60).enumerate().map(async |(index, client)| {
        let mut failures = Vec::new();
        let mut round = index;
        while !over.load(Ordering::Relaxed) {
            let room = format!("load-{}", round % 400);
            round += 7;
            joins.fetch_add(1, Ordering::Relaxed);
            match client.join(&room).await {
                Ok(()) => drop(client.leave(&room).await),
                Err(code) => failures.push(format!("{room}: {code}")),
            }
        }
        failures
    }));
    let moving = async {
        sleep(Duration::from_millis(500)).await;
        let begin = Instant::now();
        // A third of all partitions, the one of the leases among them, each to the next server.
        let mut moved = 0;
        for slot in slots.iter().step_by(3) {
            let owner = cluster.owner(*slot).await.expect("somebody serves it");
            cluster.move_slots([*slot], (owner + 1) % 3).await;
            moved += 1;
            sleep(Duration::from_millis(200)).await;
        }
        let took = begin.elapsed();
        sleep(Duration::from_millis(500)).await;
        over.store(true, Ordering::Relaxed);
        (moved, took)
    };
    let ((moved, took), failures) = tokio::join!(moving, load);
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    let joins = joins.into_inner();
    println!(
        "{moved} slots moved in {took:.1?} under {joins} joins: {} failed {:?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );
    assert!(failures.len() * 1000 <= joins, "{} of {joins} joins failed", failures.len());
    let converged = fixture.converged(Instant::now(), Duration::from_secs(30)).await;
    println!("all agreed {converged:.2?} after the last slot moved");
    let left = fixture.ledger.left_since(from);
    assert!(left.keys().all(|(room, _)| !rooms().contains(room)), "nobody was taken for lost");
    fixture.assert_ledger(from, &before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}
