//! A poll that is still open when its session has moved to a websocket.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use roomwire_core::config::Transport;
use roomwire_service::{Dispatcher, Gateway, WebSocketConfig, WebSocketService};
use roomwire_socketio::{PollResponse, SessionRequest, Sessions};
use roomwire_state_memory::MemoryState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

async fn send(stream: &mut DuplexStream, text: &str) {
    let head = [0x81, 0x80 | u8::try_from(text.len()).expect("short"), 0, 0, 0, 0];
    stream.write_all(&[&head[..], text.as_bytes()].concat()).await.expect("the server reads");
}

async fn receive(stream: &mut DuplexStream) -> String {
    let mut head = [0; 2];
    timeout(Duration::from_secs(10), stream.read_exact(&mut head)).await.expect("a frame").expect("the server writes");
    assert_eq!(head[0], 0x81, "a text frame");
    let mut text = vec![0; head[1].into()];
    stream.read_exact(&mut text).await.expect("the server writes");
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn its_end_leaves_the_session_on_the_websocket() {
    let service =
        WebSocketService::builder(WebSocketConfig::default()).state(MemoryState::new()).build().await.expect("builds");
    let sessions = Sessions::new(Dispatcher::new(service.clone(), Gateway::new()).expect("valid"));
    let session = sessions.open(SessionRequest::default(), Transport::Polling, ());
    session.receive_body("40".into()).await.expect("a session");
    let PollResponse::Messages(_, mut delivery) = session.poll().await else { panic!("no CONNECT") };
    delivery.complete();

    let (mut client, server) = duplex(4096);
    let websocket = tokio::spawn(session.clone().upgrade_to_websocket(server));
    send(&mut client, "2probe").await;
    assert_eq!(receive(&mut client).await, "3probe");
    {
        let mut poll = pin!(session.poll());
        let is_pending = poll_fn(|cx| Poll::Ready(poll.as_mut().poll(cx).is_pending())).await;
        assert!(is_pending);
        send(&mut client, "5").await;
        service.broadcast("said", &1).await.expect("sent");
        assert_eq!(receive(&mut client).await, r#"42["said",1]"#);
        // The client closed the connection of its poll before the poll could be answered.
    }
    service.broadcast("said", &2).await.expect("sent");
    assert_eq!(receive(&mut client).await, r#"42["said",2]"#);
    assert!(!websocket.is_finished());
}
