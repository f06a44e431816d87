//! For how long newcomers are refused after data was lost.

use std::time::Duration;

use roomwire_core::{NewRoom, StateError, StateStore};
use roomwire_test_servers::RedisServer;
use tokio::time::sleep;

use crate::{LEASE, Node, P, ask, client, is_unavailable, room};

async fn recovery(server: &RedisServer) -> u64 {
    ask(server, &format!("HGET {P}:st recovery")).await
}

/// Three tenths of a lease, or more where heartbeats are far apart.
const GRACE: Duration = Duration::from_secs(18);

#[tokio::test]
async fn the_time_in_which_newcomers_are_refused_counts_from_the_last_member_that_was_put_back() {
    let server = RedisServer::start().await;
    let (node, other) = (Node::of(&server).await, Node::of(&server).await);
    node.state.create_room(&room("full"), &NewRoom::with_capacity(1)).await.expect("creates");
    let full = node.enter("last", &room("full")).await;
    let uid = node.enter("c0", &room("r")).await;
    ask::<()>(&server, "FLUSHALL").await;
    for node in [&node, &other] {
        node.state.begin_lease(&node.incarnation, LEASE).await.expect("begins again");
    }
    other.state.connect(&other.incarnation, &client("newcomer")).await.expect("connects");
    let mut ends = recovery(&server).await;
    for number in 0..3 {
        sleep(Duration::from_millis(20)).await;
        node.put_back(&format!("c{number}"), &room("r"), uid).await;
        let later = recovery(&server).await;
        assert!(later >= ends + 20, "{number}: {ends}, {later}");
        ends = later;
        // What was not missing makes it no longer.
        sleep(Duration::from_millis(20)).await;
        node.put_back(&format!("c{number}"), &room("r"), uid).await;
        node.state.connect(&node.incarnation, &client("new")).await.expect("connects");
        assert_eq!(recovery(&server).await, ends, "{number}");
    }
    let time: Vec<u64> = ask(&server, "TIME").await;
    let left = Duration::from_millis(ends - time[0] * 1000);
    assert!(left <= GRACE + Duration::from_secs(1), "{left:?}");
    assert!(is_unavailable(&other.join("newcomer", &room("full")).await));
    node.put_back("last", &room("full"), full).await;
    // It is over.
    ask::<u64>(&server, &format!("HSET {P}:st recovery {}", time[0] * 1000)).await;
    let refused = other.join("newcomer", &room("full")).await;
    assert!(matches!(refused, Err(StateError::RoomFull)), "{refused:?}");
    node.put_back("c9", &room("r"), uid).await;
    assert_eq!(recovery(&server).await, time[0] * 1000, "a member that is put back begins no such time");
    other.join("newcomer", &room("r")).await.expect("joins");
}

#[tokio::test]
async fn a_time_in_which_newcomers_are_refused_is_not_made_shorter() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let uid = node.enter("a", &room("r")).await;
    ask::<()>(&server, "FLUSHALL").await;
    node.state.begin_lease(&node.incarnation, LEASE).await.expect("begins again");
    // Another node has a longer lease.
    let ends = recovery(&server).await + 40_000;
    ask::<u64>(&server, &format!("HSET {P}:st recovery {ends}")).await;
    node.put_back("a", &room("r"), uid).await;
    assert_eq!(recovery(&server).await, ends);
}
