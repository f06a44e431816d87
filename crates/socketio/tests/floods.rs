//! What a client may ask for without reading is bounded, and what it is owed when the server stops arrives.

use std::time::Duration;

use roomwire_core::config::Transport;
use roomwire_service::{Dispatcher, Gateway, WebSocketConfig, WebSocketService};
use roomwire_socketio::{PollResponse, Session, SessionRequest, Sessions};
use roomwire_state_memory::MemoryState;

async fn server() -> (WebSocketService, Sessions) {
    let config = WebSocketConfig { ping_interval: Duration::from_secs(300), ..WebSocketConfig::default() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let sessions = Sessions::new(Dispatcher::new(service.clone(), Gateway::new()).expect("valid"));
    (service, sessions)
}

async fn messages(session: &Session) -> Vec<String> {
    match session.poll().await {
        PollResponse::Messages(body, mut delivery) => {
            delivery.complete();
            std::str::from_utf8(&body).expect("text").split('\u{1e}').map(str::to_owned).collect()
        }
        other => panic!("{other:?}"),
    }
}

async fn connected(sessions: &Sessions) -> Session {
    let session = sessions.open(SessionRequest::default(), Transport::Polling, ());
    session.receive_body("40".into()).await.expect("a session");
    assert!(messages(&session).await[0].starts_with("40{"));
    session
}

#[tokio::test(start_paused = true)]
async fn a_client_that_connects_to_unknown_namespaces_and_reads_nothing_is_ended() {
    let (_service, sessions) = server().await;
    let session = connected(&sessions).await;
    let mut sent = 0;
    while sessions.get(session.id()).is_some() {
        sent += 1;
        assert!(sent < 2000, "it gets an answer for each");
        let _ = session.receive_body("40/nowhere,".into()).await;
    }
    assert!(sent > 1000, "a client that reads is not ended for it");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_with_a_name_that_none_can_have_ends_the_session() {
    let (_service, sessions) = server().await;
    let session = connected(&sessions).await;
    let packet = format!("40/{},", "x".repeat(1000));
    session.receive_body(packet.into()).await.expect_err("rejected");
    assert!(sessions.get(session.id()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_between_two_polls_gets_what_was_sent_before_the_server_stops() {
    let (service, sessions) = server().await;
    let session = connected(&sessions).await;
    for _ in 0..3 {
        service.broadcast("said", &"before").await.expect("sent");
    }
    let closing = tokio::spawn({
        let sessions = sessions.clone();
        async move { sessions.close_all(Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(messages(&session).await, [r#"42["said","before"]"#; 3]);
    assert!(matches!(session.poll().await, PollResponse::ShuttingDown));
    assert_eq!(closing.await.expect("no panic"), 0);
    assert!(sessions.get(session.id()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_poll_again_holds_the_end_up_for_two_seconds() {
    let (service, sessions) = server().await;
    let session = connected(&sessions).await;
    service.broadcast("said", &"before").await.expect("sent");
    let began = tokio::time::Instant::now();
    assert_eq!(sessions.close_all(Duration::from_secs(60)).await, 0);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert!(sessions.get(session.id()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_has_the_write_timeout_for_each_message_however_long_it_was_idle_before() {
    let (service, sessions) = server().await;
    let session = connected(&sessions).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    service.broadcast("said", &"after a minute").await.expect("sent");
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(sessions.get(session.id()).is_some(), "limits.writeTimeout is ten seconds");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(sessions.get(session.id()).is_none());
}
