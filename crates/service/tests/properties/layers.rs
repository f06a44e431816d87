//! Tower layers around the handling of events.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_service::{Data, Error, ErrorCode, Event, EventService, Gateway, Payload, State};
use tokio::{sync::Notify, task::JoinSet};
use tower::{BoxError, Service, ServiceBuilder, layer::layer_fn, limit::ConcurrencyLimitLayer, timeout::TimeoutLayer};

use crate::fixture::{server, within};

type Handled = Pin<Box<dyn Future<Output = Result<Payload, BoxError>> + Send>>;
type Log = Arc<Mutex<Vec<&'static str>>>;

/// Notes that an event passed, in and out.
#[derive(Clone)]
struct Noting {
    inner: EventService,
    log: Log,
    names: [&'static str; 2],
}

impl Service<Event> for Noting {
    type Response = Payload;
    type Error = BoxError;
    type Future = Handled;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: Event) -> Handled {
        self.log.lock().push(self.names[0]);
        let (handled, log, name) = (self.inner.call(event), self.log.clone(), self.names[1]);
        Box::pin(async move {
            let reply = handled.await;
            log.lock().push(name);
            reply
        })
    }
}

#[tokio::test]
async fn the_layer_that_was_added_last_sees_an_event_first_and_its_answer_last() {
    async fn note(State(log): State<Log>) -> Result<(), Error> {
        log.lock().push("handler");
        Ok(())
    }
    let log = Log::default();
    let noting = |names| {
        let log = log.clone();
        layer_fn(move |inner| Noting { inner, log: log.clone(), names })
    };
    let gateway = Gateway::new().with_state(log.clone()).on("known", note).fallback(note).on_connect(note);
    let server =
        server(gateway.layer(noting(["inner in", "inner out"])).layer(noting(["outer in", "outer out"]))).await;
    let client = server.connect().await.expect("connects");
    for event in ["known", "unknown"] {
        client.emit_with_ack::<()>(event, &()).await.expect("acknowledged");
    }
    let one = ["outer in", "inner in", "handler", "inner out", "outer out"];
    let expected: Vec<_> = ["handler"].into_iter().chain(one).chain(one).collect();
    assert_eq!(*log.lock(), expected, "on_connect passes no layer, the fallback does");
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_tower_becomes_a_timeout_for_the_client() {
    async fn slow(Data(seconds): Data<u64>) -> Result<u64, Error> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }
    let gateway = Gateway::new().on("slow", slow).layer(TimeoutLayer::new(Duration::from_secs(2)));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    assert_eq!(client.emit_with_ack::<u64>("slow", &1).await.expect("in time"), 1);
    let refused = client.emit_with_ack::<u64>("slow", &3).await.expect_err("too late");
    assert_eq!((refused.code(), refused.message()), (ErrorCode::Timeout, "No answer in time"));
    assert_eq!(client.emit_with_ack::<u64>("slow", &1).await.expect("the next one is handled"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_on_concurrency_holds_for_all_clients_together() {
    #[derive(Clone, Default)]
    struct Gauge(Arc<AtomicUsize>, Arc<AtomicUsize>);
    async fn work(State(gauge): State<Gauge>) -> Result<(), Error> {
        let now = gauge.0.fetch_add(1, Ordering::SeqCst) + 1;
        gauge.1.fetch_max(now, Ordering::SeqCst);
        crate::fixture::yield_randomly().await;
        gauge.0.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
    let gauge = Gauge::default();
    let gateway = Gateway::new().with_state(gauge.clone()).on("work", work).layer(ConcurrencyLimitLayer::new(3));
    let server = server(gateway).await;
    let mut clients = JoinSet::new();
    for _ in 0..30 {
        let client = server.connect().await.expect("connects");
        clients.spawn(async move {
            for _ in 0..50 {
                client.emit_with_ack::<()>("work", &()).await.expect("acknowledged");
            }
        });
    }
    within("everybody has a turn", clients.join_all()).await;
    assert_eq!(gauge.1.load(Ordering::SeqCst), 3, "three at a time, and no fewer");
}

#[tokio::test]
async fn a_layer_that_gives_its_place_back_lets_the_next_event_in() {
    async fn wait(State(go): State<Arc<Notify>>) -> Result<(), Error> {
        go.notified().await;
        Ok(())
    }
    let go = Arc::new(Notify::new());
    let limits = ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(1)).into_inner();
    let server = server(Gateway::new().with_state(go.clone()).on("wait", wait).layer(limits)).await;
    let (first, second) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    first.emit("wait", &());
    let waiting = tokio::spawn(async move { second.emit_with_ack::<()>("wait", &()).await });
    go.notify_one();
    go.notify_one();
    tokio::task::yield_now().await;
    go.notify_one();
    within("its turn", waiting).await.expect("no panic").expect("acknowledged");
}

/// Demands what tower's contract says: ready before each call, asked of the clone that is called.
struct Strict {
    inner: EventService,
    asked: usize,
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), asked: 0, ready: false, calls: self.calls.clone() }
    }
}

impl Service<Event> for Strict {
    type Response = Payload;
    type Error = BoxError;
    type Future = Handled;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.asked += 1;
        if self.asked.is_multiple_of(3) {
            self.ready = true;
            return self.inner.poll_ready(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, event: Event) -> Handled {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(self.inner.call(event))
    }
}

#[tokio::test]
async fn a_service_is_called_only_when_it_said_that_it_is_ready() {
    async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
        Ok(number)
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let strict = layer_fn(move |inner| Strict { inner, asked: 0, ready: false, calls: counted.clone() });
    let server = server(Gateway::new().on("echo", echo).layer(strict)).await;
    let client = server.connect().await.expect("connects");
    for number in 0..20 {
        assert_eq!(client.emit_with_ack::<u32>("echo", &number).await.expect("acknowledged"), number);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 20);
}

/// Refuses everything, when called or when asked whether it is ready.
#[derive(Clone)]
struct Refusing<E>(E, bool);

impl<E: Into<BoxError> + Clone> Service<Event> for Refusing<E> {
    type Response = Payload;
    type Error = E;
    type Future = std::future::Ready<Result<Payload, E>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(if self.1 { Err(self.0.clone()) } else { Ok(()) })
    }

    fn call(&mut self, _: Event) -> Self::Future {
        std::future::ready(Err(self.0.clone()))
    }
}

#[tokio::test]
async fn an_error_of_a_layer_reaches_the_client_when_it_is_one_of_ours_and_is_internal_otherwise() {
    async fn never() -> Result<(), Error> {
        panic!("behind a layer that refuses")
    }
    for when_asked in [false, true] {
        let limited = Error::new(ErrorCode::RateLimited).with_retry_after(Duration::from_millis(250));
        let ours = layer_fn(move |_| Refusing(limited.clone(), when_asked));
        let ours = server(Gateway::new().on("e", never).layer(ours)).await;
        let mut client = ours.connect().await.expect("connects");
        client.emit("e", &());
        let told: serde_json::Value = client.expect("error").await;
        assert_eq!(
            told,
            serde_json::json!({"code": "RATE_LIMITED", "message": "Too many requests", "retryAfterMs": 250, "event": "e"})
        );

        let theirs = layer_fn(move |_| Refusing(std::fmt::Error, when_asked));
        let theirs = server(Gateway::new().on("e", never).layer(theirs)).await;
        let client = theirs.connect().await.expect("connects");
        let refused = client.emit_with_ack::<()>("e", &()).await.expect_err("refused");
        assert_eq!((refused.code(), refused.message()), (ErrorCode::Internal, "Something went wrong on the server"));
    }
}
