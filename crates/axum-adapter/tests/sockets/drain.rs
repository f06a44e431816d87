//! A node that drains: its clients go one after the other and in good order, the others are served meanwhile.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use roomwire_axum_adapter::{Server, health_routes};
use roomwire_service::{Client, Error, Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::{MemoryHub, MemoryState};

use crate::support::{Fixture, Http, Polling, WebSocket, config, eventually, within};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "room").await
}

/// How many handlers of `slow` have begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

async fn slow() -> Result<&'static str, Error> {
    BEGUN.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(700)).await;
    Ok("done")
}

async fn hangs() -> Result<(), Error> {
    std::future::pending().await
}

fn gateway() -> Gateway {
    Gateway::new().on_connect(enter).on("slow", slow).on("hangs", hangs)
}

fn within_timeout(timeout: Duration) -> WebSocketConfig {
    let mut config = config();
    config.drain.timeout = timeout;
    config.limits.send_buffer_bytes = 100_000_000;
    config
}

async fn members(fixture: &Fixture, count: u64) {
    eventually("all are in", async || fixture.service.member_count("room").await.expect("counts") == count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_go_at_a_pace_and_those_that_remain_miss_nothing() {
    const CLIENTS: usize = 30;
    let hub = MemoryHub::new();
    let build = async || {
        let builder = WebSocketService::builder(within_timeout(Duration::from_secs(30))).state(hub.node());
        builder.build().await.expect("builds")
    };
    let _other = build().await;
    let mut fixture = Fixture::of(build().await, gateway()).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = WebSocket::connect(fixture.address).await;
        // Handled when `on_connect` has returned: it is in the room.
        client.ask_for(1, r#"["unknown"]"#).await;
        clients.push(client);
    }
    let readers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                let heard = client.rest().await;
                (Instant::now(), heard)
            })
        })
        .collect();
    let service = fixture.service.clone();
    let began = Instant::now();
    fixture.tell_to_stop();
    let speaker = tokio::spawn(async move {
        for number in 0_usize.. {
            if service.broadcast_to_room("room", "said", &number).await.is_err() || service.is_shutting_down() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let (mut ends, mut counts) = (Vec::new(), Vec::new());
    for reader in readers {
        let (end, heard) = within("a client goes", reader).await.expect("no panic");
        let expected: Vec<_> = (0..heard.len()).map(|number| format!(r#"42["said",{number}]"#)).collect();
        assert_eq!(heard, expected, "each message once and in order, and no disconnect packet");
        ends.push(end.duration_since(began));
        counts.push(heard.len());
    }
    ends.sort();
    counts.sort_unstable();
    assert!(ends[CLIENTS / 2] > Duration::from_millis(700), "ten a second go: {ends:?}");
    assert!(ends[CLIENTS - 1] > Duration::from_secs(2), "ten a second go: {ends:?}");
    assert!(counts[CLIENTS - 1] > counts[0] + 40, "the last are served until they go: {counts:?}");
    within("the speaker ends", speaker).await.expect("no panic");
    fixture.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_another_node_all_clients_go_at_once() {
    const CLIENTS: usize = 60;
    let mut fixture = Fixture::new(within_timeout(Duration::from_secs(30)), gateway()).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(WebSocket::connect(fixture.address).await);
    }
    members(&fixture, CLIENTS as u64).await;
    let began = Instant::now();
    fixture.tell_to_stop();
    for client in &mut clients {
        assert_eq!(client.rest().await, Vec::<String>::new());
    }
    assert!(began.elapsed() < Duration::from_secs(4), "ten a second would take six: {:?}", began.elapsed());
    fixture.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_in_flight_is_handled_and_acknowledged_and_a_waiting_poll_is_answered() {
    let mut fixture = Fixture::new(within_timeout(Duration::from_secs(30)), gateway()).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut polling = Polling::connect(fixture.address).await;
    members(&fixture, 2).await;
    socket.send(r#"421["slow"]"#).await;
    assert_eq!(polling.post(r#"427["slow"]"#).await.status, 200);
    polling.begin_poll().await;
    eventually("both are handled", async || BEGUN.load(Ordering::SeqCst) == 2).await;
    fixture.tell_to_stop();
    assert_eq!(socket.rest().await, [r#"431["done"]"#]);
    let polled = polling.polled().await.expect("an answer");
    assert_eq!((polled.status, &*polled.body), (200, r#"437["done"]"#));
    fixture.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_is_not_ready_and_refuses_sessions_after_the_delay_alone() {
    let mut config = within_timeout(Duration::from_secs(8));
    config.drain.delay = Duration::from_secs(3);
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let app = Router::new().route("/hello", get(async || "hello")).merge(health_routes(service.clone()));
    let server = Server::bind(app, service.clone(), gateway()).await.expect("binds");
    let (address, layer) = (server.local_addr().expect("an address"), server.layer().clone());
    let running = tokio::spawn(server.run_until(std::future::pending()));
    // It keeps the node draining for a while.
    let mut hanging = WebSocket::connect(address).await;
    hanging.send(r#"42["hangs"]"#).await;
    let status = async |path: &str| Http::once(address, "GET", path, "").await.status;
    assert_eq!((status("/health/ready").await, status(OPEN).await), (200, 200));

    let draining = tokio::spawn(async move { layer.drain().await });
    eventually("it is not ready", async || status("/health/ready").await == 503).await;
    assert_eq!(status("/health/live").await, 200);
    let late = WebSocket::connect(address).await;
    eventually("sessions are refused", async || status(OPEN).await == 503).await;
    assert!(!service.is_shutting_down(), "the clients that are connected are served");
    let mut http = Http::connect(address).await;
    http.send("GET", OPEN, "", "").await;
    let (head, refused) = http.answer_with_head().await.expect("an answer");
    assert!(head.contains("retry-after: 1\r\n") && head.contains("connection: close\r\n"), "{head}");
    assert!(refused.body.contains(r#""code":"SHUTTING_DOWN""#), "{refused:?}");
    assert!(refused.body.contains("connect again in a second, and another node answers"), "{refused:?}");
    let (status_of_websocket, _) = WebSocket::ask(address, "").await.expect_err("refused");
    assert_eq!((status_of_websocket, status("/hello").await), (503, 200));

    within("it drains", draining).await.expect("no panic");
    drop((hanging, late));
    assert_eq!((status("/health/ready").await, status("/hello").await), (503, 200), "the app is served still");
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_within_the_timeout_also_with_a_client_that_never_reads_and_a_handler_that_never_returns() {
    let timeout = Duration::from_secs(3);
    let mut fixture = Fixture::new(within_timeout(timeout), gateway()).await;
    let deaf = WebSocket::open_narrow(fixture.address).await.joined().await;
    let mut hanging = WebSocket::connect(fixture.address).await;
    hanging.send(r#"42["hangs"]"#).await;
    members(&fixture, 2).await;
    for _ in 0..200 {
        fixture.service.send_to_client(deaf.id.as_str(), "said", &"x".repeat(65_536)).await.expect("sent");
    }
    let service = fixture.service.clone();
    let began = Instant::now();
    fixture.tell_to_stop();
    fixture.ended().await;
    let took = began.elapsed();
    // The rest is for a busy machine.
    assert!(took < timeout + Duration::from_secs(5), "took {took:?}");
    assert!(took > timeout / 2, "they had time to go by themselves: {took:?}");
    assert_eq!(service.member_count("room").await.expect("counts"), 0);
    drop((deaf, hanging));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_shutdown_waits_for_the_first_also_when_the_caller_of_that_one_has_gone() {
    let mut config = within_timeout(Duration::from_secs(2));
    config.drain.spread = Duration::ZERO;
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let server = Server::bind(Router::new(), service.clone(), gateway()).await.expect("binds");
    let (address, layer) = (server.local_addr().expect("an address"), server.layer().clone());
    let running = tokio::spawn(server.run_until(std::future::pending()));
    let mut hanging = WebSocket::connect(address).await;
    eventually("it is in", async || service.member_count("room").await.expect("counts") == 1).await;
    hanging.send(r#"421["slow"]"#).await;
    hanging.send(r#"42["hangs"]"#).await;
    assert_eq!(hanging.message().await, r#"431["done"]"#);

    let first = layer.clone();
    let gone = tokio::spawn(async move { first.shutdown().await });
    eventually("it shuts down", async || service.is_shutting_down()).await;
    gone.abort();
    within("the second call returns", layer.shutdown()).await;
    assert_eq!(
        service.member_count("room").await.expect("counts"),
        0,
        "the member left before the second call returned"
    );
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_drains_when_another_one_asks_for_it_and_its_server_stays_until_it_is_stopped() {
    let hub = MemoryHub::new();
    let build = async |name: &str| {
        let config = WebSocketConfig { node_id: Some(name.parse().expect("valid")), ..config() };
        WebSocketService::builder(config).state(hub.node()).build().await.expect("builds")
    };
    let (operator, bystander) = (build("operator").await, build("bystander").await);
    let fixture = Fixture::of(build("drained").await, gateway()).await;
    let mut client = WebSocket::connect(fixture.address).await;
    client.ask_for(1, r#"["unknown"]"#).await;

    let unknown = operator.drain_node(&"unknown".parse().expect("valid")).await.expect_err("refused");
    assert_eq!(unknown.code().as_str(), "NODE_NOT_FOUND");
    operator.drain_node(&"drained".parse().expect("valid")).await.expect("sent");
    within("the client is asked to go", client.rest()).await;
    let left = async || operator.nodes().await.expect("lists").iter().all(|node| node.node != "drained");
    eventually("the node leaves the cluster", left).await;

    assert!(!bystander.is_draining() && !operator.is_draining(), "only the node that was named drains");
    assert_eq!(Http::once(fixture.address, "GET", "/hello", "").await.status, 200, "the app's own routes are served");
    assert_eq!(Http::once(fixture.address, "GET", OPEN, "").await.status, 503);
    fixture.stop().await;
}
