//! A follower slows nothing down, and neither it nor its memory grows without a bound.

use futures_util::FutureExt;
use roomwire_service::{Activity, ErrorCode, FollowTarget, Gateway};

use super::{drain, next, room, short};
use crate::fixture::{Cluster, server};

#[tokio::test]
async fn a_slow_follower_misses_the_oldest_items_and_the_members_miss_none() {
    let server = server(Gateway::new()).await;
    let service = server.service();
    let mut member = server.connect().await.expect("connects");
    service.join_room(member.handle(), "r").await.expect("joins");
    let mut follower = service.follow(room("r")).await.expect("follows");
    for number in 0..5000 {
        let sending = service.broadcast_to_room("r", "n", &number);
        sending.now_or_never().expect("waits for nothing").expect("sends");
    }
    for number in 0..5000 {
        assert_eq!(member.expect::<i32>("n").await, number);
    }
    let Activity::Missed { items } = next(&mut follower).await.activity else { panic!("missed some") };
    let rest: Vec<_> = drain(&mut follower).iter().map(short).collect();
    assert_eq!(items + rest.len() as u64, 5000);
    assert_eq!(rest, (items..5000).map(|number| format!("sent n {number}")).collect::<Vec<_>>());

    service.broadcast_to_room("r", "n", &5000).await.expect("sends");
    assert_eq!(short(&next(&mut follower).await), "sent n 5000", "it has caught up");
}

#[tokio::test]
async fn large_payloads_are_dropped_by_their_size() {
    let server = server(Gateway::new()).await;
    let service = server.service();
    let mut follower = service.follow(room("r")).await.expect("follows");
    let text = "x".repeat(1 << 20);
    for _ in 0..20 {
        service.broadcast_to_room("r", "n", &text).await.expect("sends");
    }
    let Activity::Missed { items } = next(&mut follower).await.activity else { panic!("missed some") };
    let kept = drain(&mut follower).len();
    assert!((1..=8).contains(&kept) && items + kept as u64 == 20, "{items} {kept}");

    service.broadcast_to_room("r", "n", &"x".repeat(9 << 20)).await.expect("sends");
    let Activity::Sent { payload, .. } = next(&mut follower).await.activity else { panic!("one that is large") };
    assert!(payload.size() > 9 << 20);
}

#[tokio::test]
async fn there_are_at_most_64_followers_and_a_refused_one_leaves_no_subscription() {
    let cluster = Cluster::of(1, Gateway::new).await;
    let service = &cluster.nodes[0].service;
    let mut followers = Vec::new();
    for _ in 0..64 {
        followers.push(service.follow(FollowTarget::All).await.expect("follows"));
    }
    let refused = service.follow(room("r")).await.expect_err("too many");
    assert_eq!(refused.code(), ErrorCode::LimitExceeded);
    assert!(!cluster.hears("r"), "{refused}");
    followers.pop();
    let _one = service.follow(room("r")).await.expect("there is room again");
}

#[tokio::test]
async fn an_outage_refuses_a_follower_and_leaves_no_subscription() {
    let mut config = crate::fixture::config();
    config.state.timeout = std::time::Duration::from_millis(100);
    let cluster = Cluster::configured(roomwire_state_memory::MemoryHub::new(), config, 1, Gateway::new).await;
    let node = &cluster.nodes[0];
    node.bus.go_down();
    for target in [room("r"), FollowTarget::All] {
        let refused = node.service.follow(target).await.expect_err("cannot subscribe");
        assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    }
    node.bus.come_back();
    let mut follower = node.service.follow(room("r")).await.expect("follows");
    node.service.broadcast_to_room("r", "n", &1).await.expect("sends");
    assert_eq!(short(&next(&mut follower).await), "sent n 1");
    drop(follower);
    cluster.hears_no_more_of("r").await;
}

#[tokio::test]
async fn followers_end_with_the_node() {
    let server = server(Gateway::new()).await;
    let service = server.service().clone();
    let mut follower = service.follow(FollowTarget::All).await.expect("follows");
    service.broadcast("n", &1).await.expect("sends");
    service.shutdown().await;
    assert_eq!(short(&next(&mut follower).await), "sent n 1");
    assert_eq!(follower.next().await, None);
    let refused = service.follow(FollowTarget::All).await.expect_err("has stopped");
    assert_eq!(refused.code(), ErrorCode::ShuttingDown);

    let server = crate::fixture::server(Gateway::new()).await;
    let mut follower = server.service().follow(FollowTarget::All).await.expect("follows");
    drop((server, service));
    assert_eq!(crate::fixture::within("the end", follower.next()).await, None, "a dropped service ends it");
}
