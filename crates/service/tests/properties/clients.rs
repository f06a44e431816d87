//! Clients: what is known about them, and how they are listed.

use roomwire_core::Namespace;
use roomwire_service::{
    Client, ClientId, DisconnectReason, Error, ErrorCode, Gateway, Handshake, Identity, Metadata, PageRequest, Payload,
    ServiceEvent, UserId, WebSocketService,
};
use roomwire_state_memory::MemoryState;

use crate::fixture::{Cluster, Ledger, Moment, Wire, config, eventually, watched};

fn code<T>(result: Result<T, Error>) -> ErrorCode {
    result.err().expect("refused").code()
}

fn note(text: &str) -> Metadata {
    Metadata::from_iter([("note".to_owned(), text.into())])
}

#[tokio::test]
async fn a_client_is_known_on_every_node_with_what_it_brought() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let handshake = Handshake {
        auth: Payload::encode(&"secret").expect("encodes"),
        identity: Some(Identity::of(UserId::new("ada").expect("valid"))),
        metadata: note("from the start"),
        ..Handshake::new(ClientId::new("ada-1").expect("valid"))
    };
    let client = here.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    for room in ["b", "a"] {
        here.service.join_room(client.handle(), room).await.expect("joins");
    }
    let known = there.service.client("ada-1").await.expect("known");
    assert_eq!((known.id.as_str(), known.node.as_str(), known.user.as_deref()), ("ada-1", "a", Some("ada")));
    assert_eq!((&known.rooms[..], &known.metadata), (&client.handle().rooms()[..], &note("from the start")));
    assert_eq!(known.rooms, ["a", "b"]);
    assert_eq!(known.connected_at, client.handle().connected_at());
    assert_eq!(client.handle().handshake().decode::<String>().expect("decodes"), "secret");
    assert!(here.service.local_client(client.id()).is_some() && there.service.local_client(client.id()).is_none());
    assert_eq!(code(here.service.client("nobody").await), ErrorCode::ClientNotFound);
}

#[tokio::test]
async fn notes_about_a_client_are_replaced_everywhere_or_nowhere() {
    let mut config = config();
    config.retry_config.attempts = 0;
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    let client = node.server.connect().await.expect("connects");
    node.service.set_client_metadata(client.handle(), note("first")).await.expect("set");
    assert_eq!(client.handle().metadata(), note("first"));
    assert_eq!(node.service.client(client.id()).await.expect("known").metadata, note("first"));

    node.store.fail(Moment::Before, "set_client_metadata");
    assert_eq!(code(node.service.set_client_metadata(client.handle(), note("x")).await), ErrorCode::StateUnavailable);
    assert_eq!(client.handle().metadata(), note("first"));

    let handle = client.handle().clone();
    drop(client);
    eventually("it is gone", async || !handle.is_connected()).await;
    assert_eq!(code(node.service.set_client_metadata(&handle, note("late")).await), ErrorCode::ClientNotFound);
}

#[tokio::test]
async fn a_handle_outlives_its_client_and_says_so() {
    let cluster = Cluster::of(1, Gateway::new).await;
    let node = &cluster.nodes[0];
    let ledger = Ledger::of(cluster.services());
    let client = node.server.connect().await.expect("connects");
    node.service.join_room(client.handle(), "r").await.expect("joins");
    let handle: Client = client.handle().clone();
    client.disconnect();
    ledger.gone(1).await;
    assert!(!handle.is_connected() && handle.rooms().is_empty());
    assert_eq!(code(node.service.join_room(&handle, "r").await), ErrorCode::ClientNotFound);
    assert_eq!(code(node.service.leave_room(&handle, "r").await), ErrorCode::NotInRoom);
    assert_eq!(code(node.service.room("r").await), ErrorCode::RoomNotFound, "a late join creates no room");
    let again = node.service.handle_disconnect(&handle, DisconnectReason::ConnectionLost).await;
    assert!(again.is_empty(), "the second time does nothing");
    assert_eq!(ledger.assert_all_left().await, 1);
}

#[tokio::test]
async fn clients_are_read_in_pages_over_the_cluster() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let mut clients = Vec::new();
    for number in 0..40 {
        clients.push(cluster.nodes[number % 3].server.connect().await.expect("connects"));
    }
    let service = &cluster.nodes[1].service;
    let (mut read, mut page) = (Vec::new(), PageRequest::first(9));
    loop {
        let items = service.clients(&page).await.expect("answers");
        read.extend(items.items.into_iter().map(|client| client.id));
        let Some(next) = items.next else { break };
        page = PageRequest::after(next, 9);
    }
    read.sort_unstable();
    let mut expected: Vec<_> = clients.iter().map(|client| client.id().clone()).collect();
    expected.sort_unstable();
    assert_eq!(read, expected);
    assert_eq!(service.client_count().await.expect("answers"), 40);
    assert_eq!(service.local_client_count(), 13);
    let mut of_each: Vec<_> = service.nodes().await.expect("answers").into_iter().map(|node| node.clients).collect();
    of_each.sort_unstable();
    assert_eq!(of_each, [13, 13, 14]);
}

#[tokio::test]
async fn a_server_may_do_without_sessions() {
    let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
    let ledger = Ledger::of([service.clone()]);
    let handshake = Handshake::new(ClientId::new("c").expect("valid"));
    let client = service.handle_connection(handshake, Wire::unused()).await.expect("connects");
    service.join_room(&client, "b").await.expect("joins");
    service.join_room(&client, "a").await.expect("joins");
    let rooms = service.handle_disconnect(&client, DisconnectReason::PingTimeout).await;
    assert_eq!(rooms.len(), 2);
    assert_eq!(service.client_count().await.expect("answers"), 0);
    ledger.complete().await;
    let gone = |event: &ServiceEvent| {
        matches!(event, ServiceEvent::ClientDisconnected { reason: DisconnectReason::PingTimeout, .. })
    };
    assert_eq!(ledger.events().iter().filter(|event| gone(event)).count(), 1);
    assert_eq!(ledger.assert_all_left().await, 2);
}

#[tokio::test]
async fn an_admission_that_is_given_up_leaves_no_client_behind() {
    let node = watched(MemoryState::new(), config(), Gateway::new()).await;
    for moment in [Moment::Before, Moment::After] {
        let hold = node.store.hold(moment, "connect");
        let server = node.server.clone();
        let admission = tokio::spawn(async move { server.connect().await.map(drop) });
        hold.reached().await;
        admission.abort();
        assert!(admission.await.expect_err("given up").is_cancelled());
        hold.release();
        eventually("the store is told", async || node.store.take_log().contains(&"disconnect")).await;
        assert_eq!(node.service.client_count().await.expect("answers"), 0);
    }
    node.store.yield_randomly();
    for _ in 0..500 {
        let server = node.server.clone();
        let admission = tokio::spawn(async move { server.connect().await.map(drop) });
        crate::fixture::yield_randomly().await;
        admission.abort();
    }
    eventually("nobody is left", async || {
        crate::fixture::yield_randomly().await;
        node.service.client_count().await.expect("answers") == 0
    })
    .await;
}

#[tokio::test]
async fn a_disabled_service_accepts_no_client_and_begins_no_lease() {
    let mut config = config();
    config.enabled = false;
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    assert_eq!(code(node.server.connect().await), ErrorCode::ShuttingDown);
    assert_eq!(node.store.take_log(), Vec::<&str>::new());
    assert_eq!(node.bus.take_log(), Vec::<&str>::new());
}

#[tokio::test]
async fn when_a_client_was_last_active_is_told_with_the_heartbeat() {
    async fn nothing() -> Result<(), Error> {
        Ok(())
    }
    let clock = std::sync::Arc::new(roomwire_state_memory::ManualClock::new());
    let mut config = config();
    config.lease.heartbeat = std::time::Duration::from_millis(10);
    let builder = WebSocketService::builder(config).state(MemoryState::new()).clock(clock.clone());
    let service = builder.build().await.expect("builds");
    let server = roomwire_service::testing::TestServer::new(service.clone(), Gateway::new().on("do", nothing));
    let client = server.expect("mounts").connect().await.expect("connects");
    let connected = client.handle().connected_at();
    clock.advance(std::time::Duration::from_secs(60));
    client.emit_with_ack::<()>("do", &()).await.expect("acknowledged");
    let active = connected.plus(std::time::Duration::from_secs(60));
    eventually("it is told", async || service.client(client.id()).await.expect("known").last_active_at == active).await;
    assert_eq!(service.client(client.id()).await.expect("known").connected_at, connected);
}
