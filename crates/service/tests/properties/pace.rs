//! Joins and leaves of one client beyond its rate wait their turn; how many rooms it is in has a bound.

use std::{net::Ipv4Addr, time::Duration};

use futures_util::future::join_all;
use roomwire_core::config::Limits;
use roomwire_service::testing::TestClient;
use roomwire_service::{
    ClientId, DisconnectReason, Error, ErrorCode, Gateway, Handshake, Namespace, RoomId, WebSocketConfig,
};
use roomwire_state_memory::MemoryState;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::stage::{Counters, Ledger, Node, config, watched};

const MS: Duration = Duration::from_millis(1);

/// The rates that a service has by itself, six a second and three at once, and what else tests need.
async fn node(rooms_per_client: usize) -> Node {
    let Limits { joins_per_second, join_burst, .. } = Limits::default();
    let limits = Limits { joins_per_second, join_burst, rooms_per_client, ..config().limits };
    watched(MemoryState::new(), WebSocketConfig { limits, ..config() }, Gateway::new()).await
}

fn room(number: usize) -> RoomId {
    RoomId::new(format!("room-{number}")).expect("valid")
}

fn code(result: Result<(), Error>) -> Result<(), ErrorCode> {
    result.map_err(|error| error.code())
}

#[tokio::test(start_paused = true)]
async fn the_store_and_the_backplane_hear_of_one_client_at_most_nine_times_a_second() {
    let node = node(1000).await;
    let client = node.server.connect().await.expect("connects");
    let began = Instant::now();
    let mut heard = Vec::new();
    for number in 0..40 {
        node.service.join_room(client.handle(), room(number)).await.expect("joins");
        // Of a room that is new here both.
        heard.extend([began.elapsed(); 2]);
        node.service.leave_room(client.handle(), room(number)).await.expect("leaves");
        heard.extend([began.elapsed(); 2]);
    }
    let calls = node.store.take_log().into_iter().filter(|call| matches!(*call, "join" | "leave")).count();
    assert_eq!(calls * 2, heard.len());
    for (number, first) in heard.iter().enumerate() {
        let second = heard[number..].iter().take_while(|call| **call < *first + 1000 * MS).count();
        assert!(second <= 9, "{second} calls in the second after {first:?}");
    }
    let took = heard[heard.len() - 1];
    assert!((26_100 * MS..26_500 * MS).contains(&took), "6 a second are served: {took:?} for 160");
}

/// Connects a client that comes from the one address of this test.
async fn come(node: &Node, number: usize) -> TestClient {
    let client = ClientId::new(format!("client-{number}")).expect("valid");
    let handshake = Handshake { address: Some(Ipv4Addr::LOCALHOST.into()), ..Handshake::new(client) };
    node.server.connect_with(&Namespace::root(), handshake).await.expect("connects")
}

/// The calls of store and backplane from now on, with the millisecond in which each was.
fn record(node: &Node) -> JoinHandle<Vec<(Duration, &'static str)>> {
    let (store, bus, began) = (node.store.clone(), node.bus.clone(), Instant::now());
    drop((store.take_log(), bus.take_log()));
    tokio::spawn(async move {
        let mut calls = Vec::new();
        while began.elapsed() < Duration::from_secs(20) {
            let new = store.take_log().into_iter().chain(bus.take_log());
            calls.extend(new.map(|call| (began.elapsed(), call)));
            sleep(MS).await;
        }
        calls
    })
}

#[tokio::test(start_paused = true)]
async fn who_joins_and_goes_and_comes_back_all_the_time_costs_at_most_ten_calls_a_second() {
    for rooms_each in [0, 1, 2, 3, 7, 50] {
        let node = node(1000).await;
        // So that nothing is done for the first time.
        drop(come(&node, 0).await);
        sleep(Duration::from_secs(10)).await;
        let recorded = record(&node);
        let attack = async {
            for number in 1.. {
                let client = come(&node, number).await;
                let joins =
                    (0..rooms_each).map(|nth| node.service.join_room(client.handle(), room(number * 1000 + nth)));
                join_all(joins).await;
            }
        };
        timeout(Duration::from_secs(15), attack).await.expect_err("goes on");
        let calls = recorded.await.expect("no panic");
        assert!(calls.len() > 60, "it was served: {calls:?}");
        for (number, (first, _)) in calls.iter().enumerate() {
            let second = calls[number..].iter().take_while(|(when, _)| *when < *first + 1000 * MS).count();
            assert!(second <= 10, "{rooms_each} rooms each: {second} calls after {first:?}: {calls:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_reloaded_finds_its_rooms_and_hardly_waits() {
    let node = node(1000).await;
    let client = come(&node, 0).await;
    for number in 0..3 {
        node.service.join_room(client.handle(), room(number)).await.expect("joins");
    }
    sleep(Duration::from_secs(10)).await;
    drop((client, node.bus.take_log()));
    sleep(200 * MS).await;
    let began = Instant::now();
    let client = come(&node, 1).await;
    for number in 0..3 {
        node.service.join_room(client.handle(), room(number)).await.expect("joins");
    }
    assert!(began.elapsed() < 350 * MS, "{:?}", began.elapsed());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(node.bus.take_log(), [""; 0], "nothing was subscribed to again, nor given up");
    drop(client);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(node.bus.take_log(), ["unsubscribe"; 3]);
}

#[tokio::test(start_paused = true)]
async fn whoever_would_wait_longer_than_two_seconds_is_refused_at_once_with_the_time_to_wait() {
    let counters = Counters::default();
    let _counting = counters.count();
    let node = node(1000).await;
    let client = node.server.connect().await.expect("connects");
    let began = Instant::now();
    let joins = join_all((0..50).map(|number| {
        let (node, client) = (&node, client.handle());
        async move { (node.service.join_room(client, room(number)).await, began.elapsed()) }
    }));
    let outcomes = joins.await;
    let (served, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(outcome, _)| outcome.is_ok());
    assert_eq!(served.len(), 7, "two each, in two seconds");
    assert!(served.is_sorted_by_key(|(_, when)| *when), "in the order of their coming");
    assert!(served[0].1 < MS && served[1].1 > 160 * MS && served[6].1 <= 2010 * MS, "{served:?}");
    for (outcome, when) in refused {
        let error = outcome.expect_err("refused");
        assert_eq!(error.code(), ErrorCode::RateLimited);
        assert!(error.retry_after().is_some_and(|wait| wait <= 167 * MS), "{error:?}");
        assert_eq!(when, Duration::ZERO);
    }
    assert_eq!(counters.of("roomwire_limited_total(joinsPerSecond)"), 43);
    assert_eq!(client.handle().rooms().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_waits_and_neither_does_who_is_in_the_room() {
    let node = node(1000).await;
    let (busy, other) =
        (node.server.connect().await.expect("connects"), node.server.connect().await.expect("connects"));
    join_all((0..10).map(|number| node.service.join_room(busy.handle(), room(number)))).await;
    let began = Instant::now();
    node.service.join_room(other.handle(), "room-1").await.expect("joins");
    node.service.join_room(busy.handle(), "room-1").await.expect("is in");
    assert_eq!(code(node.service.leave_room(busy.handle(), "no-room").await), Err(ErrorCode::NotInRoom));
    node.service.delete_room("room-2").await.expect("deleted");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_leaves_all_its_rooms_at_once_and_what_waits_is_not_waited_for() {
    let node = node(1000).await;
    let ledger = Ledger::of([node.service.clone()]);
    let client = node.server.connect().await.expect("connects");
    for number in 0..30 {
        node.service.join_room(client.handle(), room(number)).await.expect("joins");
    }
    let handle = client.handle().clone();
    let began = Instant::now();
    let waiting = tokio::spawn({
        let (service, client) = (node.service.clone(), handle.clone());
        async move { service.join_room(&client, "late").await }
    });
    tokio::task::yield_now().await;
    drop(client);
    tokio::task::yield_now().await;
    assert_eq!(code(node.service.join_room(&handle, "later").await), Err(ErrorCode::ClientNotFound));
    assert_eq!(began.elapsed(), Duration::ZERO);
    ledger.gone(1).await;
    assert!(began.elapsed() < 100 * MS, "{:?}", began.elapsed());
    assert_eq!(ledger.disconnected()[0].1, DisconnectReason::ClientDisconnected);
    assert_eq!(code(waiting.await.expect("no panic")), Err(ErrorCode::ClientNotFound));
    assert_eq!(node.service.room_count().await.expect("counts"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_join_that_is_given_up_while_it_waits_has_not_begun() {
    let node = node(1000).await;
    let client = node.server.connect().await.expect("connects");
    join_all((0..4).map(|number| node.service.join_room(client.handle(), room(number)))).await;
    let waited = timeout(MS, node.service.join_room(client.handle(), "given-up")).await;
    waited.expect_err("it waits");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(client.handle().rooms().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_never_in_more_rooms_than_it_may_also_when_its_joins_race() {
    let counters = Counters::default();
    let _counting = counters.count();
    let limits = Limits { rooms_per_client: 7, ..config().limits };
    let node = watched(MemoryState::new(), WebSocketConfig { limits, ..config() }, Gateway::new()).await;
    node.store.stumble();
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
