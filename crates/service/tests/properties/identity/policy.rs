//! What clients may do.

use async_trait::async_trait;
use roomwire_core::Namespace;
use roomwire_service::{
    Actor, AuthorizedClient, ClientId, Data, Error, ErrorCode, Gateway, PageRequest, RoomId, RoomPolicy,
    WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryState;
use serde_json::{Value, json};

use super::fixture::{Believer, Fixture, Shown, refusal, showing};
use crate::fixture::{config, server};

fn gateway() -> Gateway {
    async fn join(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<(), Error> {
        me.join_room(&room).await
    }
    async fn leave(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<(), Error> {
        me.leave_room(&room).await
    }
    async fn say(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<(), Error> {
        me.broadcast_to_room(&room, "said", me.client().id()).await
    }
    async fn tell(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<(), Error> {
        me.broadcast_to_others(&room, "said", me.client().id()).await
    }
    async fn whisper(me: AuthorizedClient, Data(client): Data<ClientId>) -> Result<(), Error> {
        me.send_to_client(&client, "whispered", me.client().id()).await
    }
    async fn members(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<Vec<ClientId>, Error> {
        let page = me.members(&room, &PageRequest::first(10)).await?;
        Ok(page.items.into_iter().map(|member| member.client).collect())
    }
    let gateway = Gateway::new().on("join", join).on("leave", leave).on("say", say);
    gateway.on("tell", tell).on("whisper", whisper).on("members", members)
}

async fn ask(client: &TestClient, event: &str, what: &str) -> Result<Value, ErrorCode> {
    client.emit_with_ack::<Value>(event, &what).await.map_err(|error| error.code())
}

const NO: Result<Value, ErrorCode> = Err(ErrorCode::Forbidden);
const YES: Result<Value, ErrorCode> = Ok(Value::Null);

#[tokio::test]
async fn by_default_only_members_publish_to_their_rooms_and_read_their_members() {
    let fixture = Fixture::new(Believer, gateway()).await;
    let mut ada = fixture.connect("a", &Shown::of("ada")).await.expect("admitted");
    let mut bob = fixture.connect("b", &Shown::of("bob")).await.expect("admitted");
    assert_eq!(ask(&ada, "join", "room").await, YES);
    for event in ["say", "tell", "members"] {
        assert_eq!(ask(&bob, event, "room").await, NO, "{event}");
        assert_eq!(ask(&bob, event, "nowhere").await, NO, "{event}");
    }
    assert_eq!(ask(&bob, "whisper", "a").await, NO);
    assert_eq!(
        ask(&bob, "whisper", "nobody").await,
        NO,
        "a client that may not send does not learn which clients exist"
    );
    assert!(ada.drain().is_empty());
    assert_eq!(ask(&ada, "members", "room").await, Ok(json!(["a"])));
    assert_eq!(ask(&bob, "join", "room").await, YES);
    assert_eq!(ask(&bob, "say", "room").await, YES);
    assert_eq!((ada.expect::<String>("said").await, bob.expect::<String>("said").await), ("b".into(), "b".into()));
    assert_eq!(ask(&bob, "tell", "room").await, YES);
    assert_eq!(ada.expect::<String>("said").await, "b");
    assert!(bob.drain().is_empty());
    assert_eq!(ask(&bob, "leave", "room").await, YES);
    assert_eq!(ask(&bob, "say", "room").await, NO);
    assert!(ada.drain().is_empty());
}

#[tokio::test]
async fn claims_grant_without_any_code_and_renewed_claims_at_once() {
    let fixture = Fixture::new(Believer, gateway()).await;
    let mut listener = fixture.connect("l", &Shown::of("listener")).await.expect("admitted");
    for room in ["team-7-chat", "news"] {
        fixture.server.service().join_room(listener.handle(), room).await.expect("joins");
    }
    let claims = json!({ "rooms": { "join": ["team-7-*"], "publish": ["news"], "members": ["n*"] }, "message": true });
    let ada = fixture.connect("a", &Shown::of("ada").with_claims(&claims)).await.expect("admitted");
    assert_eq!(ask(&ada, "join", "team-7-chat").await, YES);
    assert_eq!(ask(&ada, "join", "news").await, NO);
    assert_eq!(ask(&ada, "say", "news").await, YES);
    assert_eq!(listener.expect::<String>("said").await, "a");
    assert_eq!(ask(&ada, "members", "news").await, Ok(json!(["l"])));
    assert_eq!(ask(&ada, "whisper", "l").await, YES);
    assert_eq!(listener.expect::<String>("whispered").await, "a");
    assert_eq!(ask(&ada, "whisper", "nobody").await, Err(ErrorCode::ClientNotFound));
    let fewer = Shown::of("ada").with_claims(&json!({ "rooms": [] }));
    ada.emit_with_ack::<Value>("authenticate", &fewer).await.expect("renewed");
    assert_eq!(ask(&ada, "say", "news").await, NO);
    assert_eq!(ask(&ada, "join", "team-7-other").await, NO);
    assert_eq!(ask(&ada, "join", "team-7-chat").await, YES, "it is there already");
    assert_eq!(ask(&ada, "say", "team-7-chat").await, YES, "members publish");
}

#[tokio::test]
async fn anonymous_clients_join_only_in_a_service_without_authentication() {
    let asking = Fixture::new(Believer, gateway()).await;
    let stranger = asking.connect("s", &Shown::default()).await.expect("admitted");
    assert_eq!(ask(&stranger, "join", "room").await, NO);
    let granted = Shown::default().with_claims(&json!({ "rooms": ["lobby"] }));
    let guest = asking.connect("g", &granted).await.expect("admitted");
    assert_eq!(ask(&guest, "join", "lobby").await, YES);
    let trusting = server(gateway()).await;
    let anybody = trusting.connect().await.expect("connects");
    assert_eq!(ask(&anybody, "join", "room").await, YES);
    assert_eq!(ask(&anybody, "say", "room").await, YES);
}

/// Rooms of one's own name only, everything else as it is by default; messages to the boss are refused.
#[derive(Debug)]
struct OwnRooms;

#[async_trait]
impl RoomPolicy for OwnRooms {
    async fn may_join(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        Ok(actor.identity.user.as_ref().is_some_and(|user| user.as_str() == room.as_str()))
    }

    async fn may_message(&self, actor: &Actor, client: &ClientId) -> Result<bool, Error> {
        assert!(!actor.is_member && actor.is_authenticated && actor.client.namespace == Namespace::root());
        if client.as_str() == "boss" {
            return Err(Error::application("BOSS_IS_BUSY", "Not now"));
        }
        Ok(true)
    }
}

#[tokio::test]
async fn a_policy_of_the_application_decides_what_it_writes_and_the_rest_stays_as_it_is() {
    let builder = WebSocketService::builder(config()).state(MemoryState::new());
    let service = builder.authenticator(Believer).room_policy(OwnRooms).build().await.expect("builds");
    let server = TestServer::new(service, gateway()).expect("mounts");
    let connect = async |id: &str| server.connect_with(&Namespace::root(), showing(id, &Shown::of(id))).await;
    let (ada, bob) = (connect("ada").await.expect("admitted"), connect("bob").await.expect("admitted"));
    assert_eq!(ask(&ada, "join", "ada").await, YES);
    let refused = refusal(ada.emit_with_ack::<Value>("join", &"bob").await);
    assert_eq!(refused, (ErrorCode::Forbidden, "You may not join this room".to_owned()));
    assert_eq!(ask(&ada, "say", "ada").await, YES);
    assert_eq!(ask(&bob, "say", "ada").await, NO);
    assert_eq!(ask(&bob, "whisper", "ada").await, YES);
    assert_eq!(ask(&bob, "whisper", "boss").await.expect_err("refused").as_str(), "BOSS_IS_BUSY");
    // No policy refuses what the server decides.
    server.service().join_room(bob.handle(), "ada").await.expect("joins");
    server.service().broadcast_to_room("ada", "said", &1).await.expect("sends");
}
