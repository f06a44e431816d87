//! Messages reach the clients that they are for, exactly as they were written.

use roomwire_state_memory::MemoryHub;

use crate::{
    client::Client,
    fixture::{Node, eventually},
};

#[tokio::test]
async fn a_message_reaches_the_room_the_client_and_everyone_on_all_nodes_and_nobody_else() {
    let hub = MemoryHub::new();
    let (asked, other) = (Node::of(&hub, "asked").await, Node::of(&hub, "other").await);
    let mut here = Client::in_room(asked.address, "/", "room").await;
    let mut there = Client::in_room(other.address, "/", "room").await;
    let mut outside = Client::connect(other.address, "/").await;
    let mut admin = Client::in_room(other.address, "/admin", "room").await;

    asked.post("/v1/rooms/room/messages", r#"{"event":"to room","data":1}"#).await.is(202);
    let except = format!(r#"{{"event":"to others","except":"{}"}}"#, here.id);
    asked.post("/v1/rooms/room/messages", &except).await.is(202);
    asked.post(&format!("/v1/clients/{}/messages", there.id), r#"{"event":"to you"}"#).await.is(202);
    asked.post("/v1/broadcast", r#"{"event":"to all"}"#).await.is(202);
    asked.post("/v1/rooms/room/messages?namespace=/admin", r#"{"event":"to admins"}"#).await.is(202);
    asked.post("/v1/broadcast?namespace=%2Fadmin", r#"{"event":"to all admins"}"#).await.is(202);

    assert_eq!(here.event().await, r#"["to room",1]"#);
    assert_eq!(here.event().await, r#"["to all"]"#);
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(there.event().await);
    }
    heard.sort_unstable();
    assert_eq!(heard, [r#"["to all"]"#, r#"["to others"]"#, r#"["to room",1]"#, r#"["to you"]"#]);
    assert_eq!(outside.event().await, r#"["to all"]"#);
    assert_eq!(admin.event().await, r#"["to admins"]"#);
    assert_eq!(admin.event().await, r#"["to all admins"]"#);
}

#[tokio::test]
async fn arguments_arrive_exactly_as_they_were_written() {
    let node = Node::new().await;
    let mut client = Client::in_room(node.address, "/", "room").await;
    for (body, heard) in [
        (r#"{"event":"e"}"#, r#"["e"]"#),
        (r#"{"event":"e","data":null}"#, r#"["e",null]"#),
        (r#"{"event":"e","arguments":[]}"#, r#"["e"]"#),
        (r#"{"event":"e","arguments":[null,[2]]}"#, r#"["e",null,[2]]"#),
        (r#"{"arguments":["b"],"data":{"a":1},"event":"e"}"#, r#"["e",{"a":1},"b"]"#),
        (
            r#"{"event":"e","data":{"z":1.10,"a":12345678901234567890123,"m":1E400,"half":"\ud83c","é":"\u00e9"}}"#,
            r#"["e",{"z":1.10,"a":12345678901234567890123,"m":1E400,"half":"\ud83c","é":"\u00e9"}]"#,
        ),
        (
            r#"{"event":"e","data":{"$serde_json::private::RawValue":"[[1]]","_placeholder":true,"num":0}}"#,
            r#"["e",{"$serde_json::private::RawValue":"[[1]]","_placeholder":true,"num":0}]"#,
        ),
    ] {
        node.post("/v1/rooms/room/messages", body).await.is(202);
        assert_eq!(client.event().await, heard);
    }
}

#[tokio::test]
async fn ids_with_slashes_spaces_and_any_script_are_percent_encoded() {
    let node = Node::new().await;
    for (room, encoded) in [
        ("a/b", "a%2Fb"),
        ("/", "%2F"),
        ("räume 🏠?#%", "r%C3%A4ume%20%F0%9F%8F%A0%3F%23%25"),
        ("a+b", "a+b"),
        ("%2F", "%252F"),
        ("messages", "messages"),
        ("..", "%2E%2E"),
    ] {
        let mut client = Client::in_room(node.address, "/", room).await;
        node.post(&format!("/v1/rooms/{encoded}/messages"), r#"{"event":"e"}"#).await.is(202);
        assert_eq!(client.event().await, r#"["e"]"#, "{room}");
        assert_eq!(node.get(&format!("/v1/rooms/{encoded}")).await.is(200).json()["id"], room);
        let members = node.get(&format!("/v1/rooms/{encoded}/members")).await.is(200).json();
        assert_eq!(members["items"][0]["client"], client.id);
    }
}

#[tokio::test]
async fn a_user_or_a_room_that_nobody_is_in_is_no_error() {
    let node = Node::new().await;
    node.post("/v1/users/a%2Fb/messages", r#"{"event":"e"}"#).await.is(202);
    node.post("/v1/rooms/none/messages", r#"{"event":"e"}"#).await.is(202);
    eventually("no room was created", async || node.service.room_count().await.expect("counts") == 0).await;
}
