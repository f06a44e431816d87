//! With the store or the backplane away, what is local goes on and the rest fails fast.

use roomwire_service::{Data, Error, ErrorCode, Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use tokio::{task::JoinSet, time::Instant};

use crate::fixture::{Cluster, Ledger, Moment, config, eventually, watched};

/// With the time that operations have by default.
fn hasty() -> WebSocketConfig {
    WebSocketConfig { state: Default::default(), ..config() }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_joins_fail_and_leaves_disconnects_and_local_messages_go_on() {
    let node = watched(MemoryState::new(), config(), Gateway::new()).await;
    let ledger = Ledger::of([node.service.clone()]);
    let (mut stays, leaves, goes) = (
        node.server.connect().await.expect("connects"),
        node.server.connect().await.expect("connects"),
        node.server.connect().await.expect("connects"),
    );
    for client in [&stays, &leaves, &goes] {
        node.service.join_room(client.handle(), "r").await.expect("joins");
    }
    node.store.go_down();

    let refused = node.service.join_room(stays.handle(), "r2").await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    let refused = node.server.connect().await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    let refused = node.service.room("r").await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);

    node.service.leave_room(leaves.handle(), "r").await.expect("leaves");
    goes.disconnect();
    eventually("it is gone", async || node.service.local_client_count() == 2).await;
    node.service.broadcast_to_room("r", "news", &1).await.expect("sends");
    node.service.broadcast("news", &2).await.expect("sends");
    node.service.send_to_client(stays.id(), "news", &3).await.expect("sends");
    for number in 1..=3 {
        assert_eq!(stays.expect::<i32>("news").await, number);
    }
    assert_eq!(ledger.left("r"), [], "the store has not confirmed it");
    node.store.come_back();
    ledger.gone(1).await;
    assert_eq!(ledger.left("r").len(), 2);
    node.service.join_room(stays.handle(), "r2").await.expect("joins again");
}

#[tokio::test(start_paused = true)]
async fn many_joins_of_one_room_fail_together_and_not_one_after_the_other() {
    let node = watched(MemoryState::new(), hasty(), Gateway::new()).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(node.server.connect().await.expect("connects"));
    }
    node.bus.go_down();
    let began = Instant::now();
    let mut joins = JoinSet::new();
    for client in &clients {
        let (service, handle) = (node.service.clone(), client.handle().clone());
        joins.spawn(async move { service.join_room(&handle, "r").await });
    }
    while let Some(joined) = joins.join_next().await {
        assert_eq!(joined.expect("no panic").expect_err("no subscription").code(), ErrorCode::StateUnavailable);
    }
    let longest = node.service.config().state.timeout;
    assert!(began.elapsed() <= longest, "it took {:?}", began.elapsed());
    node.bus.come_back();
    node.service.join_room(clients[0].handle(), "r").await.expect("joins");
}

#[tokio::test(start_paused = true)]
async fn many_clients_that_come_fail_together_and_not_one_after_the_other() {
    let node = watched(MemoryState::new(), hasty(), Gateway::new()).await;
    node.bus.go_down();
    let began = Instant::now();
    let mut connects = JoinSet::new();
    for _ in 0..50 {
        let server = node.server.clone();
        connects.spawn(async move { server.connect().await.map(drop) });
    }
    while let Some(connected) = connects.join_next().await {
        assert_eq!(connected.expect("no panic").expect_err("no subscription").code(), ErrorCode::StateUnavailable);
    }
    let longest = node.service.config().state.timeout;
    assert!(began.elapsed() <= longest, "it took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_join_that_cannot_subscribe_takes_no_other_join_with_it() {
    let mut config = config();
    config.retry_config.attempts = 0;
    let cluster = Cluster::configured(Default::default(), config, 2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let unlucky = here.server.connect().await.expect("connects");
    let mut lucky = here.server.connect().await.expect("connects");

    // The first subscription fails while the second join waits for its turn.
    let hold = here.bus.hold(Moment::Before, "subscribe");
    here.bus.fail(Moment::After, "subscribe");
    let (service, client) = (here.service.clone(), unlucky.handle().clone());
    let first = tokio::spawn(async move { service.join_room(&client, "r").await });
    hold.reached().await;
    let (service, client) = (here.service.clone(), lucky.handle().clone());
    let second = tokio::spawn(async move { service.join_room(&client, "r").await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    hold.release();
    let refused = first.await.expect("no panic").expect_err("no subscription");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    second.await.expect("no panic").expect("joins");

    here.service.broadcast_to_room("r", "news", &"from here").await.expect("sends");
    assert_eq!(lucky.expect::<String>("news").await, "from here");
    there.service.broadcast_to_room("r", "news", &"from there").await.expect("sends");
    assert_eq!(lucky.expect::<String>("news").await, "from there");
}

#[tokio::test]
async fn a_broadcast_that_cannot_reach_other_nodes_says_so_and_reaches_its_own_members() {
    async fn say(service: WebSocketService, Data(text): Data<String>) -> Result<(), Error> {
        service.broadcast_to_room("r", "said", &text).await
    }
    let cluster = Cluster::of(2, || Gateway::new().on("say", say)).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let (mut near, far) =
        (here.server.connect().await.expect("connects"), there.server.connect().await.expect("connects"));
    here.service.join_room(near.handle(), "r").await.expect("joins");
    there.service.join_room(far.handle(), "r").await.expect("joins");
    here.bus.go_down();
    let refused = near.emit_with_ack::<()>("say", &"hello").await.expect_err("the others are away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    assert_eq!(near.expect::<String>("said").await, "hello");
}
