//! Nodes.

use http::Method;
use roomwire_state_memory::MemoryHub;
use serde_json::json;

use crate::{
    client::Client,
    fixture::{Node, eventually},
};

#[tokio::test]
async fn nodes_are_listed_and_any_of_them_is_drained_by_its_id() {
    let hub = MemoryHub::new();
    let (asked, drained) = (Node::of(&hub, "asked").await, Node::of(&hub, "a/b räume").await);
    let mut client = Client::in_room(drained.address, "/", "room").await;
    let listed = asked.get("/v1/nodes").await.is(200).json();
    assert_eq!(
        listed["items"],
        json!([{ "id": "a/b räume", "clients": 1, "memberships": 1 }, { "id": "asked", "clients": 0, "memberships": 0 }])
    );

    asked.ask(Method::POST, "/v1/nodes/a%2Fb%20r%C3%A4ume/drain", None).await.is(202);
    client.is_disconnected().await;
    let alone = json!([{ "id": "asked", "clients": 0, "memberships": 0 }]);
    eventually("it leaves the cluster", async || asked.get("/v1/nodes").await.json()["items"] == alone).await;
    drained.layer.shut_down().await;
    let text = asked.ask(Method::POST, "/v1/nodes/asked/drain", None).await.problem(409, "LAST_NODE");
    assert!(text.contains("SIGTERM"), "{text}");
    assert!(!asked.service.is_draining());
    asked.ask(Method::POST, "/v1/nodes/a%2Fb%20r%C3%A4ume/drain", None).await.problem(404, "NODE_NOT_FOUND");
}
