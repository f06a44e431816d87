//! What comes in on a channel and cannot be read is reported as lost, and the messages after it come in.

use bytes::Bytes;
use futures_util::StreamExt;
use roomwire_core::{
    Backplane, BackplaneEvent, BackplaneEvents, Channel, Incarnation, Namespace, NewRoom, NodeId, RoomChange, RoomId,
    RoomKey, StateStore,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;

const ROOM: &str = "{roomwire:0}:room:/,r";

async fn connect(server: &RedisServer) -> RedisState {
    RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects")
}

fn room() -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new("r").expect("valid"))
}

async fn publish(server: &RedisServer, frame: &[u8]) {
    let mut connection = server.connect().await.expect("connects");
    let heard: usize = redis::cmd("SPUBLISH").arg(ROOM).arg(frame).query_async(&mut connection).await.expect("sends");
    assert_eq!(heard, 1, "one node is subscribed");
}

async fn why_unreadable(incoming: &mut BackplaneEvents) -> String {
    match incoming.next().await {
        Some(BackplaneEvent::Unreadable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn frames_that_cannot_be_read_are_lost_and_those_after_them_come_in() {
    let server = RedisServer::start().await;
    let (here, there) = (connect(&server).await, connect(&server).await);
    let mut incoming = here.open(&Incarnation::begin(NodeId::random()).process()).await.expect("opens");
    here.subscribe(&Channel::Room(room())).await.expect("subscribes");
    let foreign: [(&[u8], &str); 4] = [
        (b"", "message is cut, or is not of this service"),
        (b"\x01\x0012345678hello", "frame of version 1, expected 2"),
        (b"\x02\x0912345678hello", "frame of kind 9, which this version does not know"),
        (b"\x02\x01\0\0\0\0\0\0\0\0[\"/,r\",\"7\",4,[]]", "settings of a room fail their checksum"),
    ];
    for (frame, reason) in foreign {
        publish(&server, frame).await;
        let told = why_unreadable(&mut incoming).await;
        assert!(told.starts_with(reason), "{told}");
    }
    there.publish(&Channel::Room(room()), Bytes::from_static(b"hello")).await.expect("publishes");
    assert_eq!(incoming.next().await, Some(BackplaneEvent::Message(Bytes::from_static(b"hello"))));
}

#[tokio::test]
async fn settings_that_a_script_publishes_pass_their_checksum() {
    let server = RedisServer::start().await;
    let (here, there) = (connect(&server).await, connect(&server).await);
    let mut incoming = here.open(&Incarnation::begin(NodeId::random()).process()).await.expect("opens");
    here.subscribe(&Channel::Room(room())).await.expect("subscribes");
    let incarnation = Incarnation::begin(NodeId::random());
    there.begin_lease(&incarnation, std::time::Duration::from_secs(10)).await.expect("begins");
    there.create_room(&room(), &NewRoom::with_capacity(3)).await.expect("creates");
    for change in [RoomChange::Capacity(Some(9)), RoomChange::Close, RoomChange::Open, RoomChange::Capacity(None)] {
        there.change_room(&room(), &change).await.expect("changes");
    }
    there.publish(&Channel::Room(room()), Bytes::from_static(b"hello")).await.expect("publishes");
    let next = incoming.next().await;
    assert_eq!(next, Some(BackplaneEvent::Message(Bytes::from_static(b"hello"))), "settings are not for the service");
}
