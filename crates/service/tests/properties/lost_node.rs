//! A node that is gone without a goodbye: the others clean up after it, once.

use std::{collections::BTreeMap, time::Duration};

use roomwire_service::{
    Client, ClientId, DisconnectReason, ErrorCode, Gateway, LeaveReason, NewRoom, ServiceEvent, testing::TestClient,
};
use tokio::{runtime::Runtime, time::Instant};

use crate::fixture::{Leases, Ledger, Moment, Node, eventually};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// So many clients of this node, each in `own-…`, `all` and `half`.
async fn crowd(node: &Node, clients: usize) -> Vec<TestClient> {
    let mut crowd = Vec::new();
    for number in 0..clients {
        let client = node.server.connect().await.expect("connects");
        for room in [&format!("own-{number}"), "all", "half"] {
            node.service.join_room(client.handle(), room).await.expect("joins");
        }
        crowd.push(client);
    }
    crowd
}

/// Ends a node as a power cut does. What it held is dropped after its tasks were.
async fn cut(runtime: Runtime, node: Node, clients: Vec<TestClient>) {
    tokio::task::spawn_blocking(move || drop(runtime)).await.expect("ends");
    drop((clients, node));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_members_of_a_lost_node_leave_once_over_all_survivors() {
    let (leases, own) = (Leases::of(3).await, runtime());
    let survivors: Vec<&Node> = leases.cluster.nodes.iter().collect();
    let mortal = leases.mortal(&own, Gateway::new()).await;
    let ledger = Ledger::of(leases.cluster.services());
    survivors[0].service.create_room("half", NewRoom::with_capacity(401)).await.expect("created");
    let stays = survivors[0].server.connect().await.expect("connects");
    survivors[0].service.join_room(stays.handle(), "half").await.expect("joins");
    let clients = crowd(&mortal, 400).await;
    let lost: Vec<ClientId> = clients.iter().map(|client| client.id().clone()).collect();
    let late = survivors[1].server.connect().await.expect("connects");
    let full = survivors[1].service.join_room(late.handle(), "half").await.expect_err("no place");
    assert_eq!(full.code(), ErrorCode::RoomFull);

    cut(own, mortal, clients).await;
    leases.run_out(&survivors).await;
    let service = &survivors[2].service;
    eventually("all is cleaned up", async || service.client_count().await.expect("answers") == 2).await;
    ledger.gone(400).await;
    for node in &survivors {
        node.store.heartbeat().await;
    }
    ledger.complete().await;

    let mut left: BTreeMap<ClientId, usize> = BTreeMap::new();
    for event in ledger.events() {
        if let ServiceEvent::Left { client, reason, .. } = event {
            assert_eq!(reason, LeaveReason::Disconnected(DisconnectReason::NodeLost));
            *left.entry(client).or_default() += 1;
        }
    }
    assert!(left.len() == 400 && lost.iter().all(|client| left[client] == 3), "each left its three rooms once");
    let mut gone = ledger.disconnected();
    gone.sort_unstable_by(|(a, _), (b, _)| a.client.cmp(&b.client));
    assert!(gone.iter().all(|(_, reason)| *reason == DisconnectReason::NodeLost));
    assert!(gone.iter().map(|(client, _)| &client.client).eq(left.keys()), "each is gone once");
    assert_eq!(service.member_count("half").await.expect("answers"), 1, "others stay");
    assert_eq!(service.room("all").await.expect_err("nobody is left").code(), ErrorCode::RoomNotFound);
    survivors[1].service.join_room(late.handle(), "half").await.expect("there is a place now");
    let refused = service.send_to_client(&lost[0], "hi", &1).await.expect_err("gone");
    assert_eq!(refused.code(), ErrorCode::ClientNotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_on_a_lost_node_are_named_as_silent_until_they_are_cleaned_up() {
    let (leases, own) = (Leases::of(1).await, runtime());
    let here = &leases.cluster.nodes[0];
    let mortal = leases.mortal(&own, Gateway::new()).await;
    let clients = crowd(&mortal, 3).await;
    let mut lost: Vec<ClientId> = clients.iter().map(|client| client.id().clone()).collect();
    lost.sort_unstable();
    let mut incarnations = here.server.connect().await.expect("connects");
    here.service.join_room(incarnations.handle(), "all").await.expect("joins");
    cut(own, mortal, clients).await;

    let (service, soon, began) = (here.service.clone(), Duration::from_millis(300), Instant::now());
    let asking = tokio::spawn(async move { service.broadcast_to_room_with_ack::<u32>("all", "n", &(), soon).await });
    incarnations.next().await.expect("asked").acknowledge(&7).expect("answers");
    let all = asking.await.expect("no panic").expect("asks");
    assert!(began.elapsed() >= soon);
    let [(client, Ok(7))] = &all.answers[..] else { panic!("{:?}", all.answers) };
    assert_eq!((client, all.silent), (incarnations.id(), lost.clone()));
    let asked = here.service.send_to_client_with_ack::<u32>(&lost[0], "n", &(), soon).await;
    assert_eq!(asked.expect_err("silent").code(), ErrorCode::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_outlives_its_runtime_can_be_dropped_and_asked() {
    let (leases, own) = (Leases::of(1).await, runtime());
    let mortal = leases.mortal(&own, Gateway::new()).await;
    let mut clients = crowd(&mortal, 2).await;
    own.shutdown_background();
    let handle: Client = clients[0].handle().clone();
    clients[0].emit("anything", &1);
    clients[0].disconnect();
    assert!(clients[0].drain().is_empty());
    std::thread::spawn(move || drop((clients, mortal))).join().expect("dropping is no panic");
    assert!(handle.is_connected(), "nobody was there to say goodbye");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clean_up_that_takes_long_does_not_cost_a_node_its_own_lease() {
    let (leases, own) = (Leases::of(2).await, runtime());
    let [busy, idle] = &leases.cluster.nodes[..] else { panic!("two nodes") };
    let ledger = Ledger::of(leases.cluster.services());
    let mortal = leases.mortal(&own, Gateway::new()).await;
    let stays = busy.server.connect().await.expect("connects");
    let clients = crowd(&mortal, 2).await;
    let (long, longer) = (busy.store.hold(Moment::Before, "reap"), idle.store.hold(Moment::Before, "reap"));
    cut(own, mortal, clients).await;
    leases.run_out(&[busy, idle]).await;
    long.reached().await;
    longer.reached().await;
    leases.run_out(&[busy, idle]).await;
    long.release();
    longer.release();
    ledger.gone(2).await;
    ledger.complete().await;
    assert!(ledger.disconnected().iter().all(|(client, _)| client.client != *stays.id()), "it is not taken for lost");
    assert!(busy.service.client(stays.id()).await.is_ok());
}
