//! A broadcast reaches exactly its receivers, on every node.

use roomwire_core::Namespace;
use roomwire_service::{ClientId, Error, ErrorCode, Gateway, Handshake, Payload, testing::TestClient};

use crate::fixture::{Cluster, Node, server};

/// Two clients on each of three nodes, the first of them a member of `r`.
async fn cluster() -> (Cluster, Vec<TestClient>, Vec<TestClient>) {
    let cluster = Cluster::of(3, Gateway::new).await;
    let (mut members, mut others) = (Vec::new(), Vec::new());
    for node in &cluster.nodes {
        let member = node.server.connect().await.expect("connects");
        node.service.join_room(member.handle(), "r").await.expect("joins");
        members.push(member);
        others.push(node.server.connect().await.expect("connects"));
    }
    (cluster, members, others)
}

/// Reads what arrived up to a last message that everybody gets.
async fn read(node: &Node, clients: &mut [TestClient]) -> Vec<Vec<String>> {
    node.service.broadcast("end", &()).await.expect("sends");
    let mut read = Vec::new();
    for client in clients {
        let mut events = Vec::new();
        loop {
            match client.next().await.expect("connected") {
                received if &*received.name == "end" => break,
                received => events.push(format!("{}({})", received.name, received.payload.arguments())),
            }
        }
        read.push(events);
    }
    read
}

#[tokio::test]
async fn a_broadcast_reaches_a_room_on_every_node_and_no_other_client() {
    let (cluster, mut members, mut others) = cluster().await;
    cluster.nodes[0].service.broadcast_to_room("r", "news", &1).await.expect("sends");
    assert_eq!(read(&cluster.nodes[0], &mut members).await, [["news(1)"]; 3]);
    assert_eq!(read(&cluster.nodes[0], &mut others).await.concat(), Vec::<String>::new());
}

#[tokio::test]
async fn a_room_gets_it_except_one_wherever_that_one_is() {
    let (cluster, mut members, _others) = cluster().await;
    for left_out in 0..3 {
        let except = members[left_out].id().clone();
        cluster.nodes[0].service.broadcast_to_room_except(except, "r", "news", &1).await.expect("sends");
        let mut expected = vec![vec!["news(1)".to_owned()]; 3];
        expected[left_out].clear();
        assert_eq!(read(&cluster.nodes[0], &mut members).await, expected);
    }
}

#[tokio::test]
async fn all_get_it_on_every_node_except_one() {
    let (cluster, mut members, mut others) = cluster().await;
    cluster.nodes[1].service.broadcast("news", &1).await.expect("sends");
    cluster.nodes[1].service.broadcast_except(members[2].handle(), "news", &2).await.expect("sends");
    let (both, one) = (vec!["news(1)".to_owned(), "news(2)".to_owned()], vec!["news(1)".to_owned()]);
    assert_eq!(read(&cluster.nodes[1], &mut members).await, [both.clone(), both.clone(), one]);
    assert_eq!(read(&cluster.nodes[1], &mut others).await, [both.clone(), both.clone(), both]);
}

#[tokio::test]
async fn a_client_that_left_gets_no_more_messages() {
    let (cluster, mut members, _others) = cluster().await;
    cluster.nodes[1].service.leave_room(members[1].handle(), "r").await.expect("leaves");
    cluster.nodes[0].service.broadcast_to_room("r", "news", &1).await.expect("sends");
    let expected = [vec!["news(1)".to_owned()], vec![], vec!["news(1)".to_owned()]];
    assert_eq!(read(&cluster.nodes[0], &mut members).await, expected);
}

#[tokio::test]
async fn binary_and_several_arguments_arrive_as_they_were_sent() {
    let (cluster, mut members, _others) = cluster().await;
    let bytes = roomwire_service::Binary::from(vec![0, 159, 146, 150]);
    let payload =
        Payload::join([Payload::encode(&"text").expect("encodes"), Payload::encode(&bytes).expect("encodes")]);
    cluster.nodes[0].service.broadcast_to_room("r", "news", payload).await.expect("sends");
    for member in &mut members {
        let (text, read): (String, roomwire_service::Binary) = member.expect("news").await;
        assert_eq!((text.as_str(), &read[..]), ("text", &bytes[..]));
    }
}

#[tokio::test]
async fn a_room_without_members_is_no_error_and_a_bad_name_is() {
    let server = server(Gateway::new()).await;
    let service = server.service();
    service.broadcast_to_room("nobody", "news", &1).await.expect("sends");
    let code = |result: Result<(), Error>| result.expect_err("refused").code();
    assert_eq!(code(service.broadcast_to_room("", "news", &1).await), ErrorCode::InvalidName);
    assert_eq!(code(service.broadcast_to_room("r", "disconnect", &1).await), ErrorCode::InvalidName);
    assert_eq!(code(service.broadcast("a\nb", &1).await), ErrorCode::InvalidName);
    assert_eq!(code(service.broadcast_except("", "news", &1).await), ErrorCode::InvalidName);
    let keys_are_lists = std::collections::HashMap::from([(vec![1], 1)]);
    assert_eq!(code(service.broadcast("news", &keys_are_lists).await), ErrorCode::Internal);
}

#[tokio::test]
async fn namespaces_with_rooms_of_the_same_name_never_meet() {
    let gateways = || [Gateway::new(), Gateway::of("/admin")];
    let cluster = Cluster::of(2, gateways).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let admin = Namespace::new("/admin").expect("valid");
    let id = || Handshake::new(ClientId::new("same").expect("valid"));
    let mut user = here.server.connect_with(&Namespace::root(), id()).await.expect("connects");
    let mut boss = there.server.connect_with(&admin, id()).await.expect("connects");
    here.service.join_room(user.handle(), "r").await.expect("joins");
    // Whichever handle is asked: a client belongs to its own namespace.
    there.service.join_room(boss.handle(), "r").await.expect("joins");
    let in_admin = here.service.namespace("/admin").expect("valid");
    assert_eq!(here.service.room("r").await.expect("exists").clients, [user.id().clone()]);
    assert_eq!(in_admin.client_count().await.expect("answers"), 1);

    for (service, text) in [(&here.service, "user"), (&in_admin, "boss")] {
        service.broadcast_to_room("r", "room", &text).await.expect("sends");
        service.broadcast("all", &text).await.expect("sends");
        service.send_to_client("same", "one", &text).await.expect("sends");
    }
    for event in ["room", "all", "one"] {
        assert_eq!(user.expect::<String>(event).await, "user");
        assert_eq!(boss.expect::<String>(event).await, "boss");
    }
    there.service.handle_disconnect(boss.handle(), roomwire_service::DisconnectReason::ClientDisconnected).await;
    assert_eq!(in_admin.room("r").await.expect_err("its last member is gone").code(), ErrorCode::RoomNotFound);
    assert_eq!(there.service.namespace("/admin").expect("valid").local_client_count(), 0);
    here.service.room("r").await.expect("the other one stays");
}
