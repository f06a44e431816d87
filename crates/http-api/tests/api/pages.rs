//! Lists in pages.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{client::Client, fixture::Node};

/// The ids on all pages, and the number of pages.
async fn all(node: &Node, list: &str, id: &str) -> (BTreeSet<String>, usize) {
    let (mut ids, mut pages, mut target) = (BTreeSet::new(), 0, format!("{list}limit=2"));
    loop {
        let page = node.get(&target).await.is(200).json();
        pages += 1;
        let items = page["items"].as_array().expect("items");
        ids.extend(items.iter().map(|item| item[id].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { return (ids, pages) };
        target = format!("{list}limit=2&cursor={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
    }
}

#[tokio::test]
async fn rooms_members_and_clients_are_read_in_pages() {
    let node = Node::new().await;
    let rooms: BTreeSet<_> = ["a/b", "räume 🏠", "a b", "&=", "+"].map(str::to_owned).into();
    for room in &rooms {
        node.service.create_room(room, roomwire_service::NewRoom::default()).await.expect("creates");
    }
    let (found, pages) = all(&node, "/v1/rooms?", "id").await;
    assert_eq!(found, rooms);
    assert!(pages >= 3, "{pages}");

    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::in_room(node.address, "/", "room").await);
    }
    let ids: BTreeSet<_> = clients.iter().map(|client| client.id.clone()).collect();
    assert_eq!(all(&node, "/v1/clients?", "id").await, (ids.clone(), 3));
    assert_eq!(all(&node, "/v1/rooms/room/members?", "client").await, (ids, 3));
    assert!(all(&node, "/v1/clients?namespace=/admin&", "id").await.0.is_empty());
    assert!(all(&node, "/v1/users/none/clients?", "id").await.0.is_empty());
}
