//! What is refused is told to the operator: one WARN a minute for each cause, with the count, an example and the key.

use std::time::Duration;

use roomwire_core::config::Limits;
use roomwire_service::{
    Data, Error, ErrorCode, Gateway, Payload, Refusal, WebSocketConfig, WebSocketService, testing::TestServer,
};
use roomwire_state_memory::MemoryState;
use tokio::time::sleep;

use crate::fixture::{Log, config, eventually};

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn server(limits: Limits) -> TestServer {
    let config = WebSocketConfig { limits, ..config() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    TestServer::new(service, Gateway::new().on("echo", echo)).expect("mounts")
}

/// The one line that was logged since the last time.
fn line(log: &Log) -> String {
    let mut lines = log.take_lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.remove(0)
}

#[tokio::test(start_paused = true)]
async fn refused_events_are_one_warning_at_once_and_one_with_the_count_a_minute_later() {
    let log = Log::capture();
    let server = server(Limits { events_per_second: 1, event_burst: 2, ..config().limits }).await;
    let client = server.connect().await.expect("connects");
    for number in 0..12 {
        let answer = client.emit_with_ack::<u32>("echo", &number).await;
        assert_eq!(
            answer.map_err(|error| error.code()),
            if number < 2 { Ok(number) } else { Err(ErrorCode::RateLimited) }
        );
    }
    let first = line(&log);
    assert!(first.starts_with("WARN events are refused"), "{first}");
    for part in [r#"cause="eventsPerSecond""#, "count=1 ", r#"key="limits.eventsPerSecond""#, client.id().as_str()] {
        assert!(first.contains(part), "{part}: {first}");
    }
    // Nothing further is refused: the heartbeat logs what is left.
    sleep(Duration::from_secs(50)).await;
    assert_eq!(log.take_lines(), Vec::<String>::new());
    sleep(Duration::from_secs(15)).await;
    let later = line(&log);
    assert!(later.contains(r#"cause="eventsPerSecond""#) && later.contains("count=9 "), "{later}");
    sleep(Duration::from_secs(300)).await;
    assert_eq!(log.take_lines(), Vec::<String>::new());
}

async fn hang() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_events_are_handled_too_slowly_is_one_warning_when_it_is_no_longer_read_from() {
    let log = Log::capture();
    let config = WebSocketConfig { limits: Limits { mailbox: 16, ..config().limits }, ..config() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let server = TestServer::new(service, Gateway::new().on("hang", hang)).expect("mounts");
    let client = server.connect().await.expect("connects");
    client.emit("hang", &());
    // The first is being handled, and is not queued any more.
    sleep(Duration::from_millis(1)).await;
    for _ in 0..15 {
        client.emit("hang", &());
    }
    assert_eq!(log.take_lines(), Vec::<String>::new());
    for _ in 0..16 {
        client.emit("hang", &());
    }
    let paused = line(&log);
    for part in ["WARN", r#"cause="mailbox full""#, r#"key="limits.mailbox""#, client.id().as_str()] {
        assert!(paused.contains(part), "{part}: {paused}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_beyond_the_rate_name_their_key() {
    let log = Log::capture();
    let server = server(Limits { bytes_per_second: 1024, byte_burst: 1024, ..config().limits }).await;
    let client = server.connect().await.expect("connects");
    // Its `on_connect` is over: one large event alone fills no mailbox.
    sleep(Duration::from_millis(1)).await;
    let large = Payload::encode(&"x".repeat(1024)).expect("encodes");
    client.emit_with_ack::<u32>("echo", large.clone()).await.expect_err("no number");
    client.emit_with_ack::<u32>("echo", large).await.expect_err("too many bytes");
    let bytes = line(&log);
    assert!(bytes.contains(r#"key="limits.bytesPerSecond""#), "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_disconnected_for_a_limit_is_an_example_with_the_key() {
    let log = Log::capture();
    let server = server(Limits { events_per_second: 1, event_burst: 1, send_buffer: 16, ..config().limits }).await;
    let client = server.connect().await.expect("connects");
    (0..12).for_each(|number| client.emit("echo", &number));
    eventually("it is disconnected", async || !client.handle().is_connected()).await;
    let lines = log.take_lines();
    let abuse = lines.iter().find(|line| line.contains("a client is disconnected")).expect("logged");
    assert!(abuse.contains(r#"key="limits.eventBurst""#) && abuse.contains(client.id().as_str()), "{abuse}");

    let slow = server.connect().await.expect("connects");
    for number in 0..17 {
        server.service().broadcast("n", &number).await.expect("sends");
    }
    eventually("it is disconnected", async || !slow.handle().is_connected()).await;
    let slow_consumer = line(&log);
    for part in ["slow consumer", r#"key="limits.sendBuffer""#, slow.id().as_str()] {
        assert!(slow_consumer.contains(part), "{part}: {slow_consumer}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_reports_is_escaped_and_the_rest_is_logged_when_the_service_stops() {
    let log = Log::capture();
    let server = server(config().limits).await;
    for number in 0..3 {
        server.service().refusal_log().report("origin", || Refusal {
            message: "a page is refused".into(),
            example: format!("https://{number}.example\nERROR forged"),
            key: None,
        });
    }
    let first = line(&log);
    assert!(first.contains(r"https://0.example\nERROR forged"), "{first}");
    assert!(!first.contains("key="), "{first}");
    server.service().shutdown().await;
    let last = line(&log);
    assert!(last.contains("count=2 ") && last.contains("https://1.example"), "{last}");
}
