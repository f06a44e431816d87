//! What the hub in memory does beyond the contract of every backend.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use roomwire_core::{
    Backplane, BackplaneEvent, Channel, ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NewRoom,
    NodeId, NodeProcess, PageRequest, RoomId, RoomKey, StateError, StateStore, Timestamp,
};
use roomwire_state_memory::{ManualClock, MemoryHub, MemoryState};

const LEASE: Duration = Duration::from_secs(10);

fn room(name: &str) -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new(name).expect("valid"))
}

fn process() -> NodeProcess {
    Incarnation::begin(NodeId::random()).process()
}

async fn begin(node: &MemoryState) -> Incarnation {
    let incarnation = Incarnation::begin(NodeId::random());
    node.begin_lease(&incarnation, LEASE).await.expect("begins");
    incarnation
}

async fn enter(node: &MemoryState, incarnation: &Incarnation, client: &str, room: &RoomKey) {
    let key = ClientKey::new(Namespace::root(), ClientId::new(client).expect("valid"));
    let connected_at = Timestamp::default();
    let client = NewClient { key: key.clone(), user: None, metadata: Metadata::new(), connected_at };
    node.connect(incarnation, &client).await.expect("connects");
    node.join(incarnation, &key, room).await.expect("joins");
}

#[tokio::test]
async fn a_node_that_is_dropped_is_a_node_that_crashed() {
    let clock = Arc::new(ManualClock::new());
    let hub = MemoryHub::with_clock(clock.clone());
    let (survivor, lost) = (hub.node(), hub.node());
    let (incarnation, lost_incarnation) = (begin(&survivor).await, begin(&lost).await);
    let _incoming = lost.open(&lost_incarnation.process()).await.expect("opens");
    let channel = Channel::Room(room("r"));
    lost.subscribe(&channel).await.expect("subscribes");
    enter(&lost, &lost_incarnation, "c", &room("r")).await;
    assert!(survivor.may_reach_others(&channel));

    drop(lost);
    assert!(!survivor.may_reach_others(&channel), "its subscriptions are gone at once");
    assert!(!survivor.may_reach_others(&Channel::Node(lost_incarnation.process())));
    clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(survivor.renew_lease(&incarnation, LEASE).await.expect("renews").expired, [], "its lease is not");
    assert_eq!(survivor.member_count(&room("r")).await.expect("reads"), 1);
    clock.advance(Duration::from_millis(1));
    assert_eq!(
        survivor.renew_lease(&incarnation, LEASE).await.expect("renews").expired,
        std::slice::from_ref(&lost_incarnation)
    );
    assert_eq!(survivor.reap(&incarnation, &lost_incarnation, 10).await.expect("reaps").departures.len(), 1);
    assert!(survivor.room(&room("r")).await.expect("reads").is_none());
}

#[tokio::test]
async fn whoever_is_alone_on_a_channel_reaches_nobody() {
    let hub = MemoryHub::new();
    let (first, second) = (hub.node(), hub.node());
    let channel = Channel::Room(room("r"));
    let _incoming = first.open(&process()).await.expect("opens");
    first.subscribe(&channel).await.expect("subscribes");
    assert!(!first.may_reach_others(&channel));
    assert!(second.may_reach_others(&channel));
    first.unsubscribe(&channel).await.expect("unsubscribes");
    assert!(!second.may_reach_others(&channel));
    first.subscribe(&channel).await.expect("subscribes");
    first.close().await;
    assert!(!second.may_reach_others(&channel));
}

#[tokio::test]
async fn a_backplane_is_opened_once_and_subscribes_only_while_it_is_open() {
    let node = MemoryState::new();
    let channel = Channel::Room(room("r"));
    assert!(matches!(node.subscribe(&channel).await, Err(StateError::Unavailable(_))));
    let mut incoming = node.open(&process()).await.expect("opens");
    assert!(matches!(node.open(&process()).await, Err(StateError::Unavailable(_))));
    node.subscribe(&channel).await.expect("subscribes");
    node.close().await;
    assert!(incoming.next().await.is_none());
    assert!(matches!(node.subscribe(&channel).await, Err(StateError::Unavailable(_))));
    node.unsubscribe(&channel).await.expect("is no error");
}

#[tokio::test]
async fn what_arrived_before_a_close_is_still_read() {
    let hub = MemoryHub::new();
    let (sender, receiver) = (hub.node(), hub.node());
    let node = process();
    let mut incoming = receiver.open(&node).await.expect("opens");
    sender.publish(&Channel::Node(node), Bytes::from_static(b"last words")).await.expect("publishes");
    drop(receiver);
    assert_eq!(incoming.next().await, Some(BackplaneEvent::Message(Bytes::from_static(b"last words"))));
    assert_eq!(incoming.next().await, None);
}

#[tokio::test]
async fn of_two_nodes_of_one_name_each_gets_what_is_sent_to_it() {
    let hub = MemoryHub::new();
    let (first, second, sender) = (hub.node(), hub.node(), hub.node());
    let processes = ["twice"; 2].map(|name| Incarnation::begin(NodeId::new(name).expect("valid")).process());
    let mut streams =
        [first.open(&processes[0]).await.expect("opens"), second.open(&processes[1]).await.expect("opens")];
    for (process, text) in processes.into_iter().zip(["to the first", "to the second"]) {
        sender.publish(&Channel::Node(process), Bytes::from(text)).await.expect("publishes");
    }
    for (stream, text) in streams.iter_mut().zip(["to the first", "to the second"]) {
        assert_eq!(stream.next().await, Some(BackplaneEvent::Message(Bytes::from(text))));
    }
}

#[tokio::test]
async fn hubs_never_meet() {
    let (one, other) = (MemoryHub::new(), MemoryHub::default());
    one.node().create_room(&room("r"), &NewRoom::default()).await.expect("creates");
    assert!(one.clone().node().room(&room("r")).await.expect("reads").is_some(), "a clone is the same hub");
    assert!(other.node().room(&room("r")).await.expect("reads").is_none());
    assert!(MemoryState::new().room(&room("r")).await.expect("reads").is_none());
}

#[tokio::test]
async fn pages_are_as_long_as_wanted_and_in_order() {
    let node = MemoryState::new();
    for name in ["c", "a", "e", "b", "d"] {
        node.create_room(&room(name), &NewRoom::default()).await.expect("creates");
    }
    let mut wanted = PageRequest::first(2);
    for expected in [["a", "b"].as_slice(), &["c", "d"], &["e"]] {
        let page = node.rooms(&Namespace::root(), &wanted).await.expect("reads");
        assert_eq!(page.items.iter().map(|room| room.id.as_str()).collect::<Vec<_>>(), expected);
        let Some(next) = page.next else { return assert_eq!(expected, ["e"]) };
        wanted = PageRequest::after(next, 2);
    }
    panic!("the last page points to another");
}
