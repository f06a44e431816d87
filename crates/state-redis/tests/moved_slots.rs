//! Slots of a Redis Cluster that move bring all their data: no client is refused as after lost data.

use std::time::Duration;

use roomwire_core::{
    ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NodeId, RoomId, RoomKey, StateStore, Timestamp,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisCluster;

const PARTITIONS: usize = 64;

#[tokio::test]
async fn newcomers_are_admitted_to_a_partition_that_moved_to_a_server_that_knows_no_script() {
    let cluster = RedisCluster::start(2, 0).await;
    let state = RedisState::connect(&RedisConfig::nodes(cluster.urls())).await.expect("connects");
    let incarnation = Incarnation::begin(NodeId::new("node").expect("valid"));
    state.begin_lease(&incarnation, Duration::from_secs(10)).await.expect("begins");
    let clients: Vec<_> = (0..PARTITIONS * 2)
        .map(|number| ClientKey::new(Namespace::root(), ClientId::new(format!("c{number}")).expect("valid")))
        .collect();
    let rooms: Vec<_> = (0..PARTITIONS * 2)
        .map(|number| RoomKey::new(Namespace::root(), RoomId::new(format!("r{number}")).expect("valid")))
        .collect();
    for (client, room) in clients.iter().zip(&rooms) {
        let new =
            NewClient { key: client.clone(), user: None, metadata: Metadata::new(), connected_at: Timestamp::now() };
        state.connect(&incarnation, &new).await.expect("connects");
        state.join(&incarnation, client, room).await.expect("joins");
    }
    let mut slots = Vec::new();
    for partition in 0..PARTITIONS {
        slots.push(cluster.servers()[0].ask(&["CLUSTER", "KEYSLOT", &format!("{{roomwire:{partition}}}")]).await);
    }
    slots.sort_unstable();
    // Half of what the first server has: it lives on, and so does its run.
    cluster.move_slots(slots[..PARTITIONS / 4].iter().copied(), 1).await;
    // With the first round the node learns where they went; in the second, each server meets a script for the first
    // time.
    for distance in 1..=2 {
        cluster.servers()[1].ask::<()>(&["SCRIPT", "FLUSH"]).await;
        for (client, room) in clients.iter().zip(rooms.iter().skip(distance)) {
            state.join(&incarnation, client, room).await.expect("joins");
        }
    }
}
