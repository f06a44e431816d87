//! The backplane: delivery of messages between nodes.

use bytes::Bytes;

use super::{
    Cluster,
    fixture::room_in,
    names::odd_names,
    wire::{Wire, room_channel},
};
use crate::{Channel, Incarnation, Namespace, NodeId};

/// Every subscribed node but the sender gets a message, once.
pub async fn a_message_reaches_every_other_subscriber_once(cluster: &dyn Cluster) {
    let [mut first, mut second, mut third] = Wire::three(cluster).await;
    let channel = room_channel("r");
    for wire in [&first, &second, &third] {
        wire.subscribe(&channel).await;
    }
    first.publish(&channel, "from the first").await;
    second.expect(&["from the first"]).await;
    third.expect(&["from the first"]).await;
    third.publish(&channel, "from the third").await;
    first.expect(&["from the third"]).await;
    second.expect(&["from the third"]).await;
    for wire in [&mut first, &mut second, &mut third] {
        wire.expect_nothing().await;
    }
}

/// Bytes are opaque: none, any and many.
pub async fn a_message_keeps_its_bytes(cluster: &dyn Cluster) {
    let [sender, mut receiver, _] = Wire::three(cluster).await;
    receiver.subscribe(&room_channel("r")).await;
    let many = Bytes::from_iter((0..1_000_000_u32).map(|number| (number % 251) as u8));
    for message in [Bytes::new(), Bytes::from_static(b"\0\r\n\xff\xfe{}"), (0..=255).collect(), many] {
        sender.backplane.publish(&room_channel("r"), message.clone()).await.expect("publishes");
        assert!(receiver.next().await.is_some_and(|arrived| arrived == message), "{} bytes", message.len());
    }
}

/// A node does not get its own messages back, on no channel.
pub async fn own_messages_do_not_come_back(cluster: &dyn Cluster) {
    let [mut sender, other, _] = Wire::three(cluster).await;
    let channels = [room_channel("r"), Channel::Namespace(Namespace::root()), sender.own()];
    for channel in &channels {
        sender.subscribe(channel).await;
        sender.publish(channel, "own").await;
        other.publish(channel, "other's").await;
        sender.expect(&["other's"]).await;
    }
    sender.expect_nothing().await;
}

/// From the moment a subscription returned, every message of every node arrives.
pub async fn subscribed_means_subscribed(cluster: &dyn Cluster) {
    let [mut receiver, first, second] = Wire::three(cluster).await;
    for round in 0..200 {
        let channel = room_channel(&format!("r{round}"));
        receiver.subscribe(&channel).await;
        let sender = [&first, &second][round % 2];
        sender.publish(&channel, &format!("{round}")).await;
        receiver.expect(&[&format!("{round}")]).await;
        if round % 3 == 0 {
            receiver.unsubscribe(&channel).await;
            receiver.subscribe(&channel).await;
            sender.publish(&channel, "again").await;
            receiver.expect(&["again"]).await;
        }
    }
}

/// Subscriptions are not counted: many are one, and one unsubscribe ends them.
pub async fn subscribing_and_unsubscribing_again_changes_nothing(cluster: &dyn Cluster) {
    let [mut receiver, sender, _] = Wire::three(cluster).await;
    let channel = room_channel("r");
    receiver.unsubscribe(&channel).await;
    for _ in 0..3 {
        receiver.subscribe(&channel).await;
    }
    sender.publish(&channel, "once").await;
    sender.publish(&receiver.own(), "end").await;
    receiver.expect(&["once", "end"]).await;
    for _ in 0..2 {
        receiver.unsubscribe(&channel).await;
    }
    sender.publish(&channel, "missed").await;
    sender.publish(&receiver.own(), "end").await;
    receiver.expect(&["end"]).await;
    receiver.expect_nothing().await;
}

/// Messages published after an unsubscribe returned do not arrive, and other subscriptions are not affected.
pub async fn after_an_unsubscribe_nothing_more_is_published_to_a_node(cluster: &dyn Cluster) {
    let [mut leaves, mut stays, sender] = Wire::three(cluster).await;
    let (left, kept) = (room_channel("left"), room_channel("kept"));
    for wire in [&leaves, &stays] {
        wire.subscribe(&left).await;
        wire.subscribe(&kept).await;
    }
    leaves.unsubscribe(&left).await;
    sender.publish(&left, "1").await;
    sender.publish(&kept, "2").await;
    leaves.expect(&["2"]).await;
    leaves.expect_nothing().await;
    let mut arrived = [stays.text().await, stays.text().await];
    arrived.sort();
    assert_eq!(arrived, ["1", "2"]);
}

/// Opening subscribes to the node's own channel, and no other node gets its messages.
pub async fn a_node_is_reached_by_its_name_from_the_start(cluster: &dyn Cluster) {
    let [mut first, mut second, third] = Wire::three(cluster).await;
    third.publish(&first.own(), "to the first").await;
    third.publish(&second.own(), "to the second").await;
    first.expect(&["to the first"]).await;
    second.expect(&["to the second"]).await;
    first.expect_nothing().await;
    second.expect_nothing().await;
}

/// Two processes with one node id receive each other's messages on every channel except their own.
pub async fn processes_with_one_node_id_are_two(cluster: &dyn Cluster) {
    let id = NodeId::new("twin").expect("valid");
    let mut twins = [Wire::open_as(cluster, id.clone()).await, Wire::open_as(cluster, id).await];
    let [first, second] = &mut twins;
    for (sender, receiver) in [(&*first, &*second), (&*second, &*first)] {
        receiver.subscribe(&room_channel("r")).await;
        sender.publish(&receiver.own(), "to one").await;
        sender.publish(&room_channel("r"), "to a room").await;
        sender.publish(&Channel::Cluster, "to all").await;
    }
    for twin in &mut twins {
        let mut heard = vec![twin.text().await, twin.text().await, twin.text().await];
        heard.sort_unstable();
        assert_eq!(heard, ["to a room", "to all", "to one"]);
        twin.expect_nothing().await;
    }
}

/// Opening subscribes to the cluster channel: each other node gets each message once, in order, and no room, namespace
/// or node of that name gets any.
pub async fn every_node_hears_what_is_for_all_from_its_start(cluster: &dyn Cluster) {
    let [mut first, mut second, mut third] = Wire::three(cluster).await;
    let namesake = Namespace::new("/cluster").expect("valid");
    for channel in [room_channel("cluster"), Channel::Namespace(namesake), room_channel(":cluster:")] {
        first.publish(&channel, "for others").await;
    }
    for number in 0..50 {
        first.publish(&Channel::Cluster, &format!("{number}")).await;
    }
    // Subscribing again changes nothing.
    second.subscribe(&Channel::Cluster).await;
    first.publish(&Channel::Cluster, "last").await;
    assert!(first.backplane.may_reach_others(&Channel::Cluster));
    for wire in [&mut second, &mut third] {
        for number in 0..50 {
            wire.expect(&[&format!("{number}")]).await;
        }
        wire.expect(&["last"]).await;
        wire.expect_nothing().await;
    }
    first.expect_nothing().await;
    let mut late = Wire::open(cluster).await;
    second.publish(&Channel::Cluster, "also to the late").await;
    for wire in [&mut first, &mut third, &mut late] {
        wire.expect(&["also to the late"]).await;
    }
    third.backplane.close().await;
    second.publish(&Channel::Cluster, "not to the closed").await;
    assert_eq!(third.next().await, None);
    late.expect(&["not to the closed"]).await;
}

/// Publishing to a channel without subscribers succeeds on every kind of channel.
pub async fn publishing_without_subscribers_is_no_error(cluster: &dyn Cluster) {
    let wire = Wire::open(cluster).await;
    let others = [
        Channel::Namespace(Namespace::root()),
        Channel::Node(Incarnation::begin(NodeId::random()).process()),
        Channel::Cluster,
    ];
    for channel in [room_channel("r")].into_iter().chain(others) {
        wire.publish(&channel, "unheard").await;
    }
}

/// Rooms, namespaces and nodes are different channels, whatever their names.
pub async fn channels_never_mix(cluster: &dyn Cluster) {
    let in_room = |namespace: &str, room: &str| Channel::Room(room_in(namespace, room));
    let in_namespace = |namespace: &str| Channel::Namespace(Namespace::new(namespace).expect("valid"));
    let to_node = |node: &str| Channel::Node(Incarnation::begin(NodeId::new(node).expect("valid")).process());
    let mut channels: Vec<_> = odd_names().iter().map(|name| in_room("/", name)).collect();
    for name in ["a", "A", "a b", "\u{202e}", "*", "[a]"] {
        channels.extend([in_room(&format!("/{name}"), "a"), in_namespace(&format!("/{name}")), to_node(name)]);
    }
    for separator in [":", "/", "|", ".", "-", "#", " "] {
        let [ab, bc, abc] = ["/a+b", "b+c", "/a+b+c"].map(|name| name.replace('+', separator));
        channels.extend([in_room(&ab, "c"), in_room("/a", &bc), in_namespace(&abc), to_node(&abc)]);
    }
    // Each receiver subscribes to the channels whose number contains its bit, so mixing two channels would show in one
    // of them.
    let sender = Wire::open(cluster).await;
    let mut receivers = Vec::new();
    for bit in 0..usize::BITS - channels.len().leading_zeros() {
        let receiver = Wire::open(cluster).await;
        let numbers = Vec::from_iter((0..channels.len()).filter(|number| number >> bit & 1 == 1));
        for number in &numbers {
            receiver.subscribe(&channels[*number]).await;
        }
        receivers.push((receiver, numbers));
    }
    for (number, channel) in channels.iter().enumerate() {
        sender.publish(channel, &format!("{number}")).await;
    }
    for (receiver, numbers) in &mut receivers {
        let mut arrived = Vec::<usize>::new();
        for _ in 0..numbers.len() {
            arrived.push(receiver.text().await.parse().expect("a number"));
        }
        arrived.sort_unstable();
        assert_eq!(arrived, *numbers);
        receiver.expect_nothing().await;
    }
}

/// No subscription is overlooked: once it is in force, the backplane never reports that no other node is subscribed.
pub async fn a_subscribed_node_may_be_reached(cluster: &dyn Cluster) {
    let [mut receiver, first, second] = Wire::three(cluster).await;
    for sender in [&first, &second] {
        assert!(sender.backplane.may_reach_others(&receiver.own()), "a node is subscribed to itself");
    }
    for round in 0..100 {
        let channel = room_channel(&format!("r{}", round % 7));
        // Whatever the answer was before: it must not be cached.
        let _ = first.backplane.may_reach_others(&channel);
        receiver.subscribe(&channel).await;
        for sender in [&first, &second] {
            assert!(sender.backplane.may_reach_others(&channel), "in round {round}");
        }
        first.publish(&channel, "reached").await;
        receiver.expect(&["reached"]).await;
        receiver.unsubscribe(&channel).await;
    }
}

/// A close ends one node's stream and subscriptions; the others continue.
pub async fn a_close_ends_the_stream_and_nothing_else(cluster: &dyn Cluster) {
    let [mut closed, mut open, sender] = Wire::three(cluster).await;
    let channel = room_channel("r");
    closed.subscribe(&channel).await;
    open.subscribe(&channel).await;
    for _ in 0..2 {
        closed.backplane.close().await;
    }
    sender.publish(&channel, "after").await;
    sender.publish(&closed.own(), "after").await;
    assert_eq!(closed.next().await, None);
    open.expect(&["after"]).await;
    open.publish(&sender.own(), "still there").await;
    let mut sender = sender;
    sender.expect(&["still there"]).await;
}
