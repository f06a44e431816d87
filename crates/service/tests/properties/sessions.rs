//! The end of a client's session, whatever its handlers do.

use std::{sync::Arc, time::Duration};

use roomwire_core::{LeaveReason, Namespace};
use roomwire_service::{
    Client, ClientId, DisconnectReason, Dispatcher, Error, EventName, Gateway, Handshake, Incoming, LeftRooms, Payload,
    Session, State, WebSocketService,
};
use roomwire_state_memory::MemoryState;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use crate::fixture::{Ledger, Wire, config, eventually, server, within};

async fn join(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "r").await
}

async fn session(gateway: Gateway) -> (WebSocketService, Session) {
    let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
    let dispatcher = Dispatcher::new(service.clone(), gateway).expect("mounts");
    let handshake = Handshake::new(ClientId::new("c").expect("valid"));
    let session = dispatcher.admit(&Namespace::root(), handshake, Wire::unused()).await.expect("admitted");
    (service, session)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_keeps_its_client_in_its_rooms_for_five_seconds_at_most() {
    #[derive(Clone)]
    struct Fixture(Arc<Notify>, mpsc::UnboundedSender<String>);
    async fn hang(State(fixture): State<Fixture>) -> Result<(), Error> {
        fixture.0.notified().await;
        Ok(())
    }
    async fn gone(State(fixture): State<Fixture>, LeftRooms(rooms): LeftRooms) -> Result<(), Error> {
        fixture.1.send(format!("{rooms:?}")).map_err(Error::internal)
    }
    let (go, (told, mut heard)) = (Arc::new(Notify::new()), mpsc::unbounded_channel::<String>());
    let gateway = Gateway::new().with_state(Fixture(go.clone(), told)).on("join", join).on("hang", hang);
    let server = server(gateway.on_disconnect(gone)).await;
    let ledger = Ledger::of([server.service().clone()]);
    let client = server.connect().await.expect("connects");
    client.emit_with_ack::<()>("join", &()).await.expect("joins");
    client.emit("hang", &());
    tokio::task::yield_now().await;

    let began = Instant::now();
    client.disconnect();
    ledger.gone(1).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    let reason = LeaveReason::Disconnected(DisconnectReason::ClientDisconnected);
    assert_eq!(ledger.left("r"), [(client.id().clone(), reason)]);
    assert!(heard.try_recv().is_err(), "handlers of one client run one at a time, to the last");
    go.notify_one();
    let rooms = within("on_disconnect", heard.recv()).await;
    assert_eq!(rooms.as_deref(), Some(r#"["r"]"#), "it learns of the rooms all the same");
    assert_eq!(ledger.assert_all_left().await, 1);
}

#[tokio::test]
async fn a_session_that_is_dropped_is_closed() {
    let (service, session) = session(Gateway::new()).await;
    let ledger = Ledger::of([service.clone()]);
    session.opened();
    service.join_room(session.client(), "r").await.expect("joins");
    drop(session);
    ledger.gone(1).await;
    assert_eq!(ledger.disconnected()[0].1, DisconnectReason::ConnectionLost);
    assert_eq!(ledger.assert_all_left().await, 1);
}

#[tokio::test]
async fn the_first_reason_for_the_end_counts() {
    let (service, session) = session(Gateway::new()).await;
    let ledger = Ledger::of([service.clone()]);
    session.opened();
    session.closed(DisconnectReason::PingTimeout);
    session.closed(DisconnectReason::ProtocolError);
    assert!(session.is_closed());
    drop(session);
    ledger.gone(1).await;
    ledger.complete().await;
    let reasons: Vec<_> = ledger.disconnected().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, [DisconnectReason::PingTimeout]);
}

#[tokio::test]
async fn a_session_that_never_opened_runs_no_handler_and_reports_nothing() {
    async fn never() -> Result<(), Error> {
        panic!("for a client that never took part")
    }
    let (service, session) = session(Gateway::new().on_connect(never).on_disconnect(never)).await;
    let ledger = Ledger::of([service.clone()]);
    assert_eq!(service.client_count().await.expect("answers"), 1);
    assert_eq!(service.local_client_count(), 0);
    drop(session);
    eventually("the store is told", async || service.client_count().await.expect("answers") == 0).await;
    assert_eq!(service.shutdown().await, 0, "it is finished");
    ledger.complete().await;
    assert!(ledger.disconnected().is_empty());
}

#[tokio::test]
async fn a_session_that_opens_while_the_node_stops_runs_no_handler() {
    #[derive(Clone)]
    struct Ran(mpsc::UnboundedSender<EventName>);
    async fn note(State(ran): State<Ran>, event: EventName) -> Result<(), Error> {
        ran.0.send(event).map_err(Error::internal)
    }
    let (ran, mut handlers) = mpsc::unbounded_channel();
    let gateway = Gateway::new().with_state(Ran(ran)).on_connect(note).on_disconnect(note).fallback(note);
    let (service, session) = session(gateway).await;
    let ledger = Ledger::of([service.clone()]);
    let stopping = tokio::spawn({
        let service = service.clone();
        async move { service.shutdown().await }
    });
    eventually("it stops", async || service.is_shutting_down()).await;
    session.opened();
    session.receive(Incoming { name: "event".into(), payload: Payload::default(), ack: None });
    session.closed(DisconnectReason::ClientDisconnected);
    assert_eq!(within("the stop", stopping).await.expect("no panic"), 0);
    ledger.gone(1).await;
    assert_eq!(handlers.try_recv().ok(), None, "on_disconnect does not run without on_connect");
}

#[tokio::test(start_paused = true)]
async fn what_the_client_cannot_wait_for_ends_all_the_same() {
    async fn slow(service: WebSocketService, client: Client) -> Result<(), Error> {
        let joining = service.join_room(&client, "r");
        // The handler gives up before the join has even begun to wait; the join ends by itself.
        let _ = tokio::time::timeout(Duration::ZERO, joining).await;
        Ok(())
    }
    let server = server(Gateway::new().on("slow", slow)).await;
    let ledger = Ledger::of([server.service().clone()]);
    let client = server.connect().await.expect("connects");
    client.emit_with_ack::<()>("slow", &()).await.expect("acknowledged");
    client.disconnect();
    ledger.gone(1).await;
    ledger.assert_all_left().await;
    assert_eq!(server.service().room_count().await.expect("answers"), 0);
}
