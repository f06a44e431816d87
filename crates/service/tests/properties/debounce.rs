//! Of a burst of one event of one client only the last is handled, in its turn.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use roomwire_service::{
    Client, Data, DebounceLayer, Error, ErrorCode, EventName, Gateway, Handler, State, testing::TestClient,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::fixture::{Counters, server};

const MS: Duration = Duration::from_millis(1);
const WAIT: Duration = Duration::from_millis(200);

/// What was handled: of which client, which event, with what, and when.
#[derive(Clone, Debug)]
struct Log(Instant, Arc<Mutex<Vec<Entry>>>);

type Entry = (String, String, u32, Duration);

impl Log {
    fn new() -> Self {
        Self(Instant::now(), Arc::default())
    }

    fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.1.lock())
    }

    /// The numbers alone.
    fn numbers(&self) -> Vec<u32> {
        self.take().into_iter().map(|(_, _, number, _)| number).collect()
    }
}

async fn note(
    State(diary): State<Log>,
    client: Client,
    name: EventName,
    Data(number): Data<u32>,
) -> Result<u32, Error> {
    diary.1.lock().push((client.id().to_string(), name.to_string(), number, diary.0.elapsed()));
    Ok(number)
}

async fn ask(client: &TestClient, event: &str, number: u32) -> Result<u32, ErrorCode> {
    client.emit_with_ack(event, &number).await.map_err(|error| error.code())
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_burst_is_handled_when_nothing_has_come_for_the_time_to_wait() {
    let diary = Log::new();
    let gateway = Gateway::new().with_state(diary.clone()).on("e", note.layer(DebounceLayer::new(WAIT)));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    for number in 0..10 {
        client.emit("e", &number);
        sleep(150 * MS).await;
    }
    assert_eq!(diary.numbers(), [0; 0], "each came before the time of the one before");
    sleep(1000 * MS).await;
    let id = client.id().to_string();
    let handled = diary.take();
    assert_eq!(handled.len(), 1, "{handled:?}");
    assert_eq!((&handled[0].0, handled[0].2), (&id, 9));
    assert!((1550 * MS..1560 * MS).contains(&handled[0].3), "{handled:?}");
    client.emit("e", &10);
    sleep(WAIT + MS).await;
    assert_eq!(diary.numbers(), [10], "a burst of one");
}

#[tokio::test(start_paused = true)]
async fn neither_another_client_nor_another_event_takes_its_place() {
    let diary = Log::new();
    let layer = DebounceLayer::new(WAIT);
    let gateway = Gateway::new()
        .with_state(diary.clone())
        .on("a", note.layer(layer.clone()))
        .on("b", note.layer(layer.clone()))
        .fallback(note.layer(layer));
    let server = server(gateway).await;
    let clients = [server.connect().await.expect("connects"), server.connect().await.expect("connects")];
    for number in 0..3 {
        for client in &clients {
            ["a", "b", "made-up-1", "made-up-2"].iter().for_each(|event| client.emit(event, &number));
        }
    }
    sleep(2 * WAIT).await;
    let handled = diary.take();
    assert_eq!(handled.len(), 8, "{handled:?}");
    assert!(handled.iter().all(|(_, _, number, _)| *number == 2), "{handled:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replaced_event_is_answered_at_once_and_the_last_one_after_it_was_handled() {
    let counters = Counters::default();
    let _counting = counters.count();
    let diary = Log::new();
    let gateway = Gateway::new().with_state(diary.clone()).on("e", note.layer(DebounceLayer::new(WAIT)));
    let server = server(gateway).await;
    let mut client = server.connect().await.expect("connects");
    let answers = join_all((0..4).map(|number| {
        let (client, diary) = (&client, &diary);
        async move { (ask(client, "e", number).await, diary.0.elapsed() >= WAIT) }
    }));
    let superseded = (Err(ErrorCode::Superseded), false);
    assert_eq!(answers.await, [superseded, superseded, superseded, (Ok(3), true)]);
    assert_eq!(counters.of("roomwire_events_total(SUPERSEDED)"), 3);
    assert_eq!(counters.of("roomwire_events_total(OK)"), 1, "each is counted once");

    (0..4).for_each(|number| client.emit("e", &number));
    sleep(2 * WAIT).await;
    assert_eq!(diary.numbers(), [3, 3]);
    assert!(client.drain().is_empty(), "nobody who did not ask is told");
    assert!(!ErrorCode::Superseded.is_retryable(), "sent again it would win over what came after it");
}

#[tokio::test(start_paused = true)]
async fn however_long_a_burst_is_its_newest_is_handled_within_the_longest_time() {
    let diary = Log::new();
    let layer = DebounceLayer::new(WAIT).max_wait(1000 * MS);
    let server = server(Gateway::new().with_state(diary.clone()).on("e", note.layer(layer))).await;
    let client = server.connect().await.expect("connects");
    let began = diary.0.elapsed();
    for number in 0..30 {
        client.emit("e", &number);
        sleep(100 * MS).await;
    }
    sleep(1000 * MS).await;
    let handled: Vec<_> = diary.take().into_iter().map(|(_, _, number, when)| (number, when - began)).collect();
    assert_eq!(handled.len(), 3, "{handled:?}");
    for ((number, when), expected) in handled.into_iter().zip([9, 20, 29]) {
        assert!(number.abs_diff(expected) <= 1, "{number} at {when:?}");
        assert!(when.as_millis() as u32 - number * 100 <= 210, "{number} at {when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waited_takes_its_turn_behind_what_came_before_its_time() {
    async fn stuck(
        State(diary): State<Log>,
        State(go): State<Arc<Semaphore>>,
        Data(number): Data<u32>,
    ) -> Result<(), Error> {
        go.acquire().await.expect("never closed").forget();
        diary.1.lock().push((String::new(), String::new(), number, Duration::ZERO));
        Ok(())
    }
    let (diary, go) = (Log::new(), Arc::new(Semaphore::new(0)));
    let gateway = Gateway::new()
        .with_state(diary.clone())
        .with_state(go.clone())
        .on("late", note.layer(DebounceLayer::new(WAIT)))
        .on("next", note)
        .on("stuck", stuck);
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    client.emit("late", &100);
    client.emit("next", &1);
    client.emit("stuck", &2);
    client.emit("next", &3);
    sleep(WAIT + MS).await;
    assert_eq!(diary.numbers(), [1], "what waits is in nobody's way");
    client.emit("next", &4);
    sleep(WAIT).await;
    assert_eq!(diary.numbers(), [0; 0], "one at a time, also when its time has come");
    go.add_permits(1);
    sleep(MS).await;
    assert_eq!(diary.numbers(), [2, 3, 100, 4]);

    client.emit("late", &100);
    client.emit("stuck", &5);
    sleep(WAIT / 2).await;
    client.emit("late", &101);
    sleep(WAIT).await;
    go.add_permits(1);
    sleep(MS).await;
    assert_eq!(diary.numbers(), [5], "101 was before it in the mailbox, and begins its time when it has its turn");
    sleep(WAIT).await;
    assert_eq!(diary.numbers(), [101]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_has_one_timer_and_it_ends_with_the_client() {
    let diary = Log::new();
    let gateway = Gateway::new()
        .with_state(diary.clone())
        .on("e", note.layer(DebounceLayer::new(Duration::from_secs(3600))))
        .on("now", note);
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    ask(&client, "now", 0).await.expect("handled");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for number in 0..1000 {
        client.emit("e", &number);
    }
    ask(&client, "now", 0).await.expect("handled");
    sleep(MS).await;
    assert_eq!(tasks(), before + 1);
    diary.take();
    drop(client);
    sleep(Duration::from_secs(10)).await;
    assert!(tasks() <= before, "the timer is gone");
    assert_eq!(diary.numbers(), [999], "what waited was handled first");
}

#[tokio::test(start_paused = true)]
async fn more_names_than_may_wait_are_handled_at_once() {
    let diary = Log::new();
    let gateway = Gateway::new().with_state(diary.clone()).fallback(note.layer(DebounceLayer::new(WAIT)));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    (0..100).for_each(|number| client.emit(&format!("made-up-{number}"), &number));
    sleep(MS).await;
    assert_eq!(diary.numbers(), (64..100).collect::<Vec<_>>());
    sleep(WAIT).await;
    let mut handled = diary.numbers();
    handled.sort_unstable();
    assert_eq!(handled, (0..64).collect::<Vec<_>>());
}
