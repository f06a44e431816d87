//! Events of one client are handled one at a time, in the order sent; clients do not wait for each other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytestring::ByteString;
use parking_lot::Mutex;
use roomwire_core::{ClientId, DisconnectReason, Namespace, Payload};
use roomwire_service::{
    Client, Data, Dispatcher, Error, EventName, Gateway, Handshake, Incoming, State, WebSocketService,
};
use roomwire_state_memory::MemoryState;
use tokio::sync::Barrier;

use crate::fixture::{Ledger, Wire, config, eventually, server, within, yield_randomly};

/// What a client's handlers saw, and whether two of them ran at one time.
#[derive(Clone, Debug, Default)]
struct Trace {
    seen: Arc<Mutex<Vec<u32>>>,
    busy: Arc<AtomicBool>,
}

impl Trace {
    fn enter(&self, number: u32) {
        assert!(!self.busy.swap(true, Ordering::SeqCst), "two events of one client are handled at one time");
        self.seen.lock().push(number);
    }

    fn exit(&self) {
        assert!(self.busy.swap(false, Ordering::SeqCst), "two events of one client are handled at one time");
    }

    async fn assert_in_order(&self, count: u32) {
        eventually("all events are handled", async || self.seen.lock().len() >= count as usize).await;
        let seen = self.seen.lock();
        assert!(seen.iter().copied().eq(0..count), "{} of {count}, or not in order", seen.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_thousand_events_of_one_client_are_handled_one_at_a_time_in_order() {
    async fn handle(State(trace): State<Trace>, Data(number): Data<u32>) -> Result<(), Error> {
        trace.enter(number);
        trace.exit();
        Ok(())
    }
    let trace = Trace::default();
    let server = server(Gateway::new().with_state(trace.clone()).on("count", handle)).await;
    let client = server.connect().await.expect("connects");
    (0..20_000).for_each(|number: u32| client.emit("count", &number));
    trace.assert_in_order(20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handlers_that_wait_do_not_change_the_order() {
    async fn handle(State(trace): State<Trace>, Data(number): Data<u32>) -> Result<(), Error> {
        trace.enter(number);
        yield_randomly().await;
        trace.exit();
        Ok(())
    }
    let trace = Trace::default();
    let server = server(Gateway::new().with_state(trace.clone()).on("count", handle)).await;
    let client = server.connect().await.expect("connects");
    for number in 0..20_000_u32 {
        client.emit("count", &number);
        if number % 256 == 0 {
            // The mailbox runs empty now and then, and a new worker begins.
            yield_randomly().await;
        }
    }
    trace.assert_in_order(20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_of_different_clients_are_handled_at_the_same_time() {
    async fn meet(State(barrier): State<Arc<Barrier>>) -> Result<(), Error> {
        barrier.wait().await;
        Ok(())
    }
    let server = server(Gateway::new().with_state(Arc::new(Barrier::new(50))).on("meet", meet)).await;
    let mut meetings = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let client = server.connect().await.expect("connects");
        meetings.spawn(async move { client.emit_with_ack::<()>("meet", &()).await });
    }
    within("all 50 handlers meet", async {
        while let Some(met) = meetings.join_next().await {
            met.expect("no panic").expect("acknowledged");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_hangs_keeps_no_other_client_waiting() {
    async fn hang() -> Result<(), Error> {
        std::future::pending().await
    }
    async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
        Ok(number)
    }
    let server = server(Gateway::new().on("hang", hang).on("echo", echo)).await;
    let (stuck, free) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    stuck.emit("hang", &());
    assert_eq!(free.emit_with_ack::<u32>("echo", &7).await.expect("answers"), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_connect_ends_before_the_first_event_of_500_clients_that_emit_at_once() {
    #[derive(Clone, Default)]
    struct Ready(Arc<Mutex<Vec<ClientId>>>, Arc<AtomicUsize>);
    async fn connected(State(ready): State<Ready>, client: Client) -> Result<(), Error> {
        yield_randomly().await;
        ready.0.lock().push(client.id().clone());
        Ok(())
    }
    async fn first(State(ready): State<Ready>, client: Client) -> Result<bool, Error> {
        ready.1.fetch_add(1, Ordering::SeqCst);
        Ok(ready.0.lock().contains(client.id()))
    }
    let ready = Ready::default();
    let gateway = Gateway::new().with_state(ready.clone()).on_connect(connected).on("first", first);
    let server = server(gateway).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let server = server.clone();
        clients.spawn(async move {
            let client = server.connect().await.expect("connects");
            client.emit_with_ack::<bool>("first", &()).await.expect("acknowledged")
        });
    }
    while let Some(was_ready) = clients.join_next().await {
        assert!(was_ready.expect("no panic"), "an event was handled before on_connect had ended");
    }
    assert_eq!(ready.1.load(Ordering::SeqCst), 500, "no first event is lost");
}

/// A session that no server of the testing module drives, and what its handlers saw.
async fn session() -> (Dispatcher, Arc<Mutex<Vec<String>>>) {
    type Log = Arc<Mutex<Vec<String>>>;
    async fn log(State(log): State<Log>, name: EventName) -> Result<(), Error> {
        yield_randomly().await;
        log.lock().push(name.to_string());
        Ok(())
    }
    let seen = Log::default();
    let gateway = Gateway::new().with_state(seen.clone()).on_connect(log).on_disconnect(log).fallback(log);
    let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
    (Dispatcher::new(service, gateway).expect("mounts"), seen)
}

fn incoming(name: &str) -> Incoming {
    Incoming { name: ByteString::from(name), payload: Payload::default(), ack: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_between_admission_and_opening_is_handled_after_on_connect() {
    for _ in 0..200 {
        let (dispatcher, seen) = session().await;
        let handshake = Handshake::new(ClientId::new("c").expect("valid"));
        let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
        session.receive(incoming("first"));
        session.receive(incoming("second"));
        yield_randomly().await;
        session.opened();
        session.receive(incoming("third"));
        eventually("all is handled", async || seen.lock().len() >= 4).await;
        assert_eq!(*seen.lock(), ["connect", "first", "second", "third"]);
    }
}

#[tokio::test]
async fn a_session_that_is_closed_before_it_is_opened_stays_closed() {
    let (dispatcher, seen) = session().await;
    let ledger = Ledger::of([dispatcher.service().clone()]);
    let handshake = Handshake::new(ClientId::new("c").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
    session.receive(incoming("early"));
    session.closed(DisconnectReason::ConnectionLost);
    session.opened();
    session.receive(incoming("late"));
    eventually("the client is gone", async || dispatcher.service().client_count().await.expect("answers") == 0).await;
    assert!(!session.client().is_connected());
    assert_eq!(dispatcher.service().local_client_count(), 0);
    assert_eq!(*seen.lock(), Vec::<String>::new(), "a client that never took part does nothing");
    assert_eq!(ledger.events(), [], "and nobody hears of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_sent_before_a_disconnect_is_handled_before_on_disconnect() {
    for _ in 0..200 {
        let (dispatcher, seen) = session().await;
        let handshake = Handshake::new(ClientId::new("c").expect("valid"));
        let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
        session.opened();
        ["first", "second"].into_iter().for_each(|name| session.receive(incoming(name)));
        session.closed(DisconnectReason::ClientDisconnected);
        session.receive(incoming("too late"));
        eventually("all is handled", async || seen.lock().len() >= 4).await;
        assert_eq!(*seen.lock(), ["connect", "first", "second", "disconnect"]);
    }
}
