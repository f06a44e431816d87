//! A followed room is heard from every node, also where it has no member.

use roomwire_service::{Activity, FollowTarget, Gateway, Recipient, UserId};

use super::{all_short, drain, next, room};
use crate::fixture::Cluster;

#[tokio::test]
async fn a_node_without_members_sees_the_messages_of_every_node_once() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let [here, there, third] = &cluster.nodes[..] else { panic!("three nodes") };
    let mut members = Vec::new();
    for node in [there, there, third] {
        let member = node.server.connect().await.expect("connects");
        node.service.join_room(member.handle(), "r").await.expect("joins");
        members.push(member);
    }
    let mut follower = here.service.follow(room("r")).await.expect("follows");
    for number in 0..100 {
        let node = &cluster.nodes[number % 3];
        node.service.broadcast_to_room("r", "n", &number).await.expect("sends");
        node.service.broadcast_to_room("other", "n", &number).await.expect("sends");
        node.service.broadcast("n", &number).await.expect("sends");
    }
    for _ in 0..100 {
        let item = next(&mut follower).await;
        let Activity::Sent { to, queued, .. } = item.activity else { panic!("{item:?}") };
        assert_eq!((to, queued, item.room.as_deref()), (Recipient::Room, 0, Some("r")));
    }
    assert!(drain(&mut follower).is_empty());
}

#[tokio::test]
async fn the_messages_of_one_node_are_in_order_and_whole() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut follower = here.service.follow(room("r")).await.expect("follows");
    for number in 0..500 {
        there.service.broadcast_to_room("r", "n", &("text", number)).await.expect("sends");
    }
    for number in 0..500 {
        let item = next(&mut follower).await;
        let Activity::Sent { payload, .. } = item.activity else { panic!("{item:?}") };
        assert_eq!(payload.decode::<(String, i32)>().expect("is the payload"), ("text".to_owned(), number));
    }
}

#[tokio::test]
async fn nothing_is_lost_after_the_return_of_follow_and_no_subscription_stays() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    here.bus.yield_randomly();
    for number in 0..100 {
        let mut follower = here.service.follow(room("r")).await.expect("follows");
        there.service.broadcast_to_room("r", "n", &number).await.expect("sends");
        let item = next(&mut follower).await;
        assert_eq!(super::short(&item), format!("sent n {number}"));
        drop(follower);
    }
    cluster.hears_no_more_of("r").await;
}

#[tokio::test]
async fn a_followed_room_stays_subscribed_without_members_and_a_room_with_members_without_followers() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut member = here.server.connect().await.expect("connects");
    let first = here.service.follow(room("r")).await.expect("follows");
    here.service.join_room(member.handle(), "r").await.expect("joins");
    drop(first);
    // Ends have their own tasks: one more follower comes and goes, so that the first has ended.
    drop(here.service.follow(room("other")).await.expect("follows"));
    cluster.hears_no_more_of("other").await;
    there.service.broadcast_to_room("r", "n", &1).await.expect("sends");
    assert_eq!(member.expect::<i32>("n").await, 1);

    let mut second = here.service.follow(room("r")).await.expect("follows");
    here.service.leave_room(member.handle(), "r").await.expect("leaves");
    there.service.broadcast_to_room("r", "n", &2).await.expect("sends");
    assert_eq!(super::short(&next(&mut second).await), "left left");
    assert_eq!(super::short(&next(&mut second).await), "sent n 2");
    drop(second);
    cluster.hears_no_more_of("r").await;
}

#[tokio::test]
async fn a_room_that_is_deleted_and_created_again_is_still_followed() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut follower = here.service.follow(room("r")).await.expect("follows");
    let member = here.server.connect().await.expect("connects");
    for round in 0..10 {
        here.service.join_room(member.handle(), "r").await.expect("joins");
        here.service.delete_room("r").await.expect("deletes");
        there.service.broadcast_to_room("r", "n", &round).await.expect("sends");
        for expected in ["joined".to_owned(), "left room deleted".to_owned(), format!("sent n {round}")] {
            assert_eq!(super::short(&next(&mut follower).await), expected);
        }
    }
}

#[tokio::test]
async fn messages_to_a_user_and_to_all_are_heard_by_a_node_without_clients() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let user = UserId::new("ada").expect("valid");
    let mut of_user = here.service.follow(FollowTarget::User(user.clone())).await.expect("follows");
    let mut of_all = here.service.follow(FollowTarget::All).await.expect("follows");
    there.service.send_to_user(&user, "hi", &1).await.expect("sends");
    there.service.send_to_user(&UserId::new("bob").expect("valid"), "hi", &2).await.expect("sends");
    there.service.broadcast("all", &3).await.expect("sends");
    for expected in ["sent hi 1", "sent hi 2", "sent all 3"] {
        assert_eq!(super::short(&next(&mut of_all).await), expected);
    }
    assert_eq!(all_short(&mut of_user), ["sent hi 1"]);
}

#[tokio::test]
async fn another_namespace_is_not_seen() {
    let cluster = Cluster::of(2, || [Gateway::new(), Gateway::of("/other")]).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut follower = here.service.follow(FollowTarget::All).await.expect("follows");
    for node in [here, there] {
        node.service.namespace("/other").expect("valid").broadcast("n", &1).await.expect("sends");
        node.service.namespace("/other").expect("valid").broadcast_to_room("r", "n", &1).await.expect("sends");
    }
    here.service.broadcast("n", &2).await.expect("sends");
    assert_eq!(all_short(&mut follower), ["sent n 2"]);
}
