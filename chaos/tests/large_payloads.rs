//! Payloads as large as Redis passes on, and larger ones, between nodes of this process.

use std::time::Duration;

use roomwire_chaos::{Fault, Lines, Proxy};
use roomwire_core::{Backplane, BackplaneEvent, Channel, Incarnation, Namespace, NodeId};
use roomwire_service::{
    Error, ErrorCode, Gateway, ServiceEvent, ServiceEvents, WebSocketConfig, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tokio::time::{Instant, sleep, timeout};

/// How long a large message may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn config(payload: usize) -> WebSocketConfig {
    let mut config = WebSocketConfig::default();
    config.limits.payload = payload;
    config.state.timeout = PATIENCE;
    config
}

async fn service(redis: RedisConfig, payload: usize) -> Result<WebSocketService, Error> {
    let state = RedisState::connect(&redis.timeout(PATIENCE).payload(payload)).await.expect("connects");
    WebSocketService::builder(config(payload)).state(state).build().await
}

/// The largest `limits.payload` with which a service starts, as the refusal of a larger one says.
async fn largest(server: &RedisServer) -> usize {
    let refused = service(RedisConfig::new(server.url()), 64 << 20).await.expect_err("is too large for Redis");
    let text = format!("{refused:?}");
    println!("{text}");
    for words in ["service cannot start", "limits.payload is 67108864", "client-output-buffer-limit pubsub"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let number = text.split("set limits.payload to ").nth(1).and_then(|rest| rest.split(' ').next());
    let number = number.and_then(|number| number.parse().ok()).expect("says how large it may be");
    let one_more = service(RedisConfig::new(server.url()), number + 1).await;
    assert!(one_more.is_err(), "one byte more is refused");
    number
}

/// A text that is this many bytes as JSON.
fn text(bytes: usize) -> String {
    "x".repeat(bytes - 2)
}

/// The bytes of the next event of this name, with its payload.
async fn next(client: &mut TestClient, name: &str) -> usize {
    let received = timeout(PATIENCE, async {
        loop {
            let received = client.next().await.expect("stays connected");
            if &*received.name == name {
                return received.payload.size();
            }
        }
    });
    received.await.unwrap_or_else(|_| panic!("{name} does not arrive"))
}

async fn subscribers(server: &RedisServer) -> Vec<String> {
    let list: String = server.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    let mut ids: Vec<_> = list.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    ids.sort_unstable();
    ids
}

fn gaps(events: &mut ServiceEvents) -> usize {
    let mut gaps = 0;
    while let Some(Some(event)) = futures_util::FutureExt::now_or_never(events.next()) {
        gaps += usize::from(matches!(event, ServiceEvent::BackplaneGap | ServiceEvent::BackplaneInterrupted));
    }
    gaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_at_the_limit_arrives_on_the_other_node_and_one_byte_more_is_refused_and_cuts_nothing() {
    for hard in ["32mb", "10000000", "4mb"] {
        let server = RedisServer::start().await;
        server.set("client-output-buffer-limit", &format!("pubsub {hard} 1mb 60")).await;
        let most = largest(&server).await;
        let node = async || {
            let service = service(RedisConfig::new(server.url()), most).await.expect("starts at the limit");
            TestServer::new(service, Gateway::new()).expect("mounts")
        };
        let (here, there) = (node().await, node().await);
        let (mut near, mut far) = (here.connect().await.expect("connects"), there.connect().await.expect("connects"));
        for (server, client) in [(&here, &near), (&there, &far)] {
            server.service().join_room(client.handle(), "r").await.expect("joins");
        }
        let (mut events, mut other_events) = (here.service().events(), there.service().events());
        let before = subscribers(&server).await;
        assert_eq!(before.len(), 2);

        let service = here.service();
        for round in 0..3 {
            service.broadcast_to_room("r", "at-limit", &text(most)).await.expect("is sent");
            let sent = Instant::now();
            assert_eq!(next(&mut far, "at-limit").await, most, "round {round}");
            println!("arrived {:.2?} after it was sent", sent.elapsed());
            assert_eq!(next(&mut near, "at-limit").await, most);
        }
        let beyond = text(most + 1);
        let user = roomwire_service::UserId::new("ada").expect("valid");
        let refused = [
            service.broadcast_to_room("r", "beyond", &beyond).await,
            service.broadcast("beyond", &beyond).await,
            service.send_to_client(far.id(), "beyond", &beyond).await,
            service.send_to_user(&user, "beyond", &beyond).await,
            service.send_to_client_with_ack::<()>(far.id(), "beyond", &beyond, PATIENCE).await,
            service.broadcast_to_room_with_ack::<()>("r", "beyond", &beyond, PATIENCE).await.map(drop),
        ];
        for refused in refused {
            let error = refused.expect_err("is too large");
            assert_eq!(error.code(), ErrorCode::PayloadTooLarge);
            assert!(error.message().contains(&format!("{} bytes is too large", most + 1)), "{error}");
        }
        service.send_to_client(near.id(), "local", &beyond).await.expect("needs no other node");
        service.broadcast_to_room("r", "after", &1).await.expect("is sent");
        for client in [&mut near, &mut far] {
            let names: Vec<_> = std::iter::once(next(client, "after").await).collect();
            assert_eq!(names, [1], "and nothing else came before it");
        }
        sleep(Duration::from_millis(300)).await;
        assert_eq!(subscribers(&server).await, before, "no subscription was cut");
        assert_eq!((gaps(&mut events), gaps(&mut other_events)), (0, 0));
        println!("{hard}: {most} bytes arrive");
    }
}

/// A server that is busy sending answers no ping meanwhile, and is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_takes_longer_on_the_line_than_a_ping_may_arrives_without_a_gap() {
    let server = RedisServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let most = largest(&server).await;
    let sender = service(RedisConfig::new(server.url()), most).await.expect("starts");
    let receiver = service(RedisConfig::new(proxy.url()), most).await.expect("starts");
    let receiver = TestServer::new(receiver, Gateway::new()).expect("mounts");
    let mut client = receiver.connect().await.expect("connects");
    let mut events = receiver.service().events();
    proxy.inject(Fault::Rate(10_500_000), Lines::All);
    sender.broadcast("slow", &text(most)).await.expect("is sent");
    let sent = Instant::now();
    assert_eq!(next(&mut client, "slow").await, most);
    let took = sent.elapsed();
    println!("{most} bytes took {took:.2?}");
    assert!(took > Duration::from_millis(2500), "longer than a ping: {took:?}");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(gaps(&mut events), 0);
}

/// On a managed server, for example, settings may not be read.
#[tokio::test]
async fn where_redis_does_not_tell_its_limit_the_default_counts_and_a_larger_payload_is_warned_of() {
    let page = include_str!("../../docs/scaling.md");
    let rules = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER chat ")).expect("is documented");
    let server = RedisServer::start().await;
    let words: Vec<&str> = ["ACL", "SETUSER", "chat"].into_iter().chain(rules.split(' ')).collect();
    server.ask::<()>(&words).await;
    let redis = || RedisConfig::new(server.url()).username("chat").password("secret");
    let log = log::Log::capture();
    let service = service(redis(), 64 << 20).await.expect("starts: Redis may pass on more than it tells");
    let lines = log.take_lines();
    let warnings: Vec<_> = lines.iter().filter(|line| !line.starts_with("INFO ")).collect();
    let [line] = warnings[..] else { panic!("one line: {warnings:?}") };
    for words in ["WARN limits.payload is 67108864", "client-output-buffer-limit pubsub", "by default they are"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let refused = service.broadcast("beyond", &text(30_000_000)).await.expect_err("is beyond the default");
    assert_eq!(refused.code(), ErrorCode::PayloadTooLarge);
    service.broadcast("within", &text(29_000_000)).await.expect("is within");
    let lines = log.take_lines();
    assert!(lines.len() == 1 && lines[0].starts_with("WARN a payload is too large for other nodes"), "{lines:?}");
    for _ in 0..10 {
        service.broadcast("beyond", &text(30_000_000)).await.expect_err("is beyond the default");
    }
    assert_eq!(log.take_lines(), Vec::<String>::new(), "once a minute");
}

#[tokio::test]
async fn a_message_that_the_backplane_cannot_carry_is_refused_and_the_next_one_arrives() {
    let server = RedisServer::start().await;
    server.set("client-output-buffer-limit", "pubsub 4mb 0 0").await;
    let node = async || RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects");
    let (sender, receiver) = (node().await, node().await);
    let mut incoming = receiver.open(&Incarnation::begin(NodeId::random()).process()).await.expect("opens");
    let channel = Channel::Namespace(Namespace::root());
    receiver.subscribe(&channel).await.expect("subscribes");
    let most = sender.message_limit().expect("is bounded").bytes;
    let refused = sender.publish(&channel, vec![0; most + 1].into()).await;
    assert!(matches!(refused, Err(roomwire_core::StateError::TooLarge { .. })), "{refused:?}");
    sender.publish(&channel, vec![1; most].into()).await.expect("publishes");
    let event = timeout(PATIENCE, futures_util::StreamExt::next(&mut incoming)).await.expect("comes");
    let Some(BackplaneEvent::Message(bytes)) = event else { panic!("{event:?}") };
    assert_eq!((bytes.len(), bytes[0]), (most, 1));
}

#[path = "refusals/log.rs"]
mod log;
