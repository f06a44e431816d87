//! What a client sends above its rates is refused in turn, and a client that goes on is disconnected.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::Mutex;
use roomwire_core::{Namespace, config::Limits};
use roomwire_service::{
    ClientId, Data, DisconnectReason, Dispatcher, Error, ErrorCode, Gateway, Handshake, Payload, State,
    WebSocketConfig, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryState;
use tokio::{sync::Semaphore, time::advance};

use crate::fixture::{Counters, Ledger, Wire, config, eventually};

const MS: Duration = Duration::from_millis(1);

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

/// Three events at once, and ten a second.
fn narrow() -> Limits {
    Limits { events_per_second: 10, event_burst: 3, ..config().limits }
}

async fn server(limits: Limits, gateway: Gateway) -> TestServer {
    let config = WebSocketConfig { limits, ..config() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    TestServer::new(service, gateway).expect("mounts")
}

async fn ask(client: &TestClient, number: u32) -> Result<u32, (ErrorCode, Option<Duration>)> {
    client.emit_with_ack("echo", &number).await.map_err(|error| (error.code(), error.retry_after()))
}

#[tokio::test(start_paused = true)]
async fn what_is_above_the_burst_is_refused_in_turn_and_accepted_after_the_time_it_was_told() {
    let counters = Counters::default();
    let _counting = counters.count();
    let server = server(narrow(), Gateway::new().on("echo", echo)).await;
    let client = server.connect().await.expect("connects");
    let order = Mutex::new(Vec::new());
    let answers = join_all((0..6).map(|number| {
        let (client, order) = (&client, &order);
        async move {
            let answer = ask(client, number).await;
            order.lock().push(number);
            answer
        }
    }));
    let limited = Err((ErrorCode::RateLimited, Some(100 * MS)));
    assert_eq!(answers.await, [Ok(0), Ok(1), Ok(2), limited, limited, limited]);
    assert_eq!(*order.lock(), [0, 1, 2, 3, 4, 5], "answered in the order sent");
    assert_eq!(counters.of("roomwire_limited_total(eventsPerSecond)"), 3);

    advance(99 * MS).await;
    assert_eq!(ask(&client, 7).await, Err((ErrorCode::RateLimited, Some(MS))));
    advance(MS).await;
    assert_eq!(ask(&client, 8).await, Ok(8));
    assert_eq!(ask(&client, 9).await, Err((ErrorCode::RateLimited, Some(100 * MS))));
}

#[tokio::test(start_paused = true)]
async fn without_an_acknowledgement_the_refusal_is_sent_as_the_event_error() {
    let server = server(narrow(), Gateway::new().on("echo", echo)).await;
    let mut client = server.connect().await.expect("connects");
    (0..4).for_each(|number| client.emit("echo", &number));
    let told: serde_json::Value = client.expect("error").await;
    let expected =
        serde_json::json!({"code": "RATE_LIMITED", "message": "Too many events", "retryAfterMs": 100, "event": "echo"});
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_counted_with_name_and_attachments_and_one_event_may_always_come() {
    let counters = Counters::default();
    let _counting = counters.count();
    let limits = Limits { bytes_per_second: 1600, byte_burst: 3200, ..config().limits };
    let server =
        server(limits, Gateway::new().on("echo", |payload: Payload| async move { Ok::<_, Error>(payload.size()) }))
            .await;
    let client = server.connect().await.expect("connects");
    let of_size = |bytes: usize| Payload::from_encoded("null".into(), vec![Bytes::from(vec![0; bytes - 8])]);
    let send = async |bytes| {
        client
            .emit_with_ack::<usize>("echo", of_size(bytes))
            .await
            .map_err(|error| (error.code(), error.retry_after().expect("told").as_millis()))
    };
    assert_eq!(send(1600).await, Ok(1596));
    assert_eq!(send(1600).await, Ok(1596));
    assert_eq!(send(160).await, Err((ErrorCode::RateLimited, 100)));
    advance(100 * MS).await;
    assert_eq!(send(160).await, Ok(156));
    advance(Duration::from_secs(60)).await;
    assert_eq!(send(500_000).await, Ok(499_996), "larger than the burst");
    assert_eq!(send(160).await, Err((ErrorCode::RateLimited, 100)), "for which all of it was taken");
    assert_eq!(counters.of("roomwire_limited_total(bytesPerSecond)"), 2);
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_a_refused_event_is_given_back_while_its_answer_waits() {
    struct Seen(#[expect(dead_code, reason = "it is only dropped")] Arc<()>);
    impl AsRef<[u8]> for Seen {
        fn as_ref(&self) -> &[u8] {
            b"seen"
        }
    }
    async fn stuck(State(go): State<Arc<Semaphore>>) -> Result<(), Error> {
        go.acquire().await.expect("never closed").forget();
        Ok(())
    }
    let go = Arc::new(Semaphore::new(0));
    let server = server(narrow(), Gateway::new().with_state(go.clone()).on("stuck", stuck)).await;
    let client = server.connect().await.expect("connects");
    let alive = Arc::new(());
    for _ in 0..8 {
        let bytes = Bytes::from_owner(Seen(alive.clone()));
        client.emit("stuck", Payload::from_encoded(r#"{"_placeholder":true,"num":0}"#.into(), vec![bytes]));
    }
    assert_eq!(Arc::strong_count(&alive), 1 + 3, "those that are to be handled");
    go.add_permits(3);
    eventually("they are handled", async || Arc::strong_count(&alive) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_exceeding_its_rate_is_disconnected_and_no_other_client() {
    let server = server(narrow(), Gateway::new().on("echo", echo)).await;
    let ledger = Ledger::of([server.service().clone()]);
    let (hostile, other) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    (0..3 + 30).for_each(|number| hostile.emit("echo", &number));
    tokio::task::yield_now().await;
    assert!(hostile.handle().is_connected(), "ten times its burst is borne");
    (0..100).for_each(|number| hostile.emit("echo", &number));
    ledger.gone(1).await;
    let gone = (hostile.handle().id().clone(), DisconnectReason::RateLimited);
    let disconnected = ledger.disconnected();
    assert_eq!(Vec::from_iter(disconnected.into_iter().map(|(key, reason)| (key.client, reason))), [gone]);
    assert_eq!(ask(&other, 1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_forgotten_after_a_pause_of_a_second() {
    let server = server(narrow(), Gateway::new().on("echo", echo)).await;
    let mut client = server.connect().await.expect("connects");
    for _ in 0..20 {
        (0..3 + 30).for_each(|number| client.emit("echo", &number));
        advance(1000 * MS).await;
    }
    client.drain();
    assert_eq!(ask(&client, 1).await, Ok(1), "still connected");
    // Without the pause the same refusals are too many.
    for _ in 0..2 {
        (0..3 + 30).for_each(|number| client.emit("echo", &number));
        advance(900 * MS).await;
    }
    eventually("it is disconnected", async || !client.handle().is_connected()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_counts_as_one() {
    let config = WebSocketConfig { limits: narrow(), ..config() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let wire = Wire::unused();
    let dispatcher = Dispatcher::new(service, Gateway::new()).expect("mounts");
    let handshake = Handshake::new(ClientId::new("c").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, wire.clone()).await.expect("admitted");
    let refuse = || session.refuse(None, None, 0, Error::with_message(ErrorCode::InvalidPayload, "nonsense"));
    (0..3 + 30).for_each(|_| refuse());
    assert_eq!(wire.disconnects(), []);
    (0..3).for_each(|_| refuse());
    assert_eq!(wire.disconnects(), [DisconnectReason::RateLimited], "once");
}

#[tokio::test(start_paused = true)]
async fn the_defaults_bear_a_person_and_stop_a_flood() {
    let server = server(Limits::default(), Gateway::new().on("echo", echo)).await;
    let ledger = Ledger::of([server.service().clone()]);
    let person = server.connect().await.expect("connects");
    // A cursor that moves fifty times a second, for a minute.
    for number in 0..3000 {
        assert_eq!(ask(&person, number).await, Ok(number));
        advance(20 * MS).await;
    }
    let mut hostile = server.connect().await.expect("connects");
    for number in 0..20_000 {
        hostile.emit("echo", &number);
        if number % 100 == 0 {
            tokio::task::yield_now().await;
            hostile.drain();
        }
    }
    ledger.gone(1).await;
    assert_eq!(ledger.disconnected()[0].1, DisconnectReason::RateLimited);
    assert_eq!(ask(&person, 1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn the_defaults_bear_a_cursor_typing_and_scrolling_at_once_and_two_hundred_events_in_one_tick() {
    let server = server(Limits::default(), Gateway::new().on("echo", echo)).await;
    let mut client = server.connect().await.expect("connects");
    // Sixty cursor positions, sixty scroll positions and ten keys a second, for a minute.
    for second in 0..60 {
        if second % 10 == 0 {
            (0..200).for_each(|number| client.emit("echo", &number));
        }
        for frame in 0..60 {
            client.emit("echo", &frame);
            client.emit("echo", &frame);
            if frame % 6 == 0 {
                client.emit("echo", &frame);
            }
            advance(Duration::from_micros(16_667)).await;
        }
        assert_eq!(ask(&client, second).await, Ok(second), "in second {second}");
    }
    let received = client.drain();
    assert!(received.is_empty(), "a refusal would be an `error` event: {received:?}");
}
