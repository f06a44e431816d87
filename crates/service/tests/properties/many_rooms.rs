//! One client joins many rooms: no join waits, and `limits.roomsPerClient` bounds them.

use futures_util::future::join_all;
use roomwire_core::config::Limits;
use roomwire_service::{
    Client, Data, DisconnectReason, Error, ErrorCode, Gateway, RoomId, WebSocketConfig, WebSocketService,
};
use roomwire_state_memory::MemoryState;
use serde_json::json;
use tokio::time::Instant;

use crate::fixture::{Counters, Ledger, Node, config, watched};

/// A node with the limits of a service that configures none.
async fn default_node(gateway: Gateway) -> Node {
    watched(MemoryState::new(), WebSocketConfig { limits: Limits::default(), ..config() }, gateway).await
}

fn room(number: usize) -> RoomId {
    RoomId::new(format!("room-{number}")).expect("valid")
}

fn code(result: Result<(), Error>) -> Result<(), ErrorCode> {
    result.map_err(|error| error.code())
}

async fn join_hundred(service: WebSocketService, client: Client) -> Result<(), Error> {
    for number in 0..100 {
        service.join_room(&client, room(number)).await?;
    }
    Ok(())
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, room).await
}

#[tokio::test(start_paused = true)]
async fn a_hundred_rooms_that_on_connect_joins_are_joined_without_waiting() {
    let node = default_node(
        Gateway::new().on_connect(join_hundred).on("echo", |Data(text): Data<String>| async { Ok::<_, Error>(text) }),
    )
    .await;
    let began = Instant::now();
    let client = node.server.connect().await.expect("connects");
    let answer: String = client.emit_with_ack("echo", &json!("first")).await.expect("answers");
    assert_eq!(client.handle().rooms().len(), 100);
    assert_eq!(answer, "first");
    assert_eq!(began.elapsed().as_millis(), 0, "neither the joins nor the first event wait");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_rooms_that_two_hundred_clients_ask_for_at_once_are_joined_without_waiting() {
    let node = default_node(Gateway::new().on("join-room", join)).await;
    let began = Instant::now();
    let clients = join_all((0..200).map(|_| async {
        let client = node.server.connect().await.expect("connects");
        let rooms: Vec<RoomId> = (0..100).map(room).collect();
        let joins = rooms.iter().map(|room| client.emit_with_ack::<()>("join-room", room));
        for answer in join_all(joins).await {
            answer.expect("joins");
        }
        client
    }));
    assert!(clients.await.iter().all(|client| client.handle().rooms().len() == 100));
    assert_eq!(began.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_leaves_all_its_rooms_and_a_later_join_is_refused() {
    let node = default_node(Gateway::new()).await;
    let ledger = Ledger::of([node.service.clone()]);
    let client = node.server.connect().await.expect("connects");
    for number in 0..30 {
        node.service.join_room(client.handle(), room(number)).await.expect("joins");
    }
    let handle = client.handle().clone();
    drop(client);
    ledger.gone(1).await;
    assert_eq!(code(node.service.join_room(&handle, "later").await), Err(ErrorCode::ClientNotFound));
    assert_eq!(ledger.disconnected()[0].1, DisconnectReason::ClientDisconnected);
    assert_eq!(node.service.room_count().await.expect("counts"), 0);
    assert_eq!(node.bus.take_log().into_iter().filter(|call| *call == "unsubscribe").count(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_never_in_more_rooms_than_it_may_also_when_its_joins_race() {
    let counters = Counters::default();
    let _counting = counters.count();
    let limits = Limits { rooms_per_client: 7, ..config().limits };
    let node = watched(MemoryState::new(), WebSocketConfig { limits, ..config() }, Gateway::new()).await;
    node.store.yield_randomly();
    for _ in 0..20 {
        let client = node.server.connect().await.expect("connects");
        let joins = join_all((0..20).map(|number| node.service.join_room(client.handle(), room(number))));
        let outcomes: Vec<_> = joins.await.into_iter().map(code).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(ErrorCode::LimitExceeded)).count(), 13);
        let rooms = client.handle().rooms();
        assert_eq!(node.service.client(client.id()).await.expect("known").rooms, rooms);
        node.service.join_room(client.handle(), &rooms[0]).await.expect("is in");
        node.service.leave_room(client.handle(), &rooms[0]).await.expect("leaves");
        node.service.join_room(client.handle(), "another").await.expect("there is room again");
        let refused = node.service.join_room(client.handle(), "one-more").await.expect_err("refused");
        assert_eq!(refused.message(), "a client may be in 7 rooms; leave one first");
    }
    assert_eq!(counters.of("roomwire_limited_total(roomsPerClient)"), 20 * 14);
}
