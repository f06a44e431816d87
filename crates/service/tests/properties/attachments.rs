//! Binary attachments are bounded both ways: official clients end their connection at the eleventh.

use std::time::Duration;

use roomwire_core::{NodeId, RoomId};
use roomwire_service::{
    Binary, Client, Data, Encoded, Error, ErrorCode, Gateway, Payload, WebSocketConfig, WebSocketService,
};
use roomwire_state_memory::MemoryHub;

use crate::fixture::{Counters, Log, config, server, watched, within};

type TwoLists = (Vec<Binary>, Vec<Binary>);

const PATIENCE: Duration = Duration::from_secs(5);

fn binaries(count: usize) -> Vec<Binary> {
    vec![Binary::from(vec![1]); count]
}

fn joined(counts: [usize; 2]) -> Payload {
    Payload::join(counts.map(|count| Payload::encode(&binaries(count)).expect("encodes")))
}

async fn join(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, &room()).await
}

fn room() -> RoomId {
    RoomId::new("r").expect("valid")
}

async fn relay(service: WebSocketService, payload: Payload) -> Result<(), Error> {
    service.broadcast_to_room(&room(), "relayed", payload).await
}

async fn answer(Data(count): Data<usize>) -> Result<Vec<Binary>, Error> {
    Ok(binaries(count))
}

async fn answer_joined() -> Result<Encoded, Error> {
    Ok(Encoded(joined([6, 6])))
}

fn gateway() -> Gateway {
    Gateway::new().on("join", join).on("relay", relay).on("answer", answer).on("answer-joined", answer_joined)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> bool {
    outcome.expect_err("refused").code() == ErrorCode::LimitExceeded
}

#[tokio::test]
async fn an_event_with_an_eleventh_attachment_is_refused_to_its_sender_and_costs_no_receiver_anything() {
    let log = Log::capture();
    let server = server(gateway()).await;
    let (sender, mut receiver) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    receiver.emit_with_ack::<()>("join", &()).await.expect("joins");
    let error = sender.emit_with_ack::<()>("relay", &binaries(11)).await.expect_err("refused");
    assert_eq!(
        (error.code(), error.message()),
        (ErrorCode::LimitExceeded, "11 binary attachments in one message; 10 are allowed")
    );
    let lines = log.take_lines();
    assert!(lines.len() == 1 && lines[0].contains(r#"key="limits.attachments""#), "{lines:#?}");

    sender.emit_with_ack::<()>("relay", &binaries(10)).await.expect("ten are allowed");
    assert_eq!(receiver.expect::<Vec<Binary>>("relayed").await, binaries(10));
    assert!(sender.handle().is_connected() && receiver.handle().is_connected());
}

#[tokio::test]
async fn rust_cannot_send_an_eleventh_attachment_in_any_way() {
    let server = server(gateway()).await;
    let (service, mut client) = (server.service(), server.connect().await.expect("connects"));
    client.emit_with_ack::<()>("join", &()).await.expect("joins");
    let (many, id) = (binaries(11), client.id().clone());
    let outcomes = [
        service.broadcast_to_room(&room(), "many", &many).await,
        service.broadcast_to_room(&room(), "many", joined([6, 6])).await,
        service.broadcast_to_room_except(&id, &room(), "many", &many).await,
        service.broadcast("many", &many).await,
        service.broadcast_except(&id, "many", &many).await,
        service.broadcast_latest_to_room(&room(), "key", "many", &many).await,
        service.broadcast_latest_to_room_except(&id, &room(), "key", "many", &many).await,
        service.send_to_client(&id, "many", &many).await,
        service.send_to_user(&roomwire_service::UserId::new("ada").expect("valid"), "many", &many).await,
        service.send_to_client_with_ack(&id, "many", &many, PATIENCE).await,
        service.broadcast_to_room_with_ack::<()>(&room(), "many", &many, PATIENCE).await.map(drop),
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert!(refused(outcome), "{number}");
    }
    service.broadcast_to_room(&room(), "ten", joined([4, 6])).await.expect("ten are allowed");
    assert_eq!(client.expect::<TwoLists>("ten").await, (binaries(4), binaries(6)));
}

#[tokio::test]
async fn an_answer_with_an_eleventh_attachment_is_an_error_in_its_place_and_in_the_log() {
    let log = Log::capture();
    let server = server(gateway()).await;
    let mut client = server.connect().await.expect("connects");
    assert!(refused(client.emit_with_ack::<Vec<Binary>>("answer", &11).await));
    assert!(refused(client.emit_with_ack::<TwoLists>("answer-joined", &()).await));
    let lines = log.take_lines();
    assert!(lines.len() == 1 && lines[0].contains("an answer is not sent"), "{lines:#?}");
    assert_eq!(client.emit_with_ack::<Vec<Binary>>("answer", &10).await.expect("ten are allowed"), binaries(10));

    // The other way: what a client answers.
    let service = server.service().clone();
    let id = client.id().clone();
    let asked =
        tokio::spawn(async move { service.send_to_client_with_ack::<Vec<Binary>>(&id, "ask", &(), PATIENCE).await });
    client.next().await.expect("is asked").acknowledge(&binaries(11)).expect("encodes");
    assert!(refused(within("the answer is read", asked).await.expect("runs")));
    assert!(client.handle().is_connected());
}

#[tokio::test]
async fn more_attachments_from_another_node_are_dropped_counted_and_named_in_the_log() {
    let (log, counters) = (Log::capture(), Counters::default());
    let _counting = counters.count();
    let hub = MemoryHub::new();
    let node = async |name: &str, attachments: usize| {
        let mut config = WebSocketConfig { node_id: Some(NodeId::new(name).expect("valid")), ..config() };
        config.limits.attachments = attachments;
        watched(hub.node(), config, gateway()).await
    };
    let (generous, strict) = (node("generous", 20).await, node("strict", 10).await);
    let mut client = strict.server.connect().await.expect("connects");
    client.emit_with_ack::<()>("join", &()).await.expect("joins");

    generous.service.broadcast_to_room(&room(), "many", &binaries(11)).await.expect("allowed there");
    generous.service.broadcast_to_room(&room(), "ten", &binaries(10)).await.expect("allowed");
    assert_eq!(client.expect::<Vec<Binary>>("ten").await, binaries(10), "the next after the one that was dropped");
    assert_eq!(counters.of("roomwire_backplane_ignored_total()"), 1);
    let lines = log.take_lines();
    assert!(
        lines.iter().any(|line| line.contains("a message of another node is dropped") && line.contains("generous"))
    );
}
