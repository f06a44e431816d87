//! A client that sends faster than its events are handled is no longer read from, and goes when it sends on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytestring::ByteString;
use parking_lot::Mutex;
use roomwire_core::{ClientId, DisconnectReason, Namespace, Payload};
use roomwire_service::{Data, Dispatcher, Error, Gateway, Handshake, Incoming, Session, State, WebSocketService};
use roomwire_state_memory::MemoryState;
use tokio::{sync::Semaphore, time::sleep};

use crate::fixture::{Counters, Wire, config, eventually, yield_randomly};

const MAILBOX: usize = 16;
/// How many events may come after the client was paused.
const AFTER_PAUSE: usize = 16_384;

/// Handlers that wait for a permit each, and what they saw.
#[derive(Clone)]
struct Work {
    begun: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<u32>>>,
}

async fn work(State(work): State<Work>, Data(number): Data<u32>) -> Result<(), Error> {
    work.begun.fetch_add(1, Ordering::SeqCst);
    work.permits.acquire().await.expect("never closed").forget();
    work.seen.lock().push(number);
    Ok(())
}

struct Bench {
    session: Session,
    wire: Arc<Wire>,
    work: Work,
    service: WebSocketService,
}

async fn bench() -> Bench {
    bench_of(config().limits.byte_burst).await
}

/// Where so many bytes may wait.
async fn bench_of(bytes: u32) -> Bench {
    let mut config = config();
    config.limits.mailbox = MAILBOX;
    config.limits.byte_burst = bytes;
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let wire = Wire::unused();
    let doing = Work { begun: Arc::default(), permits: Arc::new(Semaphore::new(0)), seen: Arc::default() };
    let gateway = Gateway::new().with_state(doing.clone()).on("work", work);
    let dispatcher = Dispatcher::new(service.clone(), gateway).expect("mounts");
    let handshake = Handshake::new(ClientId::new("c").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, wire.clone()).await.expect("admitted");
    Bench { session, wire, work: doing, service }
}

impl Bench {
    fn send(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let payload = Payload::encode(&number).expect("encodes");
            self.session.receive(Incoming { name: ByteString::from_static("work"), payload, ack: None });
        }
    }

    async fn handled(&self, count: usize) {
        eventually("events are handled", async || self.work.seen.lock().len() >= count).await;
    }

    fn assert_no_gap(&self) {
        let seen = self.work.seen.lock();
        assert!(seen.iter().copied().eq(0..seen.len() as u32), "a gap after {} events", seen.len());
    }
}

#[tokio::test]
async fn reading_stops_when_too_many_bytes_wait_however_few_events_they_are() {
    let bench = bench_of(10_000).await;
    let send = |number: u32| {
        let payload = Payload::from_encoded(format!("{number}{}", " ".repeat(3_000)).into(), Vec::new());
        bench.session.receive(Incoming { name: ByteString::from_static("work"), payload, ack: None });
    };
    bench.session.opened();
    send(0);
    eventually("it is being handled", async || bench.work.begun.load(Ordering::SeqCst) == 1).await;
    (1..4).for_each(send);
    assert!(bench.wire.reading().is_empty(), "nine thousand bytes wait");
    send(4);
    assert_eq!(bench.wire.reading(), ["pause"]);
    bench.work.permits.add_permits(2);
    bench.handled(2).await;
    assert_eq!(bench.wire.reading(), ["pause"], "more than half waits");
    bench.work.permits.add_permits(3);
    bench.handled(5).await;
    eventually("it is read again", async || bench.wire.pairs() == 1).await;
    bench.assert_no_gap();
}

#[tokio::test]
async fn reading_stops_at_the_limit_and_goes_on_when_half_is_done() {
    let counters = Counters::default();
    let _counting = counters.count();
    let bench = bench().await;
    bench.session.opened();
    bench.send(0..1);
    eventually("it is being handled and no longer in the mailbox", async || {
        bench.work.begun.load(Ordering::SeqCst) == 1
    })
    .await;
    bench.send(1..MAILBOX as u32);
    assert_eq!(bench.wire.reading().len(), 0, "one place is left");
    bench.send(MAILBOX as u32..MAILBOX as u32 + 5);
    assert_eq!(bench.wire.reading(), ["pause"], "once, however many follow");
    assert_eq!(counters.of("roomwire_limited_total(mailbox)"), 1);
    // 21 events: one in hand, the rest waiting. Half of the limit are 8.
    for (in_hand, told) in [(6, 1), (12, 1), (13, 2)] {
        bench.work.permits.add_permits(in_hand - bench.work.begun.load(Ordering::SeqCst));
        eventually("the next is in hand", async || bench.work.begun.load(Ordering::SeqCst) == in_hand).await;
        assert_eq!(bench.wire.reading().len(), told, "{} are waiting", MAILBOX + 5 - in_hand);
    }
    bench.work.permits.add_permits(1000);
    bench.handled(MAILBOX + 5).await;
    assert_eq!(bench.wire.pairs(), 1);
    bench.assert_no_gap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_pause_has_its_resume_however_events_and_handlers_meet() {
    for round in 0..200 {
        let bench = bench().await;
        bench.work.permits.add_permits(10_000);
        if round % 2 == 0 {
            bench.session.opened();
        }
        for batch in 0..40 {
            bench.send(batch * 10..batch * 10 + 10);
            yield_randomly().await;
        }
        bench.session.opened();
        if round % 3 == 0 {
            bench.session.closed(DisconnectReason::ClientDisconnected);
        }
        bench.handled(400).await;
        bench.assert_no_gap();
        eventually("it is read from again", async || bench.wire.reading().len() % 2 == 0).await;
        bench.wire.pairs();
    }
}

#[tokio::test]
async fn a_paused_client_that_goes_is_resumed_so_that_its_end_can_be_read() {
    let bench = bench().await;
    bench.send(0..100);
    bench.session.closed(DisconnectReason::ClientDisconnected);
    eventually("it is read from again", async || bench.wire.reading().len() == 2).await;
    assert_eq!(bench.wire.pairs(), 1);
}

#[tokio::test]
async fn a_client_beyond_every_bound_is_disconnected_and_nothing_after_the_gap_is_handled() {
    for opened in [true, false] {
        let bench = bench().await;
        if opened {
            bench.session.opened();
        }
        let most = (MAILBOX + AFTER_PAUSE) as u32;
        bench.send(0..most + 100);
        assert_eq!(bench.wire.disconnects(), [DisconnectReason::MailboxOverflow], "told once");
        // The connection lingers, and its client sends on while the mailbox runs empty.
        bench.session.opened();
        bench.work.permits.add_permits(1_000_000);
        bench.handled(most as usize - 1).await;
        bench.send(most + 100..most + 200);
        bench.session.closed(DisconnectReason::ConnectionLost);
        eventually("it is gone", async || bench.service.client_count().await.expect("answers") == 0).await;
        bench.assert_no_gap();
        assert!(bench.work.seen.lock().len() <= most as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_client_that_is_behind_nothing_is_handled_before_it_has_caught_up() {
    let bench = bench().await;
    bench.session.opened();
    bench.work.permits.add_permits(1_000_000);
    bench.wire.set_behind(true);
    bench.send(0..10);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.work.begun.load(Ordering::SeqCst), 0);
    bench.wire.set_behind(false);
    bench.handled(10).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_client_that_is_behind_when_its_access_is_taken_back_nothing_is_handled_any_more() {
    let bench = bench().await;
    bench.session.opened();
    bench.work.permits.add_permits(1_000_000);
    sleep(Duration::from_secs(1)).await;
    bench.wire.set_behind(true);
    bench.send(0..10);
    sleep(Duration::from_secs(1)).await;
    bench.session.closed(DisconnectReason::AccessRevoked);
    eventually("it is gone", async || bench.service.client_count().await.expect("answers") == 0).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.work.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn one_client_that_floods_costs_another_none_of_its_events() {
    async fn count(State(count): State<Arc<AtomicUsize>>) -> Result<usize, Error> {
        Ok(count.fetch_add(1, Ordering::SeqCst))
    }
    async fn hang() -> Result<(), Error> {
        std::future::pending().await
    }
    let server = crate::fixture::server(
        Gateway::new().with_state(Arc::new(AtomicUsize::new(0))).on("count", count).on("hang", hang),
    )
    .await;
    let (flooding, polite) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    for number in 0..200 {
        (0..1000).for_each(|_| flooding.emit("hang", &()));
        assert_eq!(polite.emit_with_ack::<usize>("count", &()).await.expect("answers"), number);
    }
    eventually("the flood ends", async || !flooding.handle().is_connected()).await;
}
