//! The order of messages on a backplane.

use bytes::Bytes;

use super::{
    Cluster,
    race::{lane, race},
    wire::{Wire, room_channel},
};

/// 10,000 messages of one node on one channel arrive in the order in which they were published.
pub async fn messages_of_one_sender_on_one_channel_keep_their_order(cluster: &dyn Cluster) {
    let [sender, mut receiver, _] = Wire::three(cluster).await;
    let channel = room_channel("r");
    receiver.subscribe(&channel).await;
    let backplane = sender.backplane.clone();
    let sending = tokio::spawn(async move {
        for number in 0..10_000_u32 {
            let message = Bytes::copy_from_slice(&number.to_be_bytes());
            backplane.publish(&channel, message).await.expect("publishes");
        }
    });
    for number in 0..10_000_u32 {
        assert_eq!(receiver.next().await.as_deref(), Some(number.to_be_bytes().as_slice()));
    }
    sending.await.expect("does not panic");
}

/// Messages of several nodes interleave; those of each keep their order, and none is lost.
pub async fn messages_of_several_senders_keep_the_order_of_each(cluster: &dyn Cluster) {
    let mut receivers = Wire::three(cluster).await;
    let senders = Wire::three(cluster).await;
    let channel = room_channel("r");
    for receiver in &receivers {
        receiver.subscribe(&channel).await;
    }
    let lanes = senders.iter().enumerate().map(|(sender, wire)| {
        let (backplane, channel) = (wire.backplane.clone(), channel.clone());
        lane(move |number| {
            let (backplane, channel) = (backplane.clone(), channel.clone());
            async move {
                let message = Bytes::from(format!("{sender} {number}"));
                backplane.publish(&channel, message).await.expect("publishes");
            }
        })
    });
    let sending = tokio::spawn(race(1000, lanes.collect()));
    for receiver in &mut receivers {
        let mut next = [0_u32; 3];
        for _ in 0..3000 {
            let text = receiver.text().await;
            let (sender, number) = text.split_once(' ').expect("two numbers");
            let expected = &mut next[sender.parse::<usize>().expect("a number")];
            assert_eq!(number.parse(), Ok(*expected), "of sender {sender}");
            *expected += 1;
        }
        assert_eq!(next, [1000; 3]);
    }
    sending.await.expect("does not panic");
}

/// Other nodes that subscribe and unsubscribe on the same channel do not affect those that stay subscribed.
pub async fn order_holds_while_others_come_and_go(cluster: &dyn Cluster) {
    let [sender, mut stays, visitor] = Wire::three(cluster).await;
    let channel = room_channel("r");
    stays.subscribe(&channel).await;
    let visits = tokio::spawn({
        let (backplane, channel) = (visitor.backplane.clone(), channel.clone());
        async move {
            for _ in 0..100 {
                backplane.subscribe(&channel).await.expect("subscribes");
                tokio::task::yield_now().await;
                backplane.unsubscribe(&channel).await.expect("unsubscribes");
            }
        }
    });
    for number in 0..1000 {
        sender.publish(&channel, &format!("{number}")).await;
    }
    for number in 0..1000 {
        stays.expect(&[&format!("{number}")]).await;
    }
    visits.await.expect("does not panic");
}
