//! Graceful shutdown: clients are told, new ones are refused, and it ends in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use roomwire_core::{ClientKey, LeaveReason, Namespace};
use roomwire_service::{
    Client, ClientId, DisconnectReason, Dispatcher, Error, ErrorCode, Gateway, Handshake, PageRequest, State,
    WebSocketConfig, WebSocketService,
};
use roomwire_state_memory::MemoryHub;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

use crate::fixture::{Cluster, Ledger, Node, Wire, config, eventually, watched, within, yield_randomly};

async fn join(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "r").await
}

async fn hang() -> Result<(), Error> {
    std::future::pending().await
}

/// A node that waits so long for handlers when it stops.
async fn node(drain: Duration, gateway: Gateway) -> Node {
    let mut config: WebSocketConfig = config();
    config.drain.timeout = drain;
    watched(MemoryHub::new().node(), config, gateway.on("join", join).on("hang", hang)).await
}

#[tokio::test]
async fn handlers_finish_and_every_client_leaves_once_with_the_reason_and_no_new_client_is_accepted() {
    #[derive(Clone)]
    struct Fixture(Arc<Notify>, mpsc::UnboundedSender<String>);
    async fn work(State(fixture): State<Fixture>, service: WebSocketService, client: Client) -> Result<String, Error> {
        fixture.0.notified().await;
        let refused = service.join_room(&client, "late").await.expect_err("it stops");
        fixture.1.send(format!("worked, {}", refused.code())).map_err(Error::internal)?;
        Ok("done".to_owned())
    }
    async fn gone(State(fixture): State<Fixture>, why: DisconnectReason) -> Result<(), Error> {
        fixture.1.send(format!("gone, {why}")).map_err(Error::internal)
    }
    let (go, (told, mut heard)) = (Arc::new(Notify::new()), mpsc::unbounded_channel::<String>());
    let gateway = Gateway::new().with_state(Fixture(go.clone(), told)).on("work", work).on_disconnect(gone);
    let node = node(Duration::from_secs(60), gateway).await;
    let ledger = Ledger::of([node.service.clone()]);
    let mut client = node.server.connect().await.expect("connects");
    client.emit_with_ack::<()>("join", &()).await.expect("joins");
    client.emit("work", &());
    assert!(!node.service.is_shutting_down());

    let stopping = tokio::spawn({
        let service = node.service.clone();
        async move { service.shutdown().await }
    });
    eventually("it stops", async || node.service.is_shutting_down()).await;
    let refused = node.server.connect().await.expect_err("it stops");
    assert_eq!((refused.code(), refused.is_retryable()), (ErrorCode::ShuttingDown, true));
    assert!(within("the end", client.next()).await.is_none(), "its connection ends");
    assert!(!stopping.is_finished(), "the handler is waited for");
    go.notify_one();
    assert_eq!(within("the end", stopping).await.expect("no panic"), 0);
    assert_eq!(heard.recv().await.as_deref(), Some("worked, SHUTTING_DOWN"));
    assert_eq!(heard.recv().await.as_deref(), Some("gone, server shutting down"));
    ledger.gone(1).await;
    let reason = DisconnectReason::ServerShutdown;
    assert_eq!(ledger.left("r"), [(client.id().clone(), LeaveReason::Disconnected(reason))]);
    let key = ClientKey::new(Namespace::root(), client.id().clone());
    assert_eq!(ledger.disconnected(), [(key, reason)]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_holds_a_stop_up_no_longer_than_the_deadline() {
    for (drain, hangs_last) in [(3, false), (3, true), (8, false), (0, false)] {
        let gateway = if hangs_last { Gateway::new().on_disconnect(hang) } else { Gateway::new() };
        let node = node(Duration::from_secs(drain), gateway).await;
        let ledger = Ledger::of([node.service.clone()]);
        let (stuck, free) =
            (node.server.connect().await.expect("connects"), node.server.connect().await.expect("connects"));
        for client in [&stuck, &free] {
            client.emit_with_ack::<()>("join", &()).await.expect("joins");
        }
        if !hangs_last {
            stuck.emit("hang", &());
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        let unfinished = node.service.shutdown().await;
        let expected = if hangs_last || drain == 0 { 2 } else { 1 };
        assert_eq!((unfinished, began.elapsed().as_secs()), (expected, drain), "drain {drain}, {hangs_last}");
        assert_eq!(ledger.assert_all_left().await, 2, "all the same");
        assert_eq!(node.service.client_count().await.expect("answers"), 0);
        assert_eq!(node.service.shutdown().await, 0, "the second call waits for nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_lease_is_given_back_and_nothing_is_left_to_clean_up() {
    let mut often = config();
    often.lease.heartbeat = Duration::from_millis(10);
    for _ in 0..50 {
        let cluster = Cluster::configured(MemoryHub::new(), often.clone(), 2, || Gateway::new().on("join", join)).await;
        let [stops, survivor] = &cluster.nodes[..] else { panic!("two nodes") };
        let ledger = Ledger::of(cluster.services());
        let client = stops.server.connect().await.expect("connects");
        client.emit_with_ack::<()>("join", &()).await.expect("joins");
        stops.store.take_log();
        assert_eq!(stops.service.shutdown().await, 0);
        assert_eq!(stops.store.take_log(), ["disconnect", "end_lease"]);
        survivor.store.heartbeat().await;
        assert_eq!(survivor.service.clients(&PageRequest::first(9)).await.expect("answers").items, []);
        assert!(!survivor.store.take_log().contains(&"reap"), "nothing is left to clean up");
        assert_eq!(stops.store.take_log(), Vec::<&str>::new(), "no incarnation begins after the end");
        drop(ledger);
    }
}

#[tokio::test]
async fn a_client_that_is_admitted_but_not_active_is_disconnected_when_it_opens() {
    async fn never() -> Result<(), Error> {
        panic!("while it stops")
    }
    let node = node(Duration::from_secs(60), Gateway::new()).await;
    let dispatcher = Dispatcher::new(node.service.clone(), Gateway::new().on_connect(never)).expect("mounts");
    let handshake = Handshake::new(ClientId::new("late").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
    let stopping = tokio::spawn({
        let service = node.service.clone();
        async move { service.shutdown().await }
    });
    eventually("it stops", async || node.service.is_shutting_down()).await;
    session.opened();
    session.closed(DisconnectReason::ConnectionLost);
    assert_eq!(within("the end", stopping).await.expect("no panic"), 0, "it is waited for");
    assert_eq!(node.service.client_count().await.expect("answers"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_clients_do_while_a_node_stops_each_member_leaves_once() {
    for _ in 0..100 {
        let node = node(Duration::from_secs(60), Gateway::new()).await;
        node.store.yield_randomly();
        let ledger = Ledger::of([node.service.clone()]);
        let connected = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            let (node, connected) = (node.clone(), connected.clone());
            clients.spawn(async move {
                while let Ok(client) = node.server.connect().await {
                    connected.fetch_add(1, Ordering::SeqCst);
                    // Refused when the node stops meanwhile; the client is gone then, or soon will be.
                    let joined = node.service.join_room(client.handle(), "r").await;
                    yield_randomly().await;
                    if joined.is_ok() && rand::random() {
                        let _ = node.service.leave_room(client.handle(), "r").await;
                    }
                }
            });
        }
        yield_randomly().await;
        assert_eq!(node.service.shutdown().await, 0);
        within("the end", clients.join_all()).await;
        ledger.gone(connected.load(Ordering::SeqCst)).await;
        ledger.assert_all_left().await;
        assert_eq!(node.service.client_count().await.expect("answers"), 0);
    }
}
