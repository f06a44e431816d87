//! Tower layers around one handler.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_service::{
    Client, Data, DebounceLayer, Error, ErrorCode, Event, EventService, Gateway, Handler, RateLimitLayer, State,
};
use tower::{
    BoxError, ServiceBuilder, ServiceExt, layer::layer_fn, limit::ConcurrencyLimitLayer, timeout::TimeoutLayer,
};

use crate::fixture::server;

type Log = Arc<Mutex<Vec<&'static str>>>;

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

/// Notes that an event passed.
fn noting(log: &Log, name: &'static str) -> impl tower::Layer<EventService, Service = EventService> + Clone + use<> {
    let log = log.clone();
    layer_fn(move |inner: EventService| {
        let log = log.clone();
        EventService::new(inner.map_request(move |event: Event| {
            log.lock().push(name);
            event
        }))
    })
}

#[tokio::test]
async fn a_layer_is_around_its_handler_alone_and_inside_of_those_of_the_gateway() {
    let log = Log::default();
    let layered = echo.layer(noting(&log, "inner")).layer(noting(&log, "outer"));
    let gateway = Gateway::new().on("layered", layered).on("plain", echo).layer(noting(&log, "gateway"));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    for (event, passed) in [("layered", &["gateway", "outer", "inner"][..]), ("plain", &["gateway"])] {
        assert_eq!(client.emit_with_ack::<u32>(event, &7).await.expect("acknowledged"), 7);
        assert_eq!(std::mem::take(&mut *log.lock()), passed, "{event}");
    }
}

#[tokio::test]
async fn every_kind_of_handler_can_have_layers() {
    async fn welcome(client: Client) -> Result<(), Error> {
        assert!(!client.id().is_empty());
        Ok(())
    }
    let log = Log::default();
    let gateway = Gateway::new()
        .on_connect(welcome.layer(noting(&log, "connect")))
        .on_disconnect(welcome.layer(noting(&log, "disconnect")))
        .fallback(echo.layer(noting(&log, "fallback")))
        .on("closure", (|| async { Ok::<_, Error>(1) }).layer(noting(&log, "closure")));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    client.emit_with_ack::<u32>("anything", &1).await.expect("acknowledged");
    client.emit_with_ack::<u32>("closure", &1).await.expect("acknowledged");
    drop(client);
    crate::fixture::eventually("it is gone", async || log.lock().len() == 4).await;
    assert_eq!(*log.lock(), ["connect", "fallback", "closure", "disconnect"]);
}

#[tokio::test(start_paused = true)]
async fn several_layers_can_be_one_and_those_of_tower_keep_what_they_know_between_events() {
    async fn slow(Data(seconds): Data<u64>) -> Result<u64, Error> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }
    let layers = ServiceBuilder::new()
        .layer(RateLimitLayer::per_second(2))
        .layer(DebounceLayer::new(Duration::from_millis(100)))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(TimeoutLayer::new(Duration::from_secs(2)))
        .map_err(|error: BoxError| error);
    let server = server(Gateway::new().on("slow", slow.layer(layers))).await;
    let (client, other) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    let began = tokio::time::Instant::now();
    let both = tokio::join!(client.emit_with_ack::<u64>("slow", &1), other.emit_with_ack::<u64>("slow", &1));
    assert_eq!((both.0.expect("acknowledged"), both.1.expect("acknowledged")), (1, 1));
    assert_eq!(began.elapsed().as_millis() / 100, 21, "one at a time, after they had waited at one time");
    let late = client.emit_with_ack::<u64>("slow", &3).await.expect_err("too late");
    assert_eq!(late.code(), ErrorCode::Timeout);
}

#[tokio::test]
async fn what_a_handler_needs_is_asked_for_through_its_layers() {
    async fn count(State(_): State<u8>) -> Result<(), Error> {
        Ok(())
    }
    let service = server(Gateway::new()).await.service().clone();
    let layered = count.layer(RateLimitLayer::per_second(1)).layer(RateLimitLayer::per_second(1));
    let error = roomwire_service::Dispatcher::new(service, Gateway::new().on("count", layered)).expect_err("refused");
    assert!(error.to_string().contains("`count` wants State<u8>"), "{error}");
}

#[tokio::test]
async fn a_layered_handler_that_panics_costs_its_client_an_answer_and_no_more() {
    async fn fragile(Data(number): Data<u32>) -> Result<u32, Error> {
        assert_ne!(number, 13, "bad luck");
        Ok(number)
    }
    for wait in [None, Some(Duration::ZERO)] {
        let layered = fragile.layer(RateLimitLayer::per_second(100));
        let gateway = match wait {
            Some(wait) => Gateway::new().on("e", layered.layer(DebounceLayer::new(wait))),
            None => Gateway::new().on("e", layered),
        };
        let server = server(gateway).await;
        let client = server.connect().await.expect("connects");
        let failed = client.emit_with_ack::<u32>("e", &13).await.expect_err("panics");
        assert_eq!(failed.code(), ErrorCode::Internal);
        assert_eq!(client.emit_with_ack::<u32>("e", &1).await.expect("acknowledged"), 1);
    }
}
