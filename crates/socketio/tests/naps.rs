//! A client over HTTP long-polling that is asleep for a while: it sends nothing, and asks for nothing.

use std::time::Duration;

use roomwire_core::config::Transport;
use roomwire_service::{Dispatcher, Gateway, WebSocketConfig, WebSocketService};
use roomwire_socketio::{PollResponse, Session, SessionRequest, Sessions};
use roomwire_state_memory::MemoryState;
use tokio::time::{Instant, sleep, sleep_until};

const PING_INTERVAL: Duration = Duration::from_secs(25);

async fn server(ping_timeout: Duration) -> (WebSocketService, Sessions) {
    let config = WebSocketConfig { ping_interval: PING_INTERVAL, ping_timeout, ..WebSocketConfig::default() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let sessions = Sessions::new(Dispatcher::new(service.clone(), Gateway::new()).expect("valid"));
    (service, sessions)
}

/// The events of a response; a ping in it is answered.
async fn events(session: &Session) -> Vec<String> {
    let PollResponse::Messages(body, mut delivery) = session.poll().await else { panic!("the session has ended") };
    delivery.complete();
    let body = std::str::from_utf8(&body).expect("text");
    if body.split('\u{1e}').any(|packet| packet == "2") {
        session.receive_body("3".into()).await.expect("a session");
    }
    body.split('\u{1e}').filter(|packet| *packet != "2").map(str::to_owned).collect()
}

async fn connected(sessions: &Sessions) -> Session {
    let session = sessions.open(SessionRequest::default(), Transport::Polling, ());
    session.receive_body("40".into()).await.expect("a session");
    assert!(events(&session).await[0].starts_with("40{"));
    session
}

/// Polls without a pause, and falls asleep when it is sent something at that moment.
async fn awake_until(service: &WebSocketService, session: &Session, then: Instant) {
    let session = session.clone();
    let polls = tokio::spawn(async move {
        loop {
            let events = events(&session).await;
            if !events.is_empty() {
                return events;
            }
        }
    });
    sleep_until(then).await;
    service.broadcast("said", &"good night").await.expect("sent");
    assert_eq!(polls.await.expect("a session"), [r#"42["said","good night"]"#]);
}

/// Sends a number now and each second, for so long.
async fn talk(service: &WebSocketService, time: Duration) -> Vec<String> {
    let (end, mut sent) = (Instant::now() + time, Vec::new());
    while Instant::now() < end {
        service.broadcast("said", &sent.len()).await.expect("sent");
        sent.push(format!(r#"42["said",{}]"#, sent.len()));
        sleep_until(end.min(Instant::now() + Duration::from_secs(1))).await;
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sleeps_for_less_than_the_ping_timeout_gets_each_event_once_and_in_order() {
    for ping_timeout in [Duration::from_secs(5), Duration::from_secs(10)] {
        let (service, sessions) = server(ping_timeout).await;
        let nap = ping_timeout - Duration::from_millis(1);
        // A ping is sent before, in, or after the nap.
        for awake in 0..=40 {
            let session = connected(&sessions).await;
            awake_until(&service, &session, Instant::now() + Duration::from_secs(awake)).await;
            let sent = talk(&service, nap).await;
            let mut received = Vec::new();
            while received.len() < sent.len() {
                received.extend(events(&session).await);
            }
            assert_eq!(received, sent, "asleep after {awake} s");
            awake_until(&service, &session, Instant::now() + PING_INTERVAL * 2).await;
            session.receive_body("1".into()).await.expect("a session");
            assert!(sessions.get(session.id()).is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_unread_for_the_write_timeout_end_a_session_whatever_the_ping_timeout() {
    let (service, sessions) = server(Duration::from_secs(20)).await;
    let session = connected(&sessions).await;
    awake_until(&service, &session, Instant::now()).await;
    sleep(Duration::from_millis(9_999)).await;
    assert!(sessions.get(session.id()).is_some(), "nothing waits");
    let sent = talk(&service, Duration::from_millis(9_999)).await;
    assert_eq!(events(&session).await, sent);

    // The last response has some milliseconds of reading time.
    talk(&service, Duration::from_secs(11)).await;
    assert!(sessions.get(session.id()).is_none());
}
