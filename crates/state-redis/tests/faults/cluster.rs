//! On a Redis Cluster.

use std::time::Duration;

use futures_util::StreamExt;
use roomwire_core::{
    Backplane, BackplaneEvent, Channel, DeletionId, Incarnation, LiveClient, NodeId, RoomKey, RoomUid, StateError,
    StateStore,
};
use roomwire_state_redis::RedisConfig;
use roomwire_test_servers::RedisCluster;
use tokio::time::{Instant, sleep, timeout};

use crate::fixture::{LEASE, Node, client, room};

const PARTITIONS: u16 = 64;
/// As the service has it, and waits no longer for one call.
const TIMEOUT: Duration = Duration::from_secs(1);

fn partition(name: &str) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(format!("/,{name}").as_bytes()) % PARTITIONS
}

fn slot(partition: u16) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(format!("roomwire:{partition}").as_bytes()) % 16_384
}

/// Which of three masters.
fn master(partition: u16) -> u16 {
    slot(partition) / 5461
}

/// A name of something that lies in this partition.
fn name_in(wanted: u16) -> String {
    (0..).map(|number| format!("n{number}")).find(|name| partition(name) == wanted).expect("there are many")
}

/// A master that does not keep the leases, and so one to be lost.
fn victim() -> u16 {
    (0..3).find(|index| *index != master(0)).expect("there are three")
}

async fn node(cluster: &RedisCluster) -> Node {
    Node::on(RedisConfig::nodes(cluster.urls()).timeout(TIMEOUT)).await
}

async fn ghosts(node: &Node, rooms: &[RoomKey]) -> usize {
    let mut ghosts = 0;
    for room in rooms {
        ghosts += usize::try_from(node.state.member_count(room).await.expect("is served")).expect("few");
    }
    ghosts
}

/// The partitions of the rooms are told one after the other, and those of the lost master take all the time there is:
/// a caller that stops waiting then (as the service does) leaves out the rest, also masters that are well, and what is
/// owed (a second disconnect) finds no rooms to take the client out of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_disconnects_leaves_the_rooms_of_masters_that_are_well() {
    let mut cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let home = (0..PARTITIONS).find(|partition| master(*partition) != victim()).expect("some");
    let name = name_in(home);
    node.connect(&name).await;
    let mut well = Vec::new();
    for partition in 0..PARTITIONS {
        let its = room(&name_in(partition));
        node.join(&name, &its).await.expect("joins");
        if master(partition) != victim() {
            well.push(its);
        }
    }
    cluster.kill_master(victim().into());
    let gone = timeout(TIMEOUT, node.state.disconnect(&node.incarnation, &client(&name).key)).await;
    println!("disconnect: {gone:?}");
    // Heartbeats, and the debt that the service pays then.
    for _ in 0..5 {
        let renewed = timeout(TIMEOUT, node.state.renew_lease(&node.incarnation, LEASE)).await;
        let paid = timeout(TIMEOUT, node.state.disconnect(&node.incarnation, &client(&name).key)).await;
        println!("renewed: {:?}, paid: {:?}", renewed.map(|status| status.is_ok()), paid);
        assert!(!matches!(paid, Ok(Ok(_))), "rooms of the lost master may still list the client");
        sleep(Duration::from_millis(400)).await;
    }
    let ghosts = ghosts(&node, &well).await;
    assert_eq!(
        ghosts,
        0,
        "a client that is gone is still a member of {ghosts} of {} rooms of masters that are well",
        well.len()
    );
}

/// As above, with callers that wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_has_an_answer_within_the_timeout() {
    let mut cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let home = (0..PARTITIONS).find(|partition| master(*partition) != victim()).expect("some");
    let name = name_in(home);
    node.connect(&name).await;
    for partition in (0..PARTITIONS).filter(|partition| master(*partition) == victim()).take(6) {
        node.join(&name, &room(&name_in(partition))).await.expect("joins");
    }
    cluster.kill_master(victim().into());
    let began = Instant::now();
    let gone = node.state.disconnect(&node.incarnation, &client(&name).key).await;
    println!("{gone:?} after {:?}", began.elapsed());
    let took_to_disconnect = began.elapsed();
    // What could not be told is tried again by the heartbeat, one after the other as well.
    let began = Instant::now();
    let renewed = node.state.renew_lease(&node.incarnation, LEASE).await;
    println!("{renewed:?} after {:?}", began.elapsed());
    assert!(took_to_disconnect < TIMEOUT * 3 / 2, "{took_to_disconnect:?}");
    assert!(began.elapsed() < TIMEOUT * 3 / 2, "{:?}", began.elapsed());
}

/// The lease is kept by a master that is well; still the heartbeat waits for the one that hangs as long as its caller
/// does, so that for the service it failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_succeeds_while_a_master_without_leases_hangs() {
    let cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    cluster.servers()[usize::from(victim())].stop_answering();
    let mut outcomes = Vec::new();
    for _ in 0..12 {
        let began = Instant::now();
        let renewed = timeout(TIMEOUT, node.state.renew_lease(&node.incarnation, LEASE)).await;
        outcomes.push((matches!(renewed, Ok(Ok(_))), began.elapsed()));
        sleep(Duration::from_millis(500)).await;
    }
    let failed = outcomes.iter().filter(|(succeeded, _)| !succeeded).count();
    assert!(failed <= 1, "{failed} of {} failed: {outcomes:?}", outcomes.len());
}

/// Fencing wants all partitions, and one that cannot be told keeps everything else from being cleaned up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_is_cleaned_up_on_masters_that_are_well() {
    let mut cluster = RedisCluster::start(3, 0).await;
    let (survivor, lost) = (node(&cluster).await, node(&cluster).await);
    let mut well = Vec::new();
    for partition in (0..PARTITIONS).filter(|partition| master(*partition) != victim()).take(8) {
        let name = name_in(partition);
        lost.connect(&name).await;
        lost.join(&name, &room(&name)).await.expect("joins");
        well.push(room(&name));
    }
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    cluster.kill_master(victim().into());
    for _ in 0..4 {
        let reaped = survivor.state.reap(&survivor.incarnation, &lost.incarnation, 256).await;
        println!("{reaped:?}");
    }
    assert_eq!(ghosts(&survivor, &well).await, 0, "members of a node that is no more");
}

/// Data that came with a slot was written in another server's run, which is no loss. A script that is used for the
/// first time on the new server is taken for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newcomers_are_admitted_after_a_slot_moved() {
    let cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let moved = (1..PARTITIONS).find(|partition| master(*partition) == victim()).expect("some");
    let to = usize::from((victim() + 1) % 3);
    let (name, other) = (name_in(moved), name_in((moved + 1) % PARTITIONS));
    for partition in 0..PARTITIONS {
        let name = name_in(partition);
        node.connect(&name).await;
        node.join(&name, &room(&name)).await.expect("joins");
    }
    cluster.move_slots([slot(moved)], to).await;
    sleep(Duration::from_millis(500)).await;
    node.join(&other, &room(&name)).await.expect("joins: the move itself does no harm");
    // The first deletion of a room on that server.
    let elsewhere = (0..PARTITIONS).find(|partition| usize::from(master(*partition)) == to).expect("some");
    node.state.delete_room(&room(&name_in(elsewhere)), DeletionId::random()).await.expect("deletes");
    let newcomer = name_in((moved + 2) % PARTITIONS);
    node.join(&newcomer, &room(&name)).await.expect("joins: nothing was lost");
}

/// A server that was a master before, and is again, still knows the scripts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_failover_with_older_data_is_noticed() {
    let mut cluster = RedisCluster::start(3, 1).await;
    let index = usize::from(victim());
    let replica = 3 + index;
    let partition = (1..PARTITIONS).find(|partition| master(*partition) == victim()).expect("some");
    let (first, second) = (node(&cluster).await, node(&cluster).await);
    let full = room(&name_in(partition));
    first.state.create_room(&full, &roomwire_core::NewRoom::with_capacity(1)).await.expect("creates");
    for (node, name) in [(&first, "a"), (&second, "b"), (&second, "warm")] {
        node.connect(name).await;
    }
    // So that the master knows the script of a join.
    let warm = room(&(0..).map(|n| format!("w{n}")).find(|name| self::partition(name) == partition).expect("some"));
    second.join("warm", &warm).await.expect("joins");

    // The operator makes the replica the master: nothing is lost.
    cluster.servers()[replica].ask::<String>(&["CLUSTER", "FAILOVER"]).await;
    while cluster.owner(slot(partition)).await != Some(replica) {
        sleep(Duration::from_millis(50)).await;
    }
    cluster.is_whole().await;
    second.connect("c").await;
    sleep(Duration::from_secs(1)).await;
    for node in [&first, &second] {
        node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
    }
    // Scripts are known to the new master, too.
    loop {
        if second.join("c", &warm).await.is_ok() {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    // The last write does not reach the other server, and the master dies.
    cluster.servers()[index].stop_answering();
    cluster.servers()[replica].ask::<i64>(&["CLIENT", "KILL", "TYPE", "replica"]).await;
    first.join("a", &full).await.expect("joins");
    cluster.kill_master(replica);
    cluster.servers()[index].go_on();
    while cluster.owner(slot(partition)).await != Some(index) {
        sleep(Duration::from_millis(50)).await;
    }
    let joined = loop {
        match second.join("b", &full).await {
            Err(StateError::Unavailable(error)) if !error.to_string().contains("lost data") => {
                println!("{error}");
                sleep(Duration::from_millis(50)).await;
            }
            other => break other,
        }
    };
    assert!(joined.is_err(), "\"a\" is in, and there is one place");
}

/// One task at a time reads the slots, beyond every deadline, and the hub starts one more every 100 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_exceeds_its_timeout_and_no_work_piles_up_while_the_cluster_hangs() {
    let mut cluster = RedisCluster::start(3, 0).await;
    let node = std::sync::Arc::new(node(&cluster).await);
    let _events = node.state.open(&node.incarnation.process()).await.expect("opens");
    for number in 0..16 {
        let channel = Channel::Node(Incarnation::begin(NodeId::new(format!("n{number}")).expect("valid")).process());
        node.state.subscribe(&channel).await.expect("subscribes");
    }
    // One is gone, and the server that knows it hangs.
    cluster.kill_master(victim().into());
    for index in (0..3).filter(|index| *index != usize::from(victim())) {
        cluster.servers()[index].stop_answering();
    }
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    sleep(Duration::from_secs(5)).await;
    let before = tasks();
    sleep(Duration::from_secs(10)).await;
    let after = tasks();
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (node, key) = (node.clone(), client(&format!("c{number}")).key);
        callers.spawn(async move {
            let began = Instant::now();
            let _ = node.state.client(&key).await;
            began.elapsed()
        });
    }
    sleep(Duration::from_secs(5)).await;
    let (mut longest, mut late) = (Duration::ZERO, 0);
    while let Some(took) = callers.try_join_next() {
        let took = took.expect("no panic");
        longest = longest.max(took);
        late += usize::from(took > TIMEOUT * 3 / 2);
    }
    let waiting = callers.len();
    println!(
        "{late} of 40 late (longest {longest:?}), {waiting} still wait after 5 s; {before} tasks became {after} in 10 s"
    );
    assert_eq!((late, waiting), (0, 0), "the longest that ended took {longest:?}");
    assert!(after < before + 20, "{before} tasks became {after}");
}

/// Its members' records are told one client after the other: the caller gives up before, though the room is deleted,
/// and then no node reports that the members left, nor tells the other nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_room_is_deleted_within_the_timeout() {
    const MEMBERS: usize = 10_000;
    let cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let large = room("large");
    let uid = RoomUid::from_u64(7);
    let alive: Vec<_> = (0..MEMBERS)
        .map(|number| LiveClient { client: client(&format!("c{number}")), rooms: vec![(large.clone(), uid)] })
        .collect();
    for batch in alive.chunks(500) {
        node.state.restore(&node.incarnation, batch).await.expect("restores");
    }
    let deleted = timeout(TIMEOUT, node.state.delete_room(&large, DeletionId::random())).await;
    let there = node.state.room(&large).await.expect("reads").is_some();
    assert!(deleted.is_ok(), "the caller was told that it failed; the room is there: {there}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_of_a_master_that_is_well_is_deleted_while_another_is_away() {
    let mut cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let well = (0..PARTITIONS).find(|partition| master(*partition) != victim()).expect("some");
    let its = room(&name_in(well));
    for lost in (0..PARTITIONS).filter(|partition| master(*partition) == victim()).take(3) {
        let member = name_in(lost);
        node.connect(&member).await;
        node.join(&member, &its).await.expect("joins");
    }
    // So that the script is known.
    assert!(node.state.delete_room(&room("other"), DeletionId::random()).await.expect("deletes").is_none());
    cluster.kill_master(victim().into());
    let deleted = timeout(TIMEOUT, node.state.delete_room(&its, DeletionId::random())).await;
    let there = node.state.room(&its).await.expect("reads").is_some();
    assert!(deleted.is_ok(), "the caller was told that it failed; the room is there: {there}");
}

/// All wanted channels are heard again when none is wanted any more on the master that is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_interruption_is_told_when_nothing_is_missed_any_more() {
    let mut cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let process = (0..).map(|_| Incarnation::begin(NodeId::random()).process()).find(|process| {
        let partition = crc16::State::<crc16::XMODEM>::calculate(process.to_string().as_bytes()) % PARTITIONS;
        master(partition) != victim()
    });
    let mut events = node.state.open(&process.expect("some")).await.expect("opens");
    let lost = (0..PARTITIONS).find(|partition| master(*partition) == victim()).expect("some");
    let channel = Channel::Room(room(&name_in(lost)));
    node.state.subscribe(&channel).await.expect("subscribes");
    cluster.kill_master(victim().into());
    assert_eq!(timeout(TIMEOUT * 5, events.next()).await, Ok(Some(BackplaneEvent::Interrupted)));
    node.state.unsubscribe(&channel).await.expect("unsubscribes");
    assert_eq!(timeout(TIMEOUT * 5, events.next()).await, Ok(Some(BackplaneEvent::Gap)));
}

/// The record of a client is in another partition than its rooms. What could not be ended there is tried again later,
/// when the client may be back under the same incarnation, and a member again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_over_of_a_client_that_went_does_not_end_its_membership_when_it_is_back() {
    let cluster = RedisCluster::start(3, 0).await;
    let node = node(&cluster).await;
    let away = &cluster.servers()[usize::from(victim())];
    let home = (0..PARTITIONS).find(|partition| master(*partition) != victim()).expect("some");
    let name = name_in(home);
    let lost = (0..PARTITIONS).filter(|partition| master(*partition) == victim());
    let rooms = Vec::from_iter(lost.take(4).map(|partition| room(&name_in(partition))));
    node.connect(&name).await;
    for room in &rooms {
        node.join(&name, room).await.expect("joins");
    }
    away.ask::<String>(&["ACL", "SETUSER", "default", "-evalsha", "-eval"]).await;
    let gone = node.state.disconnect(&node.incarnation, &client(&name).key).await;
    assert!(matches!(gone, Err(StateError::Refused(_))), "{gone:?}");
    away.ask::<String>(&["ACL", "SETUSER", "default", "+evalsha", "+eval"]).await;
    node.connect(&name).await;
    for room in &rooms[..2] {
        node.join(&name, room).await.expect("joins");
    }
    node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
    let began = Instant::now();
    while ghosts(&node, &rooms[2..]).await > 0 {
        assert!(began.elapsed() < TIMEOUT * 5, "what is left over is ended");
        sleep(Duration::from_millis(10)).await;
    }
    // All that is left over was sent at the same time.
    sleep(Duration::from_millis(100)).await;
    assert_eq!(ghosts(&node, &rooms[..2]).await, 2, "it is a member again");
    let record = node.state.client(&client(&name).key).await.expect("reads").expect("is there");
    assert_eq!(record.rooms.len(), 2);
}
