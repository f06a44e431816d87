//! Races for a place in a room, and between a join and a message.

use std::time::{Duration, Instant};

use futures_util::{
    StreamExt,
    future::{join_all, try_join_all},
    stream,
};
use roomwire_chaos::Turn;
use roomwire_core::{
    ClientId, ClientKey, DeletionId, Incarnation, Metadata, Namespace, NewClient, NewRoom, NodeId, RoomId, RoomKey,
    StateError, StateStore, Timestamp, config::Limits,
};
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService, testing::TestServer};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;

const ROUNDS: usize = 1000;
const JOINS: usize = 200;
const CAPACITY: u32 = 10;
const MESSAGES: usize = 10_000;

async fn state(redis: &RedisServer) -> RedisState {
    RedisState::connect(&RedisConfig::new(redis.url()).timeout(Duration::from_secs(5))).await.expect("connects")
}

fn client(number: usize) -> ClientKey {
    ClientKey::new(Namespace::root(), ClientId::new(format!("client-{number}")).expect("valid"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_joins_for_10_places_exactly_10_succeed_in_1000_rounds() {
    let _turn = Turn::wait().await;
    let redis = RedisServer::start().await;
    let mut nodes = Vec::new();
    for number in 0..3 {
        let incarnation = Incarnation::begin(NodeId::new(format!("node-{number}")).expect("valid"));
        let state = state(&redis).await;
        state.begin_lease(&incarnation, Duration::from_secs(600)).await.expect("begins");
        nodes.push((state, incarnation));
    }
    for number in 0..JOINS {
        let (state, incarnation) = &nodes[number % 3];
        let new =
            NewClient { key: client(number), user: None, metadata: Metadata::new(), connected_at: Timestamp::now() };
        state.connect(incarnation, &new).await.expect("connects");
    }
    let begin = Instant::now();
    for round in 0..ROUNDS {
        let room = RoomKey::new(Namespace::root(), RoomId::new(format!("race-{round}")).expect("valid"));
        let any = &nodes[round % 3].0;
        any.create_room(&room, &NewRoom::with_capacity(CAPACITY)).await.expect("creates");
        let joins = (0..JOINS).map(async |number| {
            let (state, incarnation) = &nodes[number % 3];
            match state.join(incarnation, &client(number), &room).await {
                Ok(_) => true,
                Err(StateError::RoomFull) => false,
                Err(error) => panic!("round {round}: {error}"),
            }
        });
        let admitted = join_all(joins).await.into_iter().filter(|admitted| *admitted).count();
        assert_eq!(admitted, CAPACITY as usize, "admitted in round {round}");
        let members = any.room(&room).await.expect("answers").expect("it is there").clients.len();
        assert_eq!(members, CAPACITY as usize, "members in round {round}");
        any.delete_room(&room, DeletionId::random()).await.expect("deletes");
    }
    println!("{ROUNDS} rounds of {JOINS} joins from three nodes for {CAPACITY} places in {:.1?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_sent_as_soon_as_a_join_on_another_node_returns_is_received_10000_times() {
    let _turn = Turn::wait().await;
    let redis = RedisServer::start().await;
    let servers = try_join_all((0..3).map(async |number| {
        let config = WebSocketConfig {
            node_id: Some(NodeId::new(format!("node-{number}")).expect("valid")),
            limits: Limits::default().without_rates(),
            ..WebSocketConfig::default()
        };
        let service = WebSocketService::builder(config).state(state(&redis).await).build().await?;
        Ok::<_, roomwire_service::Error>(TestServer::new(service, Gateway::new()).expect("serves"))
    }));
    let servers = servers.await.expect("builds");
    let begin = Instant::now();
    let workers = (0..50).map(async |worker: usize| {
        let (here, elsewhere) = (&servers[worker % 3], &servers[(worker + 1 + worker / 3 % 2) % 3]);
        let mut client = here.connect().await.expect("connects");
        for number in 0..MESSAGES / 50 {
            let room = format!("room-{worker}-{}", number % 7);
            here.service().join_room(client.handle(), &room).await.expect("joins");
            elsewhere.service().broadcast_to_room(&room, "said", &number).await.expect("sends");
            // It panics when nothing comes, or something else.
            assert_eq!(client.expect::<usize>("said").await, number);
            here.service().leave_room(client.handle(), &room).await.expect("leaves");
        }
        assert!(client.drain().is_empty(), "nothing comes twice");
        MESSAGES / 50
    });
    let received: usize = stream::iter(workers).buffer_unordered(50).collect::<Vec<_>>().await.into_iter().sum();
    println!("{received} of {MESSAGES} received in {:.1?}", begin.elapsed());
    assert_eq!(received, MESSAGES);
}
