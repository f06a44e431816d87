//! Rooms.

use http::{Method, header};
use serde_json::json;

use crate::{client::Client, fixture::Node};

#[tokio::test]
async fn a_room_is_created_read_changed_closed_and_deleted() {
    let node = Node::new().await;
    let new = r#"{"id":"a/b","name":"A room","capacity":2,"metadata":{"z":1.5,"a":[null]}}"#;
    let answer = node.post("/v1/rooms?namespace=/", new).await;
    assert_eq!(answer.is(201).headers[header::LOCATION], "/v1/rooms/a%2Fb?namespace=/");
    let room = answer.json();
    assert_eq!(room["metadata"].to_string(), r#"{"z":1.5,"a":[null]}"#);
    assert_eq!((&room["name"], &room["capacity"], &room["closed"]), (&json!("A room"), &json!(2), &json!(false)));
    node.post("/v1/rooms", new).await.problem(409, "FORBIDDEN");
    assert_eq!(node.get("/v1/rooms/a%2Fb").await.is(200).json(), room);

    let change = async |body: &str| node.ask(Method::PATCH, "/v1/rooms/a%2Fb", Some(body)).await.is(200).json();
    assert_eq!(change("{}").await, room, "nothing changes");
    let changed = change(r#"{"capacity":null,"metadata":{"b":true},"closed":true}"#).await;
    assert_eq!(
        (&changed["capacity"], &changed["metadata"], &changed["closed"]),
        (&json!(null), &json!({ "b": true }), &json!(true))
    );
    let changed = change(r#"{"capacity":4294967295.0,"closed":false}"#).await;
    assert_eq!(
        (&changed["capacity"], &changed["metadata"], &changed["closed"]),
        (&json!(u32::MAX), &json!({ "b": true }), &json!(false))
    );

    node.delete("/v1/rooms/a%2Fb").await.is(204);
    node.get("/v1/rooms/a%2Fb").await.problem(404, "ROOM_NOT_FOUND");
    node.ask(Method::PATCH, "/v1/rooms/a%2Fb", Some(r#"{"closed":true}"#)).await.problem(404, "ROOM_NOT_FOUND");
    node.get("/v1/rooms/a%2Fb").await.problem(404, "ROOM_NOT_FOUND");
}

#[tokio::test]
async fn settings_that_are_not_allowed_are_refused_and_change_nothing() {
    let node = Node::new().await;
    node.post("/v1/rooms", r#"{"id":"room"}"#).await.is(201);
    let before = node.get("/v1/rooms/room").await.text;
    for (body, field) in [
        (r#"{"capacity":-1}"#, "capacity"),
        (r#"{"capacity":4294967296}"#, "capacity"),
        (r#"{"capacity":0.5}"#, "capacity"),
        (r#"{"closed":"yes"}"#, "closed"),
        (r#"{"closed":null}"#, "closed"),
        (r#"{"metadata":null}"#, "metadata"),
        (r#"{"metadata":[]}"#, "metadata"),
        (r#"{"metadata":{"$serde_json::private::RawValue":"[[1]]"}}"#, "metadata"),
    ] {
        let answer = node.ask(Method::PATCH, "/v1/rooms/room", Some(body)).await;
        answer.problem(422, "INVALID_PAYLOAD");
        assert_eq!(answer.json()["field"], field, "{answer:?}");
    }
    let large = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(100_000));
    node.ask(Method::PATCH, "/v1/rooms/room", Some(&large)).await.problem(422, "LIMIT_EXCEEDED");
    assert_eq!(node.get("/v1/rooms/room").await.text, before);
    node.post("/v1/rooms", r#"{"id":""}"#).await.problem(422, "INVALID_NAME");
    node.post("/v1/rooms", r#"{"name":"x"}"#).await.problem(422, "INVALID_PAYLOAD");
}

#[tokio::test]
async fn a_deleted_room_has_no_members_and_they_get_nothing_more_of_it() {
    let node = Node::new().await;
    let mut client = Client::in_room(node.address, "/", "room").await;
    assert_eq!(node.get("/v1/rooms/room").await.json()["members"], 1);
    node.delete("/v1/rooms/room").await.is(204);
    node.post("/v1/rooms/room/messages", r#"{"event":"to room"}"#).await.is(202);
    node.post("/v1/broadcast", r#"{"event":"to all"}"#).await.is(202);
    assert_eq!(client.event().await, r#"["to all"]"#);
    node.get("/v1/rooms/room/members").await.problem(404, "ROOM_NOT_FOUND");
    node.post("/v1/rooms", r#"{"id":"room"}"#).await.is(201);
    assert_eq!(node.get("/v1/rooms/room/members").await.json(), json!({ "items": [] }));
}
