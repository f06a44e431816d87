//! What each target shows of the clients of its node.

use std::time::Duration;

use async_trait::async_trait;
use roomwire_core::{Authenticator, ConnectRequest};
use roomwire_service::{
    Activity, ClientId, Error, FollowTarget, Handshake, Identity, Namespace, UserId, WebSocketService,
    testing::TestServer,
};
use roomwire_state_memory::MemoryState;

use super::{all_short, client, drain, gateway, next, room, short};
use crate::fixture::{config, eventually, server};

#[tokio::test]
async fn a_client_is_shown_with_all_that_it_does_and_gets() {
    let server = server(gateway()).await;
    let service = server.service();
    let (ada, bob) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    let mut follower = service.follow(client(ada.handle())).await.expect("follows");
    ada.emit_with_ack::<()>("join", &"r").await.expect("joins");
    bob.emit_with_ack::<()>("join", &"r").await.expect("joins");
    ada.emit_with_ack::<()>("refuse", &"x").await.expect_err("refused");
    ada.emit_with_ack::<()>("nothing", &"x").await.expect_err("unknown");
    service.broadcast_to_room("r", "to-room", &1).await.expect("sends");
    service.broadcast_to_room_except(ada.id(), "r", "not-to-ada", &2).await.expect("sends");
    service.broadcast("to-all", &3).await.expect("sends");
    service.broadcast_except(ada.id(), "not-to-ada", &4).await.expect("sends");
    service.send_to_client(ada.id(), "to-ada", &5).await.expect("sends");
    service.send_to_client(bob.id(), "to-bob", &6).await.expect("sends");
    ada.emit_with_ack::<()>("leave", &"r").await.expect("leaves");
    service.broadcast_to_room("r", "to-room", &7).await.expect("sends");
    assert_eq!(
        all_short(&mut follower),
        [
            "joined",
            "join OK",
            "refuse FORBIDDEN",
            "nothing UNKNOWN_EVENT",
            "sent to-room 1",
            "sent to-all 3",
            "sent to-ada 5",
            "left left",
            "leave OK"
        ]
    );
    ada.disconnect();
    assert_eq!(short(&next(&mut follower).await), "disconnected client disconnected");
}

#[tokio::test]
async fn a_room_is_shown_with_the_events_of_its_members_and_each_message_once() {
    let server = server(gateway()).await;
    let service = server.service();
    let (ada, bob) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    let mut follower = service.follow(room("r")).await.expect("follows");
    bob.emit_with_ack::<()>("refuse", &"x").await.expect_err("refused, and no member yet");
    for client in [&ada, &bob] {
        client.emit_with_ack::<()>("join", &"r").await.expect("joins");
    }
    ada.emit_with_ack::<()>("refuse", &"x").await.expect_err("refused");
    service.broadcast_to_room_except(ada.id(), "r", "n", &1).await.expect("sends");
    let items = drain(&mut follower);
    let shorts: Vec<_> = items.iter().map(short).collect();
    assert_eq!(shorts, ["joined", "join OK", "joined", "join OK", "refuse FORBIDDEN", "sent n 1"]);
    assert!(matches!(
        &items[5].activity,
        Activity::Sent { queued: 1, failed: 0, except: Some(except), .. } if except == ada.id()
    ));
    let Activity::Received { payload, took, .. } = &items[4].activity else { panic!("{items:?}") };
    assert_eq!(payload.as_ref().map(roomwire_service::Payload::arguments), Some(r#""x""#));
    assert!(took.is_some() && items[4].client.as_ref() == Some(ada.id()));
}

async fn connect_as(server: &TestServer, user: &UserId, id: &str) -> roomwire_service::testing::TestClient {
    let identity = Identity::of(user.clone());
    let handshake = Handshake::identified(ClientId::new(id).expect("valid"), identity);
    server.connect_with(&Namespace::root(), handshake).await.expect("connects")
}

#[tokio::test]
async fn a_user_is_shown_from_connect_to_disconnect_with_all_its_clients() {
    let server = server(gateway()).await;
    let service = server.service();
    let [ada, bob] = ["ada", "bob"].map(|name| UserId::new(name).expect("valid"));
    let first = connect_as(&server, &ada, "first").await;
    let mut follower = service.follow(FollowTarget::User(ada.clone())).await.expect("follows");
    let other = connect_as(&server, &bob, "other").await;
    let second = connect_as(&server, &ada, "second").await;
    for client in [&first, &second, &other] {
        client.emit_with_ack::<()>("join", &"r").await.expect("joins");
    }
    service.send_to_user(&ada, "hi", &1).await.expect("sends");
    service.send_to_user(&bob, "hi", &2).await.expect("sends");
    service.broadcast_to_room("r", "n", &3).await.expect("sends");
    assert_eq!(
        all_short(&mut follower),
        ["connected", "joined", "join OK", "joined", "join OK", "sent hi 1", "sent n 3"]
    );
    for client in [first, second, other] {
        client.disconnect();
        drop(client);
    }
    for _ in 0..2 {
        let items = [next(&mut follower).await, next(&mut follower).await];
        assert_eq!(items.each_ref().map(short), ["left client disconnected", "disconnected client disconnected"]);
        assert!(items.iter().all(|item| item.user.as_ref() == Some(&ada)), "{items:?}");
    }
    eventually("all are gone", async || service.client_count().await.expect("answers") == 0).await;
    assert!(drain(&mut follower).is_empty());
}

#[derive(Debug)]
struct Anyone;

#[async_trait]
impl Authenticator for Anyone {
    async fn authenticate(&self, _: &ConnectRequest) -> Result<Identity, Error> {
        Ok(Identity::anonymous())
    }
}

#[tokio::test]
async fn credentials_are_left_out() {
    let builder = WebSocketService::builder(config()).state(MemoryState::new()).authenticator(Anyone);
    let server = TestServer::new(builder.build().await.expect("builds"), gateway()).expect("mounts");
    let ada = server.connect().await.expect("connects");
    let mut follower = server.service().follow(FollowTarget::All).await.expect("follows");
    ada.emit_with_ack::<serde_json::Value>("authenticate", &serde_json::json!({"token": "SECRET"}))
        .await
        .expect("is anyone");
    // Also if the event is rejected before it reaches the authenticator.
    let deep = (0..200).fold(serde_json::json!("SECRET"), |inner, _| serde_json::json!([inner]));
    ada.emit_with_ack::<()>("authenticate", &deep).await.expect_err("too deep");
    let items = drain(&mut follower);
    assert_eq!(items.iter().map(short).collect::<Vec<_>>(), ["authenticate OK", "authenticate INVALID_PAYLOAD"]);
    assert!(!format!("{items:?}").contains("SECRET"), "{items:?}");
}

#[tokio::test]
async fn requests_for_acknowledgements_are_shown_with_their_outcome() {
    let server = server(gateway()).await;
    let service = server.service();
    let mut ada = server.connect().await.expect("connects");
    let mut follower = service.follow(client(ada.handle())).await.expect("follows");
    let id = ada.id().clone();
    let asked = service.send_to_client_with_ack::<i32>(&id, "ask", &1, Duration::from_secs(60));
    let answers = async { ada.next().await.expect("arrives").acknowledge(&2).expect("encodes") };
    let (asked, ()) = tokio::join!(asked, answers);
    assert_eq!(asked.expect("acknowledged"), 2);
    let silent = service.send_to_client_with_ack::<i32>(ada.id(), "ask", &1, Duration::from_millis(1)).await;
    silent.expect_err("times out");
    let items = drain(&mut follower);
    assert_eq!(items.iter().map(short).collect::<Vec<_>>(), ["asked ask OK", "asked ask TIMEOUT"]);
    let Activity::AckRequested { answer, .. } = &items[0].activity else { panic!("{items:?}") };
    assert_eq!(answer.as_ref().map(roomwire_service::Payload::arguments), Some("2"));
}

#[tokio::test]
async fn events_that_are_rejected_before_their_handler_are_shown() {
    let mut config = config();
    config.limits.events_per_second = 1;
    config.limits.event_burst = 1;
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let server = TestServer::new(service.clone(), gateway()).expect("mounts");
    let ada = server.connect().await.expect("connects");
    let mut follower = service.follow(FollowTarget::All).await.expect("follows");
    ada.emit(&"x".repeat(1000), "x");
    ada.emit("join", "r");
    ada.emit_with_ack::<()>("join", &"r").await.expect_err("limited");
    let received: Vec<_> = all_short(&mut follower).into_iter().filter(|item| !item.starts_with("sent")).collect();
    assert_eq!(received, ["? INVALID_NAME", "join RATE_LIMITED", "join RATE_LIMITED"]);
}
