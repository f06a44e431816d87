//! A node that was taken for lost while it lived: it puts its clients and rooms back, and every `Joined` still has one
//! `Left`.

use std::{sync::Arc, time::Duration};

use roomwire_core::Namespace;
use roomwire_service::{
    ClientId, DisconnectReason, ErrorCode, Gateway, Handshake, Metadata, PageRequest, ServiceEvent, testing::TestClient,
};
use roomwire_state_memory::MemoryHub;
use tokio::task::JoinSet;

use crate::fixture::{Cluster, Ledger, Moment, Node, Wire, config, eventually, yield_randomly};

/// Two nodes that renew their leases often.
async fn cluster() -> Cluster {
    let mut config = config();
    config.lease.heartbeat = Duration::from_millis(10);
    // A heartbeat that a test holds is waited for, also on a busy machine.
    config.lease.duration = Duration::from_secs(180);
    config.retry_config.attempts = 0;
    Cluster::configured(MemoryHub::new(), config, 2, Gateway::new).await
}

/// A client in `r` and `own`, with a note.
async fn member(node: &Node) -> TestClient {
    let metadata = Metadata::from_iter([("note".to_owned(), "kept".into())]);
    let handshake = Handshake { metadata, ..Handshake::new(ClientId::new("member").expect("valid")) };
    let client = node.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    for room in ["r", "own"] {
        node.service.join_room(client.handle(), room).await.expect("joins");
    }
    client
}

/// Keeps the first node from its heartbeat until the second has cleaned up after it. Returns what lets it go on.
async fn lose(cluster: &Cluster) -> impl FnOnce() {
    let [lost, survivor] = &cluster.nodes[..] else { panic!("two nodes") };
    let hold = lost.store.hold(Moment::Before, "renew_lease");
    hold.reached().await;
    lost.store.fence().await;
    eventually("its clients are cleaned up", async || {
        let clients = survivor.service.clients(&PageRequest::first(1000)).await.expect("answers").items;
        clients.iter().all(|client| client.node != *lost.service.node_id())
    })
    .await;
    move || hold.release()
}

/// Whether the store knows the member with all it had.
async fn is_back(node: &Node) -> bool {
    let known = node.service.client("member").await;
    known.is_ok_and(|known| known.rooms == ["own", "r"] && known.metadata["note"] == "kept")
}

/// The member takes part as before: it hears both nodes, joins, leaves and goes.
async fn assert_whole(cluster: &Cluster, mut client: TestClient, ledger: &Ledger) {
    let [lost, survivor] = &cluster.nodes[..] else { panic!("two nodes") };
    assert_eq!(survivor.service.room("r").await.expect("exists").clients, [client.id().clone()]);
    for service in [&lost.service, &survivor.service] {
        service.broadcast_to_room("r", "news", &1).await.expect("sends");
        assert_eq!(client.expect::<i32>("news").await, 1);
    }
    survivor.service.send_to_client(client.id(), "hi", &2).await.expect("sends");
    assert_eq!(client.expect::<i32>("hi").await, 2);
    lost.service.join_room(client.handle(), "new").await.expect("joins");
    lost.service.leave_room(client.handle(), "r").await.expect("leaves");
    assert_eq!(survivor.service.client("member").await.expect("known").rooms, ["new", "own"]);
    client.disconnect();
    eventually("it is gone", async || survivor.service.client("member").await.is_err()).await;
    // What was reported of it before the loss counts, too: it never joined twice without leaving.
    ledger.assert_all_left().await;
    assert_eq!(survivor.service.room_count().await.expect("answers"), 0);
    let is_even = |connected: usize| connected == ledger.disconnected().len();
    let connected = |event: &_| matches!(event, ServiceEvent::ClientConnected { .. });
    assert!(is_even(ledger.events().iter().filter(|event| connected(event)).count()), "{:?}", ledger.events());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_lease_is_renewed_while_many_clients_are_put_back() {
    let cluster = cluster().await;
    let node = &cluster.nodes[0];
    let mut clients = Vec::new();
    // More than one call of the store puts back.
    for _ in 0..501 {
        clients.push(node.server.connect().await.expect("connects"));
    }
    let first = node.store.hold(Moment::After, "restore");
    node.store.fence().await;
    first.reached().await;
    let second = node.store.hold(Moment::Before, "restore");
    let before = node.store.heartbeats();
    tokio::time::sleep(Duration::from_millis(10)).await;
    first.release();
    second.reached().await;
    assert_eq!(node.store.heartbeats(), before + 1);
    second.release();
    eventually("all are back", async || node.service.client_count().await.is_ok_and(|count| count == 501)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_with_many_memberships_are_put_back_by_several_calls() {
    let cluster = cluster().await;
    let node = &cluster.nodes[0];
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = node.server.connect().await.expect("connects");
        for room in 0..700 {
            node.service.join_room(client.handle(), &format!("r{room}")).await.expect("joins");
        }
        clients.push(client);
    }
    node.store.take_log();
    node.store.fence().await;
    node.store.heartbeat().await;
    let calls = node.store.take_log().into_iter().filter(|call| *call == "restore").count();
    assert_eq!(calls, 2, "three clients, and one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_taken_for_lost_puts_its_clients_and_rooms_back() {
    let cluster = cluster().await;
    let ledger = Ledger::of(cluster.services());
    let client = member(&cluster.nodes[0]).await;
    let go_on = lose(&cluster).await;
    assert!(!is_back(&cluster.nodes[1]).await);
    go_on();
    eventually("it is back", async || is_back(&cluster.nodes[1]).await).await;
    assert_whole(&cluster, client, &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_join_or_connect_detects_the_lost_lease_and_repairs_it() {
    for joins in [true, false] {
        let cluster = cluster().await;
        let ledger = Ledger::of(cluster.services());
        let client = member(&cluster.nodes[0]).await;
        let go_on = lose(&cluster).await;
        if joins {
            cluster.nodes[0].service.join_room(client.handle(), "r2").await.expect("joins");
            cluster.nodes[0].service.leave_room(client.handle(), "r2").await.expect("leaves");
        } else {
            cluster.nodes[0].server.connect().await.expect("connects");
        }
        assert!(is_back(&cluster.nodes[1]).await);
        go_on();
        eventually("others have gone", async || cluster.nodes[0].service.local_client_count() == 1).await;
        assert_whole(&cluster, client, &ledger).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_leaves_or_disconnects_before_the_loss_is_detected_is_reported_once() {
    for goes in [true, false] {
        let cluster = cluster().await;
        let ledger = Ledger::of(cluster.services());
        let client = member(&cluster.nodes[0]).await;
        let go_on = lose(&cluster).await;
        if goes {
            client.disconnect();
            eventually("it is gone", async || !client.handle().is_connected()).await;
        } else {
            for room in ["r", "own"] {
                cluster.nodes[0].service.leave_room(client.handle(), room).await.expect("leaves");
            }
        }
        go_on();
        cluster.nodes[0].store.heartbeat().await;
        // The first leave mends the loss: the second room is back, and left again.
        assert_eq!(ledger.assert_all_left().await, if goes { 2 } else { 3 });
        assert_eq!(cluster.nodes[1].service.room_count().await.expect("answers"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_leaves_or_disconnects_during_a_re_registration_is_reported_once() {
    for goes in [true, false] {
        let cluster = cluster().await;
        let [lost, survivor] = &cluster.nodes[..] else { panic!("two nodes") };
        let ledger = Ledger::of(cluster.services());
        let client = member(lost).await;
        let go_on = lose(&cluster).await;
        let healing = lost.store.hold(Moment::Before, "reap");
        lost.store.fail(Moment::Before, "restore");
        let pause = lost.store.hold(Moment::Before, "renew_lease");
        go_on();
        healing.reached().await;
        let (service, handle) = (lost.service.clone(), client.handle().clone());
        let left = tokio::spawn(async move {
            if goes {
                service.handle_disconnect(&handle, DisconnectReason::PingTimeout).await;
            } else {
                service.leave_room(&handle, "own").await.expect("leaves");
            }
        });
        // It is out of the room here, and the store is told when the node has its new incarnation.
        eventually("it is out", async || !client.handle().is_in(&"own".parse().expect("valid"))).await;
        healing.release();
        left.await.expect("no panic");
        pause.reached().await;
        pause.release();
        lost.store.heartbeat().await;
        client.disconnect();
        eventually("it is gone", async || survivor.service.client("member").await.is_err()).await;
        lost.store.heartbeat().await;
        ledger.assert_all_left().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn healing_that_is_interrupted_is_finished_later() {
    for method in ["begin_lease", "reap", "restore"] {
        for moment in [Moment::Before, Moment::After] {
            let cluster = cluster().await;
            let ledger = Ledger::of(cluster.services());
            let client = member(&cluster.nodes[0]).await;
            let go_on = lose(&cluster).await;
            (0..3).for_each(|_| cluster.nodes[0].store.fail(moment, method));
            go_on();
            eventually("it is back", async || is_back(&cluster.nodes[1]).await).await;
            cluster.nodes[0].store.heartbeat().await;
            assert_whole(&cluster, client, &ledger).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_healing_is_interrupted_the_members_join_and_leave_all_the_same() {
    let cluster = cluster().await;
    let ledger = Ledger::of(cluster.services());
    let client = member(&cluster.nodes[0]).await;
    let go_on = lose(&cluster).await;
    cluster.nodes[0].store.fail(Moment::Before, "restore");
    let pause = cluster.nodes[0].store.hold(Moment::Before, "renew_lease");
    go_on();
    pause.reached().await;
    assert!(!is_back(&cluster.nodes[1]).await, "the restore failed");
    cluster.nodes[0].service.leave_room(client.handle(), "own").await.expect("leaves");
    cluster.nodes[0].service.join_room(client.handle(), "own").await.expect("joins");
    assert!(is_back(&cluster.nodes[1]).await);
    pause.release();
    cluster.nodes[0].store.heartbeat().await;
    assert_whole(&cluster, client, &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_lost_everything_is_restored_without_join_or_leave_events() {
    let cluster = cluster().await;
    let ledger = Ledger::of(cluster.services());
    let client = member(&cluster.nodes[0]).await;
    let other = cluster.nodes[1].server.connect().await.expect("connects");
    cluster.nodes[1].service.join_room(other.handle(), "own").await.expect("joins");
    ledger.complete().await;
    let before = ledger.stays();
    let empty = MemoryHub::new();
    cluster.nodes.iter().for_each(|node| node.store.replace(Arc::new(empty.node())));
    let both = [client.id(), other.id()].map(Clone::clone);
    eventually("both are back", async || {
        let room = cluster.nodes[1].service.room("own").await;
        room.is_ok_and(|room| both.iter().all(|client| room.clients.contains(client)))
    })
    .await;
    eventually("its other room is back", async || is_back(&cluster.nodes[1]).await).await;
    ledger.complete().await;
    assert_eq!(ledger.stays(), before);
    let told = ledger.events().into_iter().filter(|event| *event == ServiceEvent::StateLost);
    assert_eq!(told.count(), cluster.nodes.len(), "each node says once that data was lost");
    other.disconnect();
    ledger.gone(1).await;
    assert_whole(&cluster, client, &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_was_admitted_before_the_loss_and_opens_after_it_is_active() {
    use roomwire_service::Dispatcher;
    let cluster = cluster().await;
    let node = &cluster.nodes[0];
    let dispatcher = Dispatcher::new(node.service.clone(), Gateway::new()).expect("mounts");
    let handshake = Handshake::new(ClientId::new("early").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
    let go_on = lose(&cluster).await;
    go_on();
    node.store.heartbeat().await;
    session.opened();
    node.service.join_room(session.client(), "r").await.expect("joins");
    eventually("it is known", async || {
        cluster.nodes[1].service.client("early").await.is_ok_and(|known| known.rooms == ["r"])
    })
    .await;
    let handshake = Handshake::new(ClientId::new("quiet").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
    let go_on = lose(&cluster).await;
    go_on();
    node.store.heartbeat().await;
    session.opened();
    eventually("it is known", async || cluster.nodes[1].service.client("quiet").await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_is_activated_while_its_node_cleans_up_is_reported_connected_before_it_joins() {
    use roomwire_service::Dispatcher;
    let cluster = cluster().await;
    let ledger = Ledger::of(cluster.services());
    let node = &cluster.nodes[0];
    let dispatcher = Dispatcher::new(node.service.clone(), Gateway::new()).expect("mounts");
    let handshake = Handshake::new(ClientId::new("early").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
    let reaped = node.store.hold(Moment::After, "reap");
    node.store.fence().await;
    reaped.reached().await;
    session.opened();
    eventually("it is active", async || node.service.local_client_count() == 1).await;
    reaped.release();
    node.service.join_room(session.client(), "r").await.expect("joins");
    session.closed(DisconnectReason::ConnectionLost);
    ledger.assert_all_left().await;
    ledger.assert_all_gone().await;
    let mut connected = false;
    for (_, event) in ledger.about(session.client().id()) {
        match event {
            ServiceEvent::ClientConnected { .. } => connected = true,
            ServiceEvent::ClientDisconnected { .. } => connected = false,
            other => assert!(connected, "{other:?} of a client that is not connected"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_come_and_go_while_their_node_is_taken_for_lost_again_and_again_leave_once() {
    let cluster = Arc::new(cluster().await);
    let ledger = Ledger::of(cluster.services());
    cluster.nodes.iter().for_each(|node| node.store.yield_randomly());
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        let cluster = cluster.clone();
        workers.spawn(async move {
            for round in 0..150 {
                let node = &cluster.nodes[(worker + round) % 2];
                // Lost twice during one call: that is too much for it.
                let Ok(client) = node.server.connect().await else { continue };
                for room in ["a", "b", "c"] {
                    if let Err(error) = node.service.join_room(client.handle(), room).await {
                        assert_eq!(error.code(), ErrorCode::StateUnavailable);
                    }
                    yield_randomly().await;
                }
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..3))).await;
                if let Err(error) = node.service.leave_room(client.handle(), "b").await {
                    assert_eq!(error.code(), ErrorCode::NotInRoom);
                }
                yield_randomly().await;
                client.disconnect();
                while client.handle().is_connected() {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    let fenced = cluster.clone();
    let fencing = tokio::spawn(async move {
        let mut times = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(rand::random_range(1..20))).await;
            fenced.nodes[0].store.fence().await;
            times += 1;
            if times > 40 {
                return;
            }
        }
    });
    while let Some(ended) = workers.join_next().await {
        ended.expect("no panic");
    }
    fencing.await.expect("no panic");
    eventually("nobody is left", async || cluster.nodes[1].service.client_count().await.expect("answers") == 0).await;
    assert_eq!(cluster.nodes[1].service.room_count().await.expect("answers"), 0);
    for node in &cluster.nodes {
        node.store.heartbeat().await;
    }
    assert!(ledger.assert_all_left().await >= 2 * 8 * 150);
}
