//! What waits when its client goes, and what else may happen to it before its time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{
    future::{join_all, maybe_done},
    poll,
};
use parking_lot::Mutex;
use roomwire_service::{
    Client, Data, DebounceLayer, Error, ErrorCode, Event, EventName, EventService, Gateway, Handler, LeftRooms,
    Payload, RateLimitLayer, RoomId, State, WebSocketService,
};
use tokio::{sync::Notify, task::JoinSet, time::sleep};
use tower::{BoxError, ServiceExt, layer::layer_fn, service_fn};

use crate::fixture::{eventually, server, within, yield_randomly};

const MS: Duration = Duration::from_millis(1);
const WAIT: Duration = Duration::from_millis(200);

type Log = Arc<Mutex<Vec<String>>>;

async fn note(
    State(diary): State<Log>,
    client: Client,
    name: EventName,
    Data(number): Data<u32>,
) -> Result<u32, Error> {
    diary.lock().push(format!("{name} {number} in {} rooms", client.rooms().len()));
    Ok(number)
}

async fn bye(State(diary): State<Log>, LeftRooms(rooms): LeftRooms) -> Result<(), Error> {
    diary.lock().push(format!("left {} rooms", rooms.len()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_its_client_goes_is_handled_first_in_the_order_sent() {
    let diary = Log::default();
    let layer = DebounceLayer::new(Duration::from_secs(3600));
    let gateway = Gateway::new()
        .with_state(diary.clone())
        .on("a", note.layer(layer.clone()))
        .on("b", note.layer(layer))
        .on("c", note.layer(DebounceLayer::new(Duration::from_secs(1))))
        .on_disconnect(bye);
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    server.service().join_room(client.handle(), "room").await.expect("joins");
    for (event, number) in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
        client.emit(event, &number);
    }
    sleep(MS).await;
    assert!(diary.lock().is_empty());
    drop(client);
    eventually("it is gone", async || diary.lock().len() == 4).await;
    assert_eq!(*diary.lock(), ["b 2 in 1 rooms", "c 3 in 1 rooms", "a 4 in 1 rooms", "left 1 rooms"]);
    sleep(Duration::from_secs(7200)).await;
    assert_eq!(diary.lock().len(), 4, "nothing is handled twice");
}

#[tokio::test(start_paused = true)]
async fn a_last_word_that_hangs_does_not_keep_its_client_in_its_rooms() {
    let go = Arc::new(Notify::new());
    async fn hang(State(go): State<Arc<Notify>>) -> Result<(), Error> {
        go.notified().await;
        Ok(())
    }
    let gateway =
        Gateway::new().with_state(go.clone()).on("hang", hang.layer(DebounceLayer::new(Duration::from_secs(60))));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    let room = RoomId::new("room").expect("valid");
    server.service().join_room(client.handle(), &room).await.expect("joins");
    client.emit("hang", &());
    sleep(MS).await;
    drop(client);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(server.service().client_count().await.expect("counts"), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(server.service().client_count().await.expect("counts"), 0);
    go.notify_one();
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_where_there_is_no_turn_to_give_up() {
    let diary = Log::default();
    let layer = DebounceLayer::new(Duration::from_secs(3600));
    // Answers at once and hands the event on afterwards.
    let afterwards = layer_fn(|inner: EventService| {
        EventService::new(service_fn(move |event: Event| {
            let inner = inner.clone();
            tokio::spawn(async move {
                sleep(MS).await;
                inner.oneshot(event).await
            });
            std::future::ready(Ok::<_, BoxError>(Payload::encode("soon").expect("encodes")))
        }))
    });
    let gateway = Gateway::new()
        .with_state(diary.clone())
        .on_connect(note.layer(layer.clone()))
        .on("e", note.layer(layer).layer(afterwards));
    let server = server(gateway).await;
    let handshake = roomwire_service::Handshake::new(roomwire_service::ClientId::new("c").expect("valid"));
    let handshake = roomwire_service::Handshake { auth: Payload::encode(&1).expect("encodes"), ..handshake };
    let client = server.connect_with(&roomwire_service::Namespace::root(), handshake).await.expect("connects");
    assert_eq!(client.emit_with_ack::<String>("e", &2).await.expect("acknowledged"), "soon");
    eventually("both are handled", async || diary.lock().len() == 2).await;
    assert_eq!(*diary.lock(), ["connect 1 in 0 rooms", "e 2 in 0 rooms"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_layer_tries_twice_is_handled_and_answered_once() {
    let diary = Log::default();
    let twice = layer_fn(|inner: EventService| {
        EventService::new(service_fn(move |event: Event| {
            let inner = inner.clone();
            async move {
                inner.clone().oneshot(event.clone()).await?;
                inner.oneshot(event).await
            }
        }))
    });
    let layered = note.layer(DebounceLayer::new(WAIT)).layer(twice);
    let server = server(Gateway::new().with_state(diary.clone()).on("e", layered)).await;
    let client = server.connect().await.expect("connects");
    assert_eq!(client.emit_with_ack::<u32>("e", &7).await.expect("acknowledged"), 7);
    assert_eq!(diary.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn layers_that_wait_may_be_around_each_other_and_limits_inside_count_only_what_is_handled() {
    let diary = Log::default();
    let layered = note.layer(RateLimitLayer::per_minute(1)).layer(DebounceLayer::new(WAIT));
    let gateway =
        Gateway::new().with_state(diary.clone()).on("e", layered).layer(DebounceLayer::new(WAIT)).on_disconnect(bye);
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    let began = tokio::time::Instant::now();
    let answers = join_all([0, 1, 2].iter().map(|number| client.emit_with_ack::<u32>("e", number))).await;
    let codes: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.code())).collect();
    assert_eq!(codes, [Err(ErrorCode::Superseded), Err(ErrorCode::Superseded), Ok(2)]);
    assert!((2 * WAIT..2 * WAIT + 10 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
    let limited = client.emit_with_ack::<u32>("e", &4).await.expect_err("the second that is handled");
    assert_eq!(limited.code(), ErrorCode::RateLimited);
    client.emit("e", &5);
    drop(client);
    eventually("it is gone", async || diary.lock().len() == 2).await;
}

/// Of each client: the number handled last, and how many handlers run.
type Seen = Arc<[(AtomicU32, AtomicU32)]>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_thousand_bursts_that_race_with_their_time_the_last_is_always_handled() {
    const CLIENTS: usize = 100;
    const BURSTS: u32 = 100;
    const EACH: u32 = 4;
    async fn see(
        _: WebSocketService,
        State(seen): State<Seen>,
        Data((client, number)): Data<(usize, u32)>,
    ) -> Result<u32, Error> {
        let (last, running) = &seen[client];
        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
        yield_randomly().await;
        let before = last.swap(number, Ordering::SeqCst);
        assert!(before < number, "{number} after {before}");
        running.fetch_sub(1, Ordering::SeqCst);
        Ok(number)
    }
    let seen: Seen = (0..CLIENTS).map(|_| Default::default()).collect();
    let layered = see.layer(DebounceLayer::new(MS));
    let server = server(Gateway::new().with_state(seen.clone()).on("e", layered).on("between", see)).await;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = server.connect().await.expect("connects");
        clients.spawn(async move {
            let mut handled = 0;
            for burst in 0..BURSTS {
                let mut answers = Vec::new();
                for nth in 1..=EACH {
                    let number = (number, burst * EACH + nth);
                    let client = &client;
                    let answer = async move { client.emit_with_ack::<u32>("e", &number).await };
                    let mut answer = Box::pin(maybe_done(answer));
                    // Sent when it is asked for the first time.
                    let _ = poll!(answer.as_mut());
                    answers.push(answer);
                    // Close to the time that it waits, on either side of it.
                    sleep(MS * rand::random_range(0..=4) / 2).await;
                }
                let mut codes = Vec::new();
                for answer in &mut answers {
                    answer.as_mut().await;
                    let answer = answer.as_mut().take_output().expect("done");
                    codes.push(answer.map_err(|error| error.code()));
                }
                assert_eq!(codes[codes.len() - 1], Ok(burst * EACH + EACH), "the last is handled");
                let ok = codes.iter().filter(|code| code.is_ok()).count();
                let superseded = codes.iter().filter(|code| **code == Err(ErrorCode::Superseded)).count();
                assert_eq!(ok + superseded, codes.len(), "{codes:?}");
                handled += ok;
            }
            handled
        });
    }
    let handled: usize = within("all bursts end", clients.join_all()).await.into_iter().sum();
    let (bursts, sent) = (CLIENTS * BURSTS as usize, CLIENTS * (BURSTS * EACH) as usize);
    assert!((bursts + 1..sent).contains(&handled), "some were replaced, some were not: {handled} of {sent}");
}
