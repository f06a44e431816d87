//! Clients that send no event for `limits.idleTimeout` are disconnected.

use std::{sync::Arc, time::Duration};

use roomwire_core::Timestamp;
use roomwire_service::{
    Client, DebounceLayer, DisconnectReason, Error, ErrorCode, Gateway, Handler, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::{ManualClock, MemoryState};
use serde_json::Value;
use tokio::time::sleep;

use crate::fixture::{Ledger, Log, config};

const IDLE: Duration = Duration::from_secs(60);

/// The longest time between two looks.
const HEARTBEAT: Duration = Duration::from_secs(2);

struct Fixture {
    server: TestServer,
    ledger: Ledger,
    clock: Arc<ManualClock>,
}

impl Fixture {
    async fn new(idle: Duration) -> Self {
        Self::with_heartbeat(idle, HEARTBEAT).await
    }

    async fn with_heartbeat(idle: Duration, heartbeat: Duration) -> Self {
        async fn quick() -> Result<(), Error> {
            Ok(())
        }
        async fn slow(service: WebSocketService, client: Client) -> Result<(), Error> {
            sleep(IDLE * 3).await;
            service.send_to_client(&client, "done", &()).await
        }
        let mut config = config();
        config.limits.idle_timeout = idle;
        config.lease.heartbeat = heartbeat;
        config.lease.duration = config.lease.duration.max(heartbeat * 2);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let builder = WebSocketService::builder(config).state(MemoryState::new()).clock(clock.clone());
        let service = builder.build().await.expect("builds");
        let ledger = Ledger::of([service.clone()]);
        let deferred = quick.layer(DebounceLayer::new(IDLE * 3));
        let gateway = Gateway::new().on("quick", quick).on("slow", slow).on("deferred", deferred);
        let server = TestServer::new(service, gateway).expect("mounts");
        Self { server, ledger, clock }
    }

    async fn connect(&self) -> TestClient {
        self.server.connect().await.expect("connects")
    }

    /// Lets time pass, for the system clock too.
    async fn pass(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(Duration::from_millis(250));
            self.clock.advance(step);
            sleep(step).await;
            left -= step;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_an_event_for_so_long_is_told_why_and_disconnected_and_one_with_events_is_not() {
    let log = Log::capture();
    let fixture = Fixture::new(IDLE).await;
    let (mut silent, talking) = (fixture.connect().await, fixture.connect().await);
    for _ in 0..3 {
        fixture.pass(IDLE / 3 - HEARTBEAT / 2).await;
        talking.emit_with_ack::<()>("quick", &()).await.expect("handled");
    }
    assert!(silent.handle().is_connected(), "it has a moment left");
    fixture.pass(HEARTBEAT * 3).await;
    let told: Value = silent.expect("error").await;
    assert_eq!(told["code"], ErrorCode::Timeout.as_str());
    assert!(told["message"].as_str().expect("text").contains("no event for 60 s"), "{told}");
    assert!(silent.next().await.is_none(), "its connection ends");
    assert!(talking.handle().is_connected());
    fixture.ledger.gone(1).await;
    let [(key, DisconnectReason::IdleTimeout)] = &fixture.ledger.disconnected()[..] else { panic!("one is idle") };
    assert_eq!(key.client, *silent.id());
    let lines = log.take_lines();
    assert_eq!(lines.iter().filter(|line| line.contains(r#"key="limits.idleTimeout""#)).count(), 1, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_its_handler_is_not_idle_until_a_while_after_it_returned() {
    let fixture = Fixture::new(IDLE).await;
    let mut client = fixture.connect().await;
    client.emit("slow", &());
    fixture.pass(IDLE * 3 + HEARTBEAT).await;
    client.expect::<()>("done").await;
    fixture.pass(IDLE - HEARTBEAT * 3).await;
    assert!(client.handle().is_connected());
    fixture.pass(HEARTBEAT * 4).await;
    assert!(!client.handle().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ends_between_two_looks_counts_until_its_end() {
    let every = IDLE * 4;
    let fixture = Fixture::with_heartbeat(IDLE, every).await;
    let (mut client, silent) = (fixture.connect().await, fixture.connect().await);
    fixture.pass(IDLE / 2).await;
    client.emit("slow", &());
    fixture.pass(every - IDLE / 2 + HEARTBEAT).await;
    client.expect::<()>("done").await;
    assert!(!silent.handle().is_connected(), "there was a look");
    assert!(client.handle().is_connected(), "its event was handled half of the time before the look");
    fixture.pass(every).await;
    assert!(!client.handle().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_deferred_event_is_not_idle_until_a_while_after_it_was_handled() {
    let fixture = Fixture::new(IDLE).await;
    let client = fixture.connect().await;
    client.emit("deferred", &());
    fixture.pass(IDLE * 4 - HEARTBEAT).await;
    assert!(client.handle().is_connected(), "it was handled less than the time ago");
    fixture.pass(HEARTBEAT * 3).await;
    assert!(!client.handle().is_connected());
}

#[tokio::test(start_paused = true)]
async fn without_the_key_no_client_is_idle_and_a_reload_gives_every_client_the_whole_time() {
    let fixture = Fixture::new(Duration::ZERO).await;
    let client = fixture.connect().await;
    fixture.pass(IDLE * 10).await;
    let service = fixture.server.service();
    let mut new = (*service.config()).clone();
    new.limits.idle_timeout = IDLE;
    assert_eq!(service.reload(new).await.expect("reloads").applied, ["limits.idleTimeout"]);
    fixture.pass(IDLE - HEARTBEAT).await;
    assert!(client.handle().is_connected(), "it was silent for long before");
    fixture.pass(HEARTBEAT * 3).await;
    assert!(!client.handle().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_system_clock_that_is_set_disconnects_no_client() {
    let fixture = Fixture::new(IDLE).await;
    let client = fixture.connect().await;
    fixture.pass(HEARTBEAT * 2).await;
    fixture.clock.advance(Duration::from_secs(86_400));
    fixture.pass(IDLE / 2).await;
    assert!(client.handle().is_connected());
    fixture.clock.set(Timestamp::from_millis(5));
    fixture.pass(IDLE / 2).await;
    assert!(client.handle().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_shorter_time_counts_from_the_reload() {
    let fixture = Fixture::new(IDLE * 10).await;
    let client = fixture.connect().await;
    fixture.pass(IDLE * 5).await;
    let service = fixture.server.service();
    let mut new = (*service.config()).clone();
    new.limits.idle_timeout = IDLE;
    service.reload(new).await.expect("reloads");
    fixture.pass(IDLE - HEARTBEAT).await;
    assert!(client.handle().is_connected(), "no client is disconnected because a limit is lower now");
    fixture.pass(HEARTBEAT * 3).await;
    assert!(!client.handle().is_connected());
}
