//! Following rooms and users live.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::header;
use roomwire_state_memory::MemoryHub;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{
    client::Client,
    fixture::{Node, eventually},
};

/// The items of a response that does not end.
struct Live {
    body: BodyDataStream,
    text: String,
}

impl Live {
    async fn of(node: &Node, target: &str) -> Self {
        let response = node.stream(target).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: Body::into_data_stream(response.into_body()), text: String::new() }
    }

    /// The next item. `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                match event.strip_prefix("data: ") {
                    Some(data) => return Some(serde_json::from_str(data).expect("one line of JSON")),
                    None => assert!(event.starts_with(':'), "a heartbeat: {event}"),
                }
                continue;
            }
            let next = timeout(Duration::from_secs(20), self.body.next()).await.expect("in time")?;
            self.text.push_str(std::str::from_utf8(&next.expect("reads")).expect("text"));
        }
    }
}

#[tokio::test]
async fn a_followed_room_shows_messages_of_all_nodes_and_its_members_without_payloads_unless_asked() {
    let hub = MemoryHub::new();
    let (asked, other) = (Node::of(&hub, "asked").await, Node::of(&hub, "other").await);
    let mut masked = Live::of(&asked, "/v1/rooms/a%2Fb/follow").await;
    let mut open = Live::of(&asked, "/v1/rooms/a%2Fb/follow?payloads=true").await;

    other.post("/v1/rooms/a%2Fb/messages", "{\"event\":\"e\",\"data\":{\"z\":1.10,\r\n\"a\":\"\\n\"}}").await.is(202);
    let item = masked.next().await.expect("an item");
    assert_eq!((&item["kind"], &item["event"], &item["room"]), (&json!("sent"), &json!("e"), &json!("a/b")));
    assert_eq!((item.get("payload"), &item["to"]), (None, &json!("room")));
    assert!(item["payloadBytes"].as_u64().is_some_and(|bytes| bytes > 10), "{item}");
    let item = open.next().await.expect("an item");
    assert_eq!(item["payload"], json!([{ "z": 1.1, "a": "\n" }]));

    let client = Client::in_room(asked.address, "/", "a/b").await;
    let item = masked.next().await.expect("an item");
    assert_eq!((&item["kind"], &item["client"]), (&json!("joined"), &json!(client.id)));
}

#[tokio::test]
async fn a_follower_ends_with_its_time_and_with_the_node() {
    let node = Node::new().await;
    let mut short = Live::of(&node, "/v1/users/ada/follow?seconds=0.5").await;
    let (began, mut long) = (Instant::now(), Live::of(&node, "/v1/follow").await);
    assert_eq!(short.next().await, None);
    assert!(began.elapsed() > Duration::from_millis(400));
    node.layer.drain().await;
    while long.next().await.is_some() {}
    for seconds in ["0", "-1", "86401", "NaN", "inf", "1s"] {
        node.get(&format!("/v1/rooms/r/follow?seconds={seconds}")).await.problem(422, "INVALID_PAYLOAD");
    }
}

#[tokio::test]
async fn a_follower_that_does_not_read_misses_items_and_slows_nothing() {
    const MESSAGES: u64 = 3000;
    let node = Node::new().await;
    let mut client = Client::in_room(node.address, "/", "room").await;
    let mut follower = Live::of(&node, "/v1/rooms/room/follow").await;
    let reading = tokio::spawn(async move {
        for number in 0..MESSAGES {
            assert_eq!(client.event().await, format!(r#"["e",{number}]"#), "members get all, in order");
        }
    });
    for number in 0..MESSAGES {
        node.service.broadcast_to_room("room", "e", &number).await.expect("sends");
        tokio::task::yield_now().await;
    }
    timeout(Duration::from_secs(20), reading).await.expect("in time").expect("hears all");
    let (mut shown, mut missed) = (0, 0);
    while shown + missed < MESSAGES {
        let item = follower.next().await.expect("an item");
        match item["kind"].as_str().expect("a kind") {
            "sent" => shown += 1,
            "missed" => missed += item["items"].as_u64().expect("a number"),
            other => panic!("{other}"),
        }
    }
    assert!(missed > 0 && shown > 0, "{missed} missed, {shown} shown");
}

#[tokio::test]
async fn there_are_so_many_followers_and_no_more_until_one_ends() {
    let node = Node::new().await;
    let mut followers = Vec::new();
    while followers.len() < 64 {
        followers.push(Live::of(&node, "/v1/rooms/room/follow").await);
    }
    node.get("/v1/follow?seconds=1").await.problem(503, "LIMIT_EXCEEDED");
    followers.pop();
    eventually("one may follow", async || node.get("/v1/follow?seconds=1").await.status == 200).await;
}
