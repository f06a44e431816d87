//! A panic answers its client with `INTERNAL` and harms no other.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use roomwire_service::{
    Client, Data, DisconnectReason, Error, ErrorCode, Event, EventService, FromEvent, Gateway, State, WebSocketService,
    testing::TestServer,
};
use serde_json::Value;
use tower::{BoxError, Service, layer::layer_fn};

use crate::fixture::{Ledger, eventually, server, within, yield_randomly};

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn join(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "r").await
}

/// Panics before there is a future at all.
fn at_once() -> std::future::Ready<Result<(), Error>> {
    panic!("before the first await")
}

async fn before_waiting() -> Result<(), Error> {
    panic!("in the first poll")
}

async fn after_waiting() -> Result<(), Error> {
    yield_randomly().await;
    tokio::task::yield_now().await;
    panic!("after an await: {}", 7)
}

async fn with_something_odd() -> Result<(), Error> {
    std::panic::panic_any(7_u8)
}

struct Extracted;

impl FromEvent for Extracted {
    async fn from_event(_: &Event) -> Result<Self, Error> {
        tokio::task::yield_now().await;
        panic!("in an extractor")
    }
}

async fn extracting(_: Extracted) -> Result<(), Error> {
    Ok(())
}

/// Everything that must still hold after the client's event `event` panicked.
async fn assert_contained(server: &TestServer, event: &str) {
    let ledger = Ledger::of([server.service().clone()]);
    let mut client = server.connect().await.expect("connects");
    client.emit_with_ack::<()>("join", &()).await.expect("joins");

    let refused = client.emit_with_ack::<()>(event, &()).await.expect_err("it panicked");
    assert_eq!((refused.code(), refused.message()), (ErrorCode::Internal, "Something went wrong on the server"));
    client.emit(event, &());
    let told: Value = client.expect("error").await;
    assert_eq!(told["code"], "INTERNAL");
    assert_eq!(client.emit_with_ack::<u32>("echo", &5).await.expect("later events are handled"), 5);
    let other = server.connect().await.expect("others connect");
    assert_eq!(other.emit_with_ack::<u32>("echo", &6).await.expect("others are served"), 6);

    client.emit(event, &());
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(ledger.assert_all_left().await, 1, "it left its room once");
    assert_eq!(server.service().member_count("r").await.expect("answers"), 0);
}

#[tokio::test]
async fn a_panic_in_a_handler_or_an_extractor_is_contained() {
    let gateway = Gateway::new().on("echo", echo).on("join", join).on("at-once", at_once);
    let gateway = gateway.on("before", before_waiting).on("after", after_waiting).on("odd", with_something_odd);
    let server = server(gateway.on("extracting", extracting)).await;
    for event in ["at-once", "before", "after", "odd", "extracting"] {
        assert_contained(&server, event).await;
    }
}

#[tokio::test]
async fn a_panic_in_the_fallback_is_contained() {
    let server = server(Gateway::new().on("echo", echo).on("join", join).fallback(at_once)).await;
    assert_contained(&server, "whatever").await;
}

/// Panics for the event of this name: when asked whether it is ready, when called, or later.
#[derive(Clone)]
struct Fragile {
    inner: EventService,
    ready_panics: Arc<AtomicUsize>,
}

impl Service<Event> for Fragile {
    type Response = roomwire_service::Payload;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let left = self.ready_panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "in poll_ready");
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: Event) -> Self::Future {
        assert_ne!(event.name().as_str(), "call", "in a layer's call");
        let later = event.name().as_str() == "later";
        let handled = self.inner.call(event);
        Box::pin(async move {
            let reply = handled.await;
            assert!(!later, "in a layer, after the handler");
            reply
        })
    }
}

#[tokio::test]
async fn a_panic_in_a_layer_is_contained() {
    async fn fine() -> Result<(), Error> {
        Ok(())
    }
    let ready_panics = Arc::new(AtomicUsize::new(0));
    let shared = ready_panics.clone();
    let fragile = layer_fn(move |inner| Fragile { inner, ready_panics: shared.clone() });
    let gateway = Gateway::new().on("echo", echo).on("join", join).on("call", fine).on("later", fine).on("ready", fine);
    let server = server(gateway.layer(fragile)).await;
    for event in ["call", "later"] {
        assert_contained(&server, event).await;
    }
    let client = server.connect().await.expect("connects");
    ready_panics.store(1, Ordering::SeqCst);
    let refused = client.emit_with_ack::<()>("ready", &()).await.expect_err("it panicked");
    assert_eq!(refused.code(), ErrorCode::Internal);
    client.emit_with_ack::<()>("ready", &()).await.expect("the next one is handled");
}

#[tokio::test]
async fn a_panic_in_on_connect_disconnects_the_client_after_telling_it() {
    let ledger_of = |server: &TestServer| Ledger::of([server.service().clone()]);
    for handler in [true, false] {
        let gateway = Gateway::new().on("echo", echo);
        let gateway = if handler { gateway.on_connect(after_waiting) } else { gateway.on_connect(at_once) };
        let server = server(gateway).await;
        let ledger = ledger_of(&server);
        let mut client = server.connect().await.expect("connects");
        client.emit("echo", &1);
        let told: Value = client.expect("error").await;
        assert_eq!(told["code"], "INTERNAL");
        assert!(within("the end", client.next()).await.is_none());
        ledger.gone(1).await;
        assert_eq!(ledger.disconnected()[0].1, DisconnectReason::DisconnectedByServer);
        assert_eq!(server.service().client_count().await.expect("answers"), 0);
    }
}

#[tokio::test]
async fn a_panic_in_on_disconnect_affects_no_other_client_and_delays_no_shutdown() {
    async fn gone(State(runs): State<Arc<AtomicUsize>>) -> Result<(), Error> {
        runs.fetch_add(1, Ordering::SeqCst);
        panic!("in on_disconnect")
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let server =
        server(Gateway::new().with_state(runs.clone()).on("echo", echo).on("join", join).on_disconnect(gone)).await;
    let ledger = Ledger::of([server.service().clone()]);
    for _ in 0..10 {
        let client = server.connect().await.expect("connects");
        client.emit_with_ack::<()>("join", &()).await.expect("joins");
    }
    ledger.gone(10).await;
    eventually("all have run", async || runs.load(Ordering::SeqCst) == 10).await;
    assert_eq!(ledger.assert_all_left().await, 10);
    assert_eq!(server.service().shutdown().await, 0, "nobody is waited for");
}
