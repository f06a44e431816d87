//! Rooms: created, changed, read, deleted, on whichever node it is asked for.

use roomwire_core::{Namespace, RoomId, RoomKey};
use roomwire_service::{
    ClientId, Error, ErrorCode, Gateway, LeaveReason, Metadata, NewRoom, PageRequest, ServiceEvent, WebSocketService,
};

use crate::fixture::{Cluster, Ledger, Stay, eventually, server};

fn key(room: &str) -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new(room).expect("valid"))
}

fn code<T>(result: Result<T, Error>) -> ErrorCode {
    result.err().expect("refused").code()
}

#[tokio::test]
async fn a_room_created_by_name_has_what_it_was_given_and_stays_without_members() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let metadata = Metadata::from_iter([("topic".to_owned(), "rust".into())]);
    let new = NewRoom::with_capacity(1).named("The lobby").with_metadata(metadata.clone());
    let created = here.service.create_room("lobby", new).await.expect("created");
    let client = there.server.connect().await.expect("connects");
    there.service.join_room(client.handle(), "lobby").await.expect("joins");
    let read = here.service.room("lobby").await.expect("exists");
    assert_eq!(
        (read.name.as_str(), read.capacity, &read.metadata, read.closed),
        ("The lobby", Some(1), &metadata, false)
    );
    assert_eq!((read.created_at, read.clients), (created.created_at, vec![client.id().clone()]));
    assert_eq!(code(there.service.create_room("lobby", NewRoom::default()).await), ErrorCode::Forbidden);
    there.service.leave_room(client.handle(), "lobby").await.expect("leaves");
    assert_eq!(here.service.room("lobby").await.expect("still exists").clients, Vec::<ClientId>::new());
}

#[tokio::test]
async fn a_room_that_came_by_joining_goes_with_its_last_member() {
    let server = server(Gateway::new()).await;
    let service = server.service();
    let (one, two) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    for client in [&one, &two] {
        service.join_room(client.handle(), "r").await.expect("joins");
        service.join_room(client.handle(), "r").await.expect("joining again is one membership");
    }
    assert_eq!(service.member_count("r").await.expect("answers"), 2);
    service.leave_room(one.handle(), "r").await.expect("leaves");
    assert_eq!(service.room("r").await.expect("exists").clients, [two.id().clone()]);
    service.leave_room(two.handle(), "r").await.expect("leaves");
    assert_eq!(code(service.room("r").await), ErrorCode::RoomNotFound);
    assert_eq!(code(service.leave_room(two.handle(), "r").await), ErrorCode::NotInRoom);
    assert_eq!(service.member_count("r").await.expect("answers"), 0);
}

#[tokio::test]
async fn capacity_and_closing_refuse_with_their_code_and_a_change_takes_effect() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let client = there.server.connect().await.expect("connects");
    let join = || there.service.join_room(client.handle(), "r");

    here.service.create_room("r", NewRoom::with_capacity(0)).await.expect("created");
    assert_eq!(code(join().await), ErrorCode::RoomFull);
    assert_eq!(here.service.set_room_capacity("r", Some(1)).await.expect("set").capacity, Some(1));
    join().await.expect("there is a place now");
    there.service.leave_room(client.handle(), "r").await.expect("leaves");
    assert!(here.service.close_room("r").await.expect("closed").closed);
    let refused = join().await.expect_err("closed");
    assert_eq!((refused.code(), refused.message()), (ErrorCode::RoomClosed, "Room is closed"));
    assert!(!here.service.open_room("r").await.expect("opened").closed);
    join().await.expect("open again");
    assert_eq!(here.service.set_room_capacity("r", None).await.expect("set").capacity, None);

    let metadata = Metadata::from_iter([("topic".to_owned(), "tea".into())]);
    assert_eq!(here.service.set_room_metadata("r", metadata.clone()).await.expect("set").metadata, metadata);
    assert_eq!(there.service.room("r").await.expect("exists").metadata, metadata);
}

#[tokio::test]
async fn what_does_not_exist_or_has_a_bad_name_is_refused_with_its_code() {
    let server = server(Gateway::new()).await;
    let service = server.service();
    let client = server.connect().await.expect("connects");
    assert_eq!(code(service.open_room("r").await), ErrorCode::RoomNotFound);
    assert_eq!(code(service.set_room_capacity("r", None).await), ErrorCode::RoomNotFound);
    assert_eq!(code(service.set_room_metadata("r", Metadata::new()).await), ErrorCode::RoomNotFound);
    assert_eq!(code(service.delete_room("r").await), ErrorCode::RoomNotFound);
    assert_eq!(code(service.room("r").await), ErrorCode::RoomNotFound);
    let long = "x".repeat(129);
    assert_eq!(code(service.join_room(client.handle(), &long).await), ErrorCode::InvalidName);
    assert_eq!(code(service.leave_room(client.handle(), "").await), ErrorCode::InvalidName);
    assert_eq!(code(service.create_room("a\0", NewRoom::default()).await), ErrorCode::InvalidName);
    assert_eq!(code(service.close_room("").await), ErrorCode::InvalidName);
    assert_eq!(code(service.delete_room("").await), ErrorCode::InvalidName);
    assert_eq!(code(service.member_count("").await), ErrorCode::InvalidName);
    assert_eq!(code(service.namespace("admin")), ErrorCode::InvalidName);
}

#[tokio::test]
async fn closing_a_room_that_does_not_exist_keeps_every_client_out_of_it() {
    let server = server(Gateway::new()).await;
    let client = server.connect().await.expect("connects");
    server.service().close_room("r").await.expect("closed");
    assert_eq!(code(server.service().join_room(client.handle(), "r").await), ErrorCode::RoomClosed);
    assert!(client.handle().rooms().is_empty());
}

/// A member of `r` on each node.
async fn join_all(cluster: &Cluster, clients: &[roomwire_service::testing::TestClient]) {
    for (node, client) in cluster.nodes.iter().zip(clients) {
        node.service.join_room(client.handle(), "r").await.expect("joins");
    }
}

#[tokio::test]
async fn a_deleted_room_is_left_by_all_its_members_on_every_node_once_and_can_be_joined_anew() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let mut clients = Vec::new();
    for node in &cluster.nodes {
        clients.push(node.server.connect().await.expect("connects"));
    }
    join_all(&cluster, &clients).await;
    cluster.nodes[0].service.delete_room("r").await.expect("deleted");
    assert_eq!(code(cluster.nodes[1].service.room("r").await), ErrorCode::RoomNotFound);
    eventually("all are out", async || clients.iter().all(|client| client.handle().rooms().is_empty())).await;
    eventually("nobody listens", async || !cluster.hears("r")).await;
    let mut everybody: Vec<_> = clients.iter().map(|client| (client.id().clone(), LeaveReason::RoomDeleted)).collect();
    everybody.sort_by(|(a, _), (b, _)| a.cmp(b));
    ledger.complete().await;
    assert_eq!(ledger.left("r"), everybody);
    assert_eq!(code(cluster.nodes[1].service.leave_room(clients[1].handle(), "r").await), ErrorCode::NotInRoom);

    // A new incarnation of the room: nothing of the old one comes back.
    join_all(&cluster, &clients).await;
    cluster.nodes[2].service.broadcast_to_room("r", "news", &1).await.expect("sends");
    for client in &mut clients {
        assert_eq!(client.expect::<i32>("news").await, 1);
    }
    ledger.complete().await;
    let stays = ledger.stays();
    assert!(clients.iter().all(|client| stays[&(key("r"), client.id().clone())] == Stay { joined: 2, left: 1 }));
}

#[tokio::test]
async fn what_happens_to_rooms_is_reported_by_the_node_that_did_it() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let (ledger, elsewhere) =
        (Ledger::of([cluster.nodes[0].service.clone()]), Ledger::of([cluster.nodes[1].service.clone()]));
    let service: &WebSocketService = &cluster.nodes[0].service;
    service.create_room("r", NewRoom::default()).await.expect("created");
    service.close_room("r").await.expect("closed");
    service.open_room("r").await.expect("opened");
    service.set_room_capacity("r", Some(9)).await.expect("set");
    service.set_room_metadata("r", Metadata::new()).await.expect("set");
    let client = cluster.nodes[0].server.connect().await.expect("connects");
    service.join_room(client.handle(), "r").await.expect("joins");
    service.delete_room("r").await.expect("deleted");
    ledger.complete().await;
    let (room, client) = (key("r"), client.handle());
    let events = ledger.events();
    let client_key = roomwire_core::ClientKey::new(Namespace::root(), client.id().clone());
    assert_eq!(
        events[..8],
        [
            ServiceEvent::RoomCreated { room: room.clone() },
            ServiceEvent::RoomClosed { room: room.clone() },
            ServiceEvent::RoomOpened { room: room.clone() },
            ServiceEvent::RoomChanged { room: room.clone() },
            ServiceEvent::RoomChanged { room: room.clone() },
            ServiceEvent::ClientConnected { client: client_key },
            ServiceEvent::Joined { room: room.clone(), client: client.id().clone() },
            ServiceEvent::Left { room: room.clone(), client: client.id().clone(), reason: LeaveReason::RoomDeleted },
        ]
    );
    assert_eq!(events[8], ServiceEvent::RoomDeleted { room });
    assert!(elsewhere.events().is_empty(), "each event is reported by one node");
}

#[tokio::test]
async fn rooms_and_members_are_read_in_pages_over_the_cluster() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let mut clients = Vec::new();
    for number in 0..50 {
        let node = &cluster.nodes[number % 2];
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "all").await.expect("joins");
        node.service.join_room(client.handle(), &format!("own-{number:02}")).await.expect("joins");
        clients.push(client);
    }
    let service = &cluster.nodes[0].service;
    let (mut rooms, mut page) = (Vec::new(), PageRequest::first(7));
    loop {
        let read = service.rooms(&page).await.expect("answers");
        rooms.extend(read.items.into_iter().map(|room| (room.id.to_string(), room.members)));
        let Some(next) = read.next else { break };
        page = PageRequest::after(next, 7);
    }
    rooms.sort_unstable();
    let mut expected = vec![("all".to_owned(), 50)];
    expected.extend((0..50).map(|number| (format!("own-{number:02}"), 1)));
    assert_eq!(rooms, expected);
    assert_eq!(service.room_count().await.expect("answers"), 51);

    let (mut members, mut page) = (Vec::new(), PageRequest::first(7));
    loop {
        let read = service.members("all", &page).await.expect("answers");
        members.extend(read.items.into_iter().map(|member| (member.client, member.node.to_string())));
        let Some(next) = read.next else { break };
        page = PageRequest::after(next, 7);
    }
    members.sort_unstable();
    let mut expected: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(number, client)| (client.id().clone(), if number % 2 == 0 { "a" } else { "b" }.to_owned()))
        .collect();
    expected.sort_unstable();
    assert_eq!(members, expected);
}
