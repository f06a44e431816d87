//! A client that sends faster than its events are handled is read from more slowly, at no cost for others.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use roomwire_service::{Data, Error, Gateway, State};
use tokio::{io::AsyncWriteExt, sync::Semaphore};

use crate::support::{Fixture, Polling, WebSocket, config, eventually, frame, within};

/// Lets events be handled only when told to.
#[derive(Clone)]
struct Brake {
    free: Arc<Semaphore>,
    handled: Arc<Mutex<Vec<usize>>>,
}

async fn flood(State(brake): State<Brake>, Data((number, _)): Data<(usize, String)>) -> Result<(), Error> {
    drop(brake.free.acquire().await.map_err(Error::internal)?);
    brake.handled.lock().push(number);
    Ok(())
}

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn fixture() -> (Fixture, Brake) {
    let brake = Brake { free: Arc::new(Semaphore::new(0)), handled: Arc::default() };
    let gateway = Gateway::new().with_state(brake.clone()).on("flood", flood).on("echo", echo);
    let mut config = config();
    config.limits.mailbox = 16;
    // A paused client cannot answer a ping either.
    config.ping_timeout = std::time::Duration::from_secs(600);
    (Fixture::new(config, gateway).await, brake)
}

fn event(number: usize) -> String {
    format!(r#"42["flood",{number},"{}"]"#, "x".repeat(4000))
}

/// More than all buffers between a client and its handler can hold.
const EVENTS: usize = 16_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_floods_waits_and_everything_is_handled_in_order() {
    let (fixture, brake) = fixture().await;
    let mut other = WebSocket::connect(fixture.address).await;
    let flooding = WebSocket::connect(fixture.address).await;
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let flooding = tokio::spawn(async move {
        let mut stream = flooding.into_stream();
        for number in 0..EVENTS {
            stream.write_all(&frame(&event(number))).await.expect("written");
            count.fetch_add(1, Ordering::AcqRel);
        }
        stream
    });
    // The other client is served, and after a while none of the flood gets through any more.
    let mut number = 0;
    let mut before = 0;
    let mut standing = 0;
    within("the flood comes to a stand", async {
        while standing < 200 {
            number += 1;
            assert_eq!(other.ask_for(number, &format!(r#"["echo",{number}]"#)).await, format!("[{number}]"));
            let now = written.load(Ordering::Acquire);
            standing = if now == before && now > 0 { standing + 1 } else { 0 };
            before = now;
        }
    })
    .await;
    assert!(before < EVENTS, "all {before} events were taken though none was handled");
    assert!(brake.handled.lock().is_empty());

    brake.free.add_permits(Semaphore::MAX_PERMITS / 2);
    eventually("everything is handled", async || brake.handled.lock().len() == EVENTS).await;
    assert!(brake.handled.lock().iter().copied().eq(0..EVENTS));
    assert_eq!(fixture.service.local_client_count(), 2);
    drop(flooding.await.expect("written"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_floods_is_answered_when_its_events_are_being_handled() {
    let (fixture, brake) = fixture().await;
    let mut other = WebSocket::connect(fixture.address).await;
    let mut flooding = Polling::connect(fixture.address).await;
    let body: Vec<String> = (0..200).map(event).collect();
    flooding.begin_post(&body.join("\u{1e}")).await;
    tokio::select! {
        biased;
        () = async {
            for number in 0..500 {
                assert_eq!(other.ask_for(number, &format!(r#"["echo",{number}]"#)).await, format!("[{number}]"));
            }
        } => {}
        answer = flooding.posted() => panic!("answered though nothing was handled: {answer:?}"),
    }
    brake.free.add_permits(Semaphore::MAX_PERMITS / 2);
    assert_eq!(flooding.posted().await.status, 200);
    eventually("everything is handled", async || brake.handled.lock().len() == 200).await;
    assert!(brake.handled.lock().iter().copied().eq(0..200));
    assert_eq!(fixture.service.local_client_count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_a_burst_and_reads_gets_all_its_answers_with_any_send_buffer() {
    for send_buffer in [16, 32, 1024].repeat(3) {
        let mut config = config();
        config.limits.send_buffer = send_buffer;
        let fixture = Fixture::new(config, Gateway::new().on("echo", echo)).await;
        let mut client = WebSocket::connect(fixture.address).await;
        let burst: Vec<u8> = (0..5000).flat_map(|number| frame(&format!(r#"42{number}["echo",{number}]"#))).collect();
        client.write(&burst).await;
        for number in 0..5000 {
            let answer = within("an answer", client.next()).await;
            assert_eq!(answer.as_deref(), Some(format!("43{number}[{number}]").as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_requests_large_answers_gets_all_of_them_as_fast_as_it_reads() {
    async fn large() -> Result<String, Error> {
        Ok("x".repeat(200_000))
    }
    let mut config = config();
    config.limits.send_buffer_bytes = 1_000_000;
    let fixture = Fixture::new(config, Gateway::new().on("large", large)).await;
    let mut client = WebSocket::connect(fixture.address).await;
    let burst: Vec<u8> = (0..500).flat_map(|number| frame(&format!(r#"42{number}["large"]"#))).collect();
    client.write(&burst).await;
    // So that nothing is taken until all that may wait does.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    for number in 0..500 {
        let answer = within("an answer", client.next()).await.expect("connected");
        assert!(answer.starts_with(&format!("43{number}[")) && answer.len() > 200_000);
    }
}
