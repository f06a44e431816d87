//! Joins, leaves and followers come and go at the same time.

use roomwire_service::Gateway;

use super::{next, room, short};
use crate::fixture::{Cluster, yield_randomly};

#[tokio::test]
async fn members_and_followers_that_race_lose_no_message_and_leave_no_subscription() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    here.bus.yield_randomly();
    let mut tasks = Vec::new();
    for number in 0..8 {
        let (here, there) = (here.clone(), there.service.clone());
        tasks.push(tokio::spawn(async move {
            let mut member = here.server.connect().await.expect("connects");
            for round in 0..50 {
                yield_randomly().await;
                let event = format!("e{number}-{round}");
                if number % 2 == 0 {
                    let mut follower = here.service.follow(room("r")).await.expect("follows");
                    yield_randomly().await;
                    there.broadcast_to_room("r", &event, &1).await.expect("sends");
                    let expected = format!("sent {event} 1");
                    while short(&next(&mut follower).await) != expected {}
                } else {
                    here.service.join_room(member.handle(), "r").await.expect("joins");
                    yield_randomly().await;
                    there.broadcast_to_room("r", &event, &1).await.expect("sends");
                    while *member.next().await.expect("is connected").name != event {}
                    here.service.leave_room(member.handle(), "r").await.expect("leaves");
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no message is lost");
    }
    cluster.hears_no_more_of("r").await;
}

#[tokio::test]
async fn a_dropped_call_follows_nothing() {
    let cluster = Cluster::of(1, Gateway::new).await;
    let node = &cluster.nodes[0];
    node.bus.yield_randomly();
    for _ in 0..200 {
        tokio::select! {
            biased;
            () = yield_randomly() => {}
            _ = node.service.follow(room("r")) => {}
        }
    }
    cluster.hears_no_more_of("r").await;
    // All of them have ended, so as many as there may be can begin.
    let mut followers = Vec::new();
    for _ in 0..64 {
        followers.push(node.service.follow(room("r")).await.expect("follows"));
    }
}
