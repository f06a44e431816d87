//! A node that stops is not cut off: it gives its lease back and closes its backplane by itself, and warns of neither.

use std::time::Duration;

use roomwire_service::{Gateway, ServiceEvent, WebSocketService, testing::TestServer};
use roomwire_state_memory::{MemoryHub, MemoryState};

use crate::fixture::{Cluster, Ledger, Log, config, watched, yield_randomly};

/// Stops a node with so many members of a room; what it logged from info on, and reported of the store and the
/// backplane.
async fn stopped(members: usize) -> (Vec<String>, Vec<ServiceEvent>) {
    let mut often = config();
    often.lease.heartbeat = Duration::from_millis(10);
    // Not watched: the test's own end of the backplane would stay open.
    let service = WebSocketService::builder(often).state(MemoryState::new()).build().await.expect("builds");
    let server = TestServer::new(service.clone(), Gateway::new()).expect("mounts");
    let (log, ledger) = (Log::capture(), Ledger::of([service.clone()]));
    let mut clients = Vec::new();
    for _ in 0..members {
        let client = server.connect().await.expect("connects");
        service.join_room(client.handle(), "r").await.expect("joins");
        clients.push(client);
    }
    // So that the stop comes at any moment between two heartbeats.
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..600))).await;
    assert_eq!(service.shutdown().await, 0);
    // Long enough for a heartbeat that should have ended.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let of_clients = |event: &ServiceEvent| {
        use ServiceEvent::*;
        matches!(event, ClientConnected { .. } | ClientDisconnected { .. } | Joined { .. } | Left { .. })
    };
    let events = ledger.events().into_iter().filter(|event| !of_clients(event)).collect();
    (log.take_lines(), events)
}

#[tokio::test(start_paused = true)]
async fn a_normal_stop_is_no_outage_of_the_store_or_the_backplane() {
    for round in 0..50 {
        for members in [0, 3] {
            let (lines, events) = stopped(members).await;
            assert_eq!((lines, events), (vec![], vec![]), "round {round} with {members} clients");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_that_races_with_heartbeats_and_messages_is_no_outage() {
    let mut often = config();
    often.lease.heartbeat = Duration::from_millis(10);
    for _ in 0..200 {
        let cluster = Cluster::configured(MemoryHub::new(), often.clone(), 2, Gateway::new).await;
        let [stops, other] = &cluster.nodes[..] else { panic!("two nodes") };
        stops.store.yield_randomly();
        let ledger = Ledger::of([stops.service.clone()]);
        let client = stops.server.connect().await.expect("connects");
        stops.service.join_room(client.handle(), "r").await.expect("joins");
        let says = tokio::spawn({
            let service = other.service.clone();
            async move {
                for number in 0..200 {
                    service.broadcast("news", &number).await.expect("sends");
                    yield_randomly().await;
                }
            }
        });
        yield_randomly().await;
        assert_eq!(stops.service.shutdown().await, 0);
        says.await.expect("no panic");
        let health = stops.service.health();
        assert!(health.is_healthy(), "{health:?}");
        let is_outage = |event: &ServiceEvent| {
            use ServiceEvent::*;
            matches!(event, StateUnavailable | StateRecovered | StateLost | BackplaneInterrupted | BackplaneGap)
        };
        assert_eq!(ledger.events().into_iter().filter(is_outage).collect::<Vec<_>>(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_store_is_away_warns_once_of_the_store_and_once_of_the_lease() {
    let node = watched(MemoryState::new(), config(), Gateway::new()).await;
    let client = node.server.connect().await.expect("connects");
    node.service.join_room(client.handle(), "r").await.expect("joins");
    let log = Log::capture();
    node.store.go_down();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.service.shutdown().await, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let lines = log.take_lines();
    let [state, lease] = &lines[..] else { panic!("two lines: {lines:?}") };
    assert!(state.starts_with("WARN shared state cannot be reached"), "{state}");
    assert!(lease.starts_with("WARN lease could not be given back"), "{lease}");
}
