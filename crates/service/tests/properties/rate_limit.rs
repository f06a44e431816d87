//! A rate limit of one event: each client for itself, answered in turn.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use roomwire_core::{Namespace, config::Limits};
use roomwire_service::{
    Authenticator, ClientId, ConnectRequest, Data, Error, ErrorCode, EventService, Gateway, Handler, Handshake,
    Identity, Payload, RateLimitLayer, UserId, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryState;
use tokio::{sync::Semaphore, time::advance};
use tower::{ServiceBuilder, ServiceExt, layer::layer_fn, limit::ConcurrencyLimitLayer};

use crate::fixture::{Counters, config, eventually, server, within};

const MS: Duration = Duration::from_millis(1);

type Outcome = Result<u32, (ErrorCode, Option<Duration>)>;

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn ask(client: &TestClient, event: &str, number: u32) -> Outcome {
    client.emit_with_ack(event, &number).await.map_err(|error| (error.code(), error.retry_after()))
}

fn limited(wait: Duration) -> Outcome {
    Err((ErrorCode::RateLimited, Some(wait)))
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_handled_and_more_is_refused_until_the_time_that_was_told() {
    let counters = Counters::default();
    let _counting = counters.count();
    let server = server(Gateway::new().on("e", echo.layer(RateLimitLayer::per_second(10).burst(3)))).await;
    let client = server.connect().await.expect("connects");
    let answers = join_all((0..5).map(|number| ask(&client, "e", number))).await;
    assert_eq!(answers, [Ok(0), Ok(1), Ok(2), limited(100 * MS), limited(100 * MS)]);
    advance(99 * MS).await;
    assert_eq!(ask(&client, "e", 6).await, limited(MS));
    advance(MS).await;
    assert_eq!(ask(&client, "e", 7).await, Ok(7));
    assert_eq!(counters.of("roomwire_limited_total(rateLimitLayer)"), 3);
    assert_eq!(counters.of("roomwire_events_total(RATE_LIMITED)"), 3);
}

#[tokio::test(start_paused = true)]
async fn as_many_as_come_in_the_time_may_come_at_once_unless_a_burst_is_given() {
    let gateway = Gateway::new()
        .on("minute", echo.layer(RateLimitLayer::per_minute(3)))
        .on("none", echo.layer(RateLimitLayer::new(0, Duration::ZERO).burst(0)))
        .on("hour", echo.layer(RateLimitLayer::new(1, Duration::from_secs(3600))));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    let answers = join_all((0..4).map(|number| ask(&client, "minute", number))).await;
    assert_eq!(answers, [Ok(0), Ok(1), Ok(2), limited(20_000 * MS)]);
    assert_eq!(ask(&client, "none", 1).await, Ok(1), "one may always come");
    assert_eq!(ask(&client, "hour", 1).await, Ok(1));
    assert_eq!(ask(&client, "hour", 1).await, limited(3_600_000 * MS));
}

#[tokio::test(start_paused = true)]
async fn each_client_and_each_event_has_its_own_also_where_the_layer_is_the_same() {
    let layer = RateLimitLayer::per_second(1);
    let gateway = Gateway::new().on("a", echo.layer(layer.clone())).on("b", echo.layer(layer));
    let server = server(gateway).await;
    let clients = [server.connect().await.expect("connects"), server.connect().await.expect("connects")];
    for client in &clients {
        for event in ["a", "b"] {
            assert_eq!(ask(client, event, 1).await, Ok(1));
            assert_eq!(ask(client, event, 2).await, limited(1000 * MS));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn around_a_gateway_each_event_is_counted_by_itself_and_names_that_clients_make_up_together() {
    let gateway =
        Gateway::new().on("a", echo).on("b", echo).fallback(echo).layer(RateLimitLayer::per_second(10).burst(2));
    let server = server(gateway).await;
    let client = server.connect().await.expect("connects");
    for event in ["a", "a", "b", "b", "made-up-1", "made-up-2"] {
        assert_eq!(ask(&client, event, 1).await, Ok(1), "{event}");
    }
    for event in ["a", "b", "made-up-1", "made-up-3"] {
        assert_eq!(ask(&client, event, 1).await, limited(100 * MS), "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_acknowledgement_the_refusal_is_sent_as_the_event_error() {
    let server = server(Gateway::new().on("e", echo.layer(RateLimitLayer::per_second(1)))).await;
    let mut client = server.connect().await.expect("connects");
    (0..2).for_each(|number| client.emit("e", &number));
    let told: serde_json::Value = client.expect("error").await;
    let expected = serde_json::json!({"code": "RATE_LIMITED", "message": "Too many events of this name", "retryAfterMs": 1000, "event": "e"});
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_takes_no_place_in_what_is_inside() {
    let go = Arc::new(Semaphore::new(0));
    let waiting = go.clone();
    let after_a_refusal = layer_fn(move |inner: EventService| {
        let go = waiting.clone();
        EventService::new(inner.map_future(move |handled| {
            let go = go.clone();
            async move {
                let answer: Result<Payload, _> = handled.await;
                if answer.is_err() {
                    go.acquire().await.expect("never closed").forget();
                }
                answer
            }
        }))
    });
    let layers = ServiceBuilder::new().layer(RateLimitLayer::per_minute(1)).layer(ConcurrencyLimitLayer::new(1));
    let server = server(Gateway::new().on("e", echo).layer(layers).layer(after_a_refusal)).await;
    let (greedy, other) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    assert_eq!(ask(&greedy, "e", 1).await, Ok(1));
    greedy.emit("e", &2);
    tokio::task::yield_now().await;
    assert_eq!(within("the place is free", ask(&other, "e", 3)).await, Ok(3));
    go.add_permits(1);
}

/// Accepts the user that a client names.
#[derive(Debug)]
struct Believing;

#[async_trait::async_trait]
impl Authenticator for Believing {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        let name: Option<String> = request.auth.decode()?;
        Ok(name.map_or_else(Identity::anonymous, |name| Identity::of(UserId::new(name).expect("valid"))))
    }
}

async fn users() -> TestServer {
    let limits = Limits::default().without_rates();
    let config = roomwire_service::WebSocketConfig { limits, ..config() };
    let builder = WebSocketService::builder(config).state(MemoryState::new()).authenticator(Believing);
    let layered = echo.layer(RateLimitLayer::per_minute(3).per_user());
    TestServer::new(builder.build().await.expect("builds"), Gateway::new().on("e", layered)).expect("mounts")
}

async fn connect(server: &TestServer, id: &str, user: Option<&str>) -> TestClient {
    let auth = Payload::encode(&user).expect("encodes");
    let handshake = Handshake { auth, ..Handshake::new(ClientId::new(id).expect("valid")) };
    server.connect_with(&Namespace::root(), handshake).await.expect("connects")
}

#[tokio::test(start_paused = true)]
async fn all_clients_of_a_user_can_share_one_allowance_and_others_do_not() {
    let server = users().await;
    let (ada, too) = (connect(&server, "1", Some("ada")).await, connect(&server, "2", Some("ada")).await);
    for client in [&ada, &too, &ada] {
        assert_eq!(ask(client, "e", 1).await, Ok(1));
    }
    for client in [&ada, &too] {
        assert_eq!(ask(client, "e", 1).await, limited(20_000 * MS));
    }
    let others = [
        connect(&server, "3", Some("bob")).await,
        connect(&server, "4", None).await,
        connect(&server, "5", None).await,
    ];
    for other in &others {
        for answer in [Ok(1), Ok(1), Ok(1), limited(20_000 * MS)] {
            assert_eq!(ask(other, "e", 1).await, answer);
        }
    }
    drop(ada);
    eventually("ada's first client is gone", async || server.service().client("1").await.is_err()).await;
    let again = connect(&server, "6", Some("ada")).await;
    assert!(ask(&again, "e", 1).await.is_err(), "as long as one of them is here");
}
