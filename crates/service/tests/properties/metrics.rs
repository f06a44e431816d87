//! What is measured of the store, the backplane and the other nodes.

use roomwire_core::Namespace;
use roomwire_service::{ErrorCode, Gateway, Handshake, METRICS, WebSocketConfig, testing::TestClient};
use roomwire_state_memory::MemoryState;

use crate::fixture::{Cluster, Counters, Leases, Node, eventually, watched};

async fn member(node: &Node, name: &str, rooms: &[&str]) -> TestClient {
    let handshake = Handshake::new(name.parse().expect("valid"));
    let client = node.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    for room in rooms {
        node.service.join_room(client.handle(), *room).await.expect("joins");
    }
    client
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_node_is_measured_where_it_is_delivered_and_a_local_one_is_not() {
    let counters = Counters::default();
    let _counting = counters.count();
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (mut near, mut far) = (member(here, "near", &["both", "here"]).await, member(there, "far", &["both"]).await);
    let published = counters.of("roomwire_backplane_call_duration_seconds(publish)");
    for number in 0..100 {
        here.service.broadcast_to_room("both", "news", &number).await.expect("sends");
        here.service.broadcast_to_room("here", "news", &number).await.expect("sends");
        for _ in 0..2 {
            assert_eq!(near.expect::<i32>("news").await, number);
        }
        assert_eq!(far.expect::<i32>("news").await, number);
    }
    assert_eq!(counters.of("roomwire_backplane_delay_seconds()"), 100);
    assert_eq!(counters.of("roomwire_backplane_call_duration_seconds(publish)") - published, 100);
    assert_eq!(counters.of("roomwire_operation_duration_seconds(broadcast)"), 200);
    assert_eq!(counters.of("roomwire_messages_queued_total()"), 300);
    assert_eq!(counters.level("roomwire_rooms"), 3.0, "each node counts its own");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_counted_with_its_retries_and_what_is_undone() {
    let counters = Counters::default();
    let _counting = counters.count();
    let mut config = WebSocketConfig::default();
    config.retry_config.attempts = 2;
    config.state.timeout = config.retry_config.timeout;
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    let client = node.server.connect().await.expect("connects");
    let of = |name: &str| counters.of(&format!("roomwire_{name}"));
    assert_eq!((of("state_retries_total()"), of("state_call_failures_total(unavailable)")), (0, 0));
    assert!(counters.level("roomwire_lease_renewal_timestamp_seconds") > 1e9, "a time of this century");
    node.store.go_down();
    let refused = node.service.join_room(client.handle(), "r").await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    assert_eq!(of("state_retries_total()"), 2);
    assert_eq!(of("state_call_duration_seconds(join)"), 3);
    assert!(of("state_call_failures_total(unavailable)") >= 3, "the heartbeat fails too");
    assert_eq!(of("rollbacks_total(join)"), 1);
    eventually("an outage", async || counters.level("roomwire_state_available") == 0.0).await;
}

#[tokio::test]
async fn a_lost_lease_is_counted_by_the_node_that_lost_it() {
    let counters = Counters::default();
    let _counting = counters.count();
    let cluster = Cluster::of(1, Gateway::new).await;
    let node = &cluster.nodes[0];
    assert_eq!(counters.of("roomwire_leases_lost_total()"), 0);
    node.store.fence().await;
    let _client = member(node, "a", &["r"]).await;
    assert_eq!(counters.of("roomwire_leases_lost_total()"), 1);
    assert!(counters.of("roomwire_state_call_failures_total(fenced)") >= 1);
}

#[tokio::test]
async fn what_a_lost_node_leaves_behind_is_counted_by_the_node_that_cleans_up() {
    let counters = Counters::default();
    let _counting = counters.count();
    let leases = Leases::of(1).await;
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mortal = leases.mortal(&own, Gateway::new()).await;
    let mut clients = Vec::new();
    for name in ["a", "b", "c"] {
        clients.push(member(&mortal, name, &["one", "two"]).await);
    }
    tokio::task::spawn_blocking(move || drop(own)).await.expect("ends");
    drop((clients, mortal));
    leases.run_out(&[&leases.cluster.nodes[0]]).await;
    let reaped = |what: &str| counters.of(&format!("roomwire_reaped_total({what})"));
    eventually("it is cleaned up", async || reaped("node") == 1).await;
    assert_eq!((reaped("client"), reaped("membership")), (3, 6));
}

#[tokio::test]
async fn every_counter_exists_with_the_value_zero_when_the_service_is_built() {
    let counters = Counters::default();
    let _counting = counters.count();
    let _cluster = Cluster::of(1, Gateway::new).await;
    for metric in METRICS.iter().filter(|metric| metric.kind.as_str() == "counter") {
        let values = metric.label.map_or(&[""][..], |(_, values)| values);
        for value in values {
            let name = format!("{}({value})", metric.name);
            assert!(counters.has(&name), "{name}");
        }
    }
}
