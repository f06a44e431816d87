//! Messages that are sent again with the same key.

use axum::body::Body;
use http::{Request, header};

use crate::{
    client::Client,
    fixture::{Answer, Node, TOKEN},
};

async fn send(node: &Node, key: &str, target: &str, body: &str) -> Answer {
    let request = Request::post(target).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let request = request.header(header::CONTENT_TYPE, "application/json").header("idempotency-key", key);
    node.answer(request.body(Body::from(body.to_owned())).expect("valid")).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.headers.contains_key("idempotency-replayed")
}

const TARGET: &str = "/v1/rooms/room/messages";

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_sends_nothing() {
    let node = Node::new().await;
    let mut client = Client::in_room(node.address, "/", "room").await;
    let first = send(&node, "one", TARGET, r#"{"event":"once"}"#).await;
    assert!(!is_replayed(first.is(202)));
    for _ in 0..3 {
        assert!(is_replayed(send(&node, "one", TARGET, r#"{"event":"once"}"#).await.is(202)));
    }
    send(&node, "two", TARGET, r#"{"event":"once"}"#).await.is(202);
    node.post(TARGET, r#"{"event":"last"}"#).await.is(202);
    for heard in [r#"["once"]"#, r#"["once"]"#, r#"["last"]"#] {
        assert_eq!(client.event().await, heard);
    }
    let refused = send(&node, "three", "/v1/clients/none/messages", r#"{"event":"e"}"#).await;
    let again = send(&node, "three", "/v1/clients/none/messages", r#"{"event":"e"}"#).await;
    again.problem(404, "CLIENT_NOT_FOUND");
    assert_eq!((again.text.as_str(), is_replayed(&again)), (refused.text.as_str(), true));
}

#[tokio::test]
async fn a_key_of_another_request_and_a_key_that_is_none_are_refused_and_nothing_is_sent() {
    let node = Node::new().await;
    let mut client = Client::in_room(node.address, "/", "room").await;
    send(&node, "one", TARGET, r#"{"event":"first"}"#).await.is(202);
    for (target, body) in [(TARGET, r#"{"event":"other"}"#), ("/v1/broadcast", r#"{"event":"first"}"#)] {
        send(&node, "one", target, body).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    }
    for key in ["", "a b", "ä", &"x".repeat(256)] {
        assert_eq!(
            send(&node, key, TARGET, "{}").await.problem(422, "INVALID_PAYLOAD").find("Idempotency-Key"),
            Some(0)
        );
    }
    node.post(TARGET, r#"{"event":"last"}"#).await.is(202);
    assert_eq!(client.event().await, r#"["first"]"#);
    assert_eq!(client.event().await, r#"["last"]"#);
}

#[tokio::test]
async fn requests_with_one_key_at_the_same_time_send_one_message() {
    let node = Node::new().await;
    let mut client = Client::in_room(node.address, "/", "room").await;
    let sends = (0..20).map(|_| send(&node, "one", TARGET, r#"{"event":"once"}"#));
    let answers = futures_util::future::join_all(sends).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    node.post(TARGET, r#"{"event":"last"}"#).await.is(202);
    assert_eq!(client.event().await, r#"["once"]"#);
    assert_eq!(client.event().await, r#"["last"]"#);
}
