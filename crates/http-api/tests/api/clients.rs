//! Clients, of this node and of others.

use roomwire_state_memory::MemoryHub;
use serde_json::json;

use crate::{
    client::Client,
    fixture::{Node, eventually},
};

#[tokio::test]
async fn a_client_of_any_node_is_read_and_disconnected_and_the_others_stay() {
    let hub = MemoryHub::new();
    let (asked, other) = (Node::of(&hub, "asked").await, Node::of(&hub, "other").await);
    for home in [&asked, &other] {
        let mut client = Client::in_room(home.address, "/", "room").await;
        let mut stays = Client::in_room(home.address, "/", "room").await;
        let target = format!("/v1/clients/{}", client.id);
        let read = asked.get(&target).await.is(200).json();
        assert_eq!((&read["id"], &read["rooms"]), (&json!(client.id), &json!(["room"])));
        assert_eq!(read["node"], json!(home.service.node_id()));
        asked.get(&format!("{target}?namespace=/admin")).await.problem(404, "CLIENT_NOT_FOUND");

        asked.delete(&target).await.is(202);
        client.is_disconnected().await;
        eventually("it is gone", async || asked.get(&target).await.status == 404).await;
        asked.post(&format!("/v1/clients/{}/messages", stays.id), r#"{"event":"still here"}"#).await.is(202);
        assert_eq!(stays.event().await, r#"["still here"]"#);
    }
}
