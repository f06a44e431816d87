//! What handlers are given, and what their results become.

use serde::{Deserialize, Serialize};

use roomwire_core::Namespace;
use roomwire_service::{
    Client, ClientId, Data, DisconnectReason, Encoded, Error, ErrorCode, Event, EventName, FromEvent, Gateway,
    Handshake, Identity, LeftRooms, Payload, Requirement, RoomId, State, UserId, WebSocketService,
};
use tokio::sync::mpsc;

use crate::fixture::{server, within};

#[derive(Debug, Deserialize, Serialize)]
struct Message {
    room: RoomId,
    text: String,
}

#[tokio::test]
async fn a_handler_gets_up_to_eight_arguments_of_every_kind() {
    #[expect(clippy::too_many_arguments, reason = "as many as there may be")]
    async fn all(
        service: WebSocketService,
        client: Client,
        Data(message): Data<Message>,
        State(factor): State<u32>,
        State(prefix): State<&'static str>,
        name: EventName,
        payload: Payload,
        event: Event,
    ) -> Result<String, Error> {
        assert!(service.local_client(client.id()).is_some());
        assert_eq!((event.name(), event.payload(), event.client()), (&name, &payload, &client));
        assert!(event.wants_ack());
        Ok(format!("{prefix} {name} {} {} {}", message.room, message.text, factor))
    }
    let server = server(Gateway::new().with_state(7_u32).with_state("so").on("all", all)).await;
    let client = server.connect().await.expect("connects");
    let message = Message { room: RoomId::new("r").expect("valid"), text: "hi".to_owned() };
    assert_eq!(client.emit_with_ack::<String>("all", &message).await.expect("answers"), "so all r hi 7");
}

#[tokio::test]
async fn closures_no_arguments_several_arguments_and_encoded_answers_work() {
    async fn none() -> Result<Option<u8>, Error> {
        Ok(None)
    }
    async fn two(Data((a, b)): Data<(String, u32)>) -> Result<Encoded, Error> {
        Ok(Encoded(Payload::join([Payload::encode(&b)?, Payload::encode(&a)?])))
    }
    let offset = 40;
    let add = move |Data(number): Data<u32>| async move { Ok::<_, Error>(number + offset) };
    let server = server(Gateway::new().on("none", none).on("two", two).on("add", add)).await;
    let client = server.connect().await.expect("connects");
    assert_eq!(client.emit_with_ack::<Option<u8>>("none", Payload::default()).await.expect("answers"), None);
    let pair = Payload::from_encoded(r#""x",5"#.into(), Vec::new());
    assert_eq!(client.emit_with_ack::<(u32, String)>("two", pair).await.expect("answers"), (5, "x".to_owned()));
    assert_eq!(client.emit_with_ack::<u32>("add", &2).await.expect("answers"), 42);
}

/// A signed-in user; everybody else is refused before the handler runs.
struct SignedIn(UserId);

impl FromEvent for SignedIn {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        tokio::task::yield_now().await;
        event.client().user().cloned().map(Self).ok_or_else(|| Error::new(ErrorCode::Unauthorized))
    }

    fn requires() -> Option<Requirement> {
        Some(Requirement::state::<u32>())
    }
}

#[tokio::test]
async fn an_extractor_of_the_application_gives_its_type_or_refuses_and_the_handler_does_not_run() {
    async fn whoami(SignedIn(user): SignedIn) -> Result<UserId, Error> {
        Ok(user)
    }
    let server = server(Gateway::new().with_state(1_u32).on("whoami", whoami)).await;
    let stranger = server.connect().await.expect("connects");
    let refused = stranger.emit_with_ack::<UserId>("whoami", &()).await.expect_err("nobody");
    assert_eq!((refused.code(), refused.message()), (ErrorCode::Unauthorized, "Not authorized"));
    let ada = Identity::of(UserId::new("ada").expect("valid"));
    let handshake = Handshake::identified(ClientId::new("c").expect("valid"), ada);
    let ada = server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    assert_eq!(ada.emit_with_ack::<String>("whoami", &()).await.expect("answers"), "ada");
}

#[tokio::test]
async fn on_connect_gets_the_handshake_and_on_disconnect_the_rooms_and_the_reason() {
    type Log = mpsc::UnboundedSender<String>;
    async fn connected(State(log): State<Log>, name: EventName, Data(token): Data<String>) -> Result<(), Error> {
        log.send(format!("{name} {token}")).map_err(Error::internal)
    }
    async fn gone(
        State(log): State<Log>,
        name: EventName,
        LeftRooms(rooms): LeftRooms,
        why: DisconnectReason,
        client: Client,
    ) -> Result<(), Error> {
        assert!(!client.is_connected() && client.rooms().is_empty());
        log.send(format!("{name} {rooms:?} {why}")).map_err(Error::internal)
    }
    async fn nothing(LeftRooms(rooms): LeftRooms) -> Result<usize, Error> {
        Ok(rooms.len())
    }
    async fn no_reason(why: DisconnectReason) -> Result<String, Error> {
        Ok(why.to_string())
    }
    let (log, mut logged) = mpsc::unbounded_channel::<String>();
    let gateway = Gateway::new().with_state(log).on_connect(connected).on_disconnect(gone);
    let server = server(gateway.on("nothing", nothing).on("no-reason", no_reason)).await;
    let handshake = Handshake {
        auth: Payload::encode(&"token").expect("encodes"),
        ..Handshake::new(ClientId::new("c").expect("valid"))
    };
    let client = server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    assert_eq!(client.emit_with_ack::<usize>("nothing", &()).await.expect("answers"), 0);
    let refused = client.emit_with_ack::<String>("no-reason", &()).await.expect_err("it is here");
    assert_eq!(refused.code(), ErrorCode::Internal);
    for room in ["b", "a"] {
        server.service().join_room(client.handle(), room).await.expect("joins");
    }
    client.disconnect();
    assert_eq!(within("on_connect", logged.recv()).await.as_deref(), Some("connect token"));
    let gone: String = within("on_disconnect", logged.recv()).await.expect("logged");
    assert!(gone.ends_with("client disconnected"), "{gone}");
    assert!(gone.contains("\"a\"") && gone.contains("\"b\""), "{gone}");
}
