//! On one server.

use std::time::Duration;

use roomwire_core::{NewRoom, StateError, StateStore};
use roomwire_state_redis::RedisConfig;
use roomwire_test_servers::{RedisServer, Settings, ShiftedClock};

use crate::fixture::{LEASE, Node, client, room};

/// `connect` (as every write but `join`) does not look whether the server is behind, and raises the server's count, so
/// that the heartbeat finds nothing missing: the lost join is never noticed.
#[tokio::test]
async fn a_lost_write_is_noticed_though_others_were_made_since() {
    let mut server = RedisServer::start().await;
    let node = Node::on(RedisConfig::new(server.url())).await;
    node.connect("a").await;
    server.save().await;
    node.join("a", &room("r")).await.expect("joins");
    server.kill();
    server.start_again().await;

    node.connect("somebody-else").await;
    let status = node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
    assert_eq!(node.state.member_count(&room("r")).await.expect("reads"), 0, "the join is gone");
    assert!(status.behind, "and nobody is told");
}

/// What follows from it: after the grace a newcomer takes the place of a member whose node does not know of the loss.
#[tokio::test]
async fn no_client_takes_the_place_of_a_member_that_the_server_lost() {
    let mut server = RedisServer::start().await;
    let config = || RedisConfig::new(server.url());
    let (first, second) = (Node::on(config()).await, Node::on(config()).await);
    first.state.create_room(&room("r"), &NewRoom::with_capacity(1)).await.expect("creates");
    first.connect("a").await;
    second.connect("b").await;
    server.save().await;
    let uid = first.join("a", &room("r")).await.expect("joins");
    server.kill();
    server.start_again().await;

    first.connect("somebody-else").await;
    // Two heartbeats, by the end of which everybody should be back.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if first.state.renew_lease(&first.incarnation, LEASE).await.expect("renews").behind {
            first.restore("a", &room("r"), uid).await;
        }
        second.state.renew_lease(&second.incarnation, LEASE).await.expect("renews");
    }
    let late = second.join("b", &room("r")).await;
    assert!(late.is_err(), "\"a\" is a member on its node, and the room has one place");
}

/// The mark is one of the settings that nodes give back.
#[tokio::test]
async fn a_room_that_was_lost_and_restored_stays_without_members_or_goes_with_them_as_it_was_created() {
    let server = RedisServer::start().await;
    let node = Node::on(RedisConfig::new(server.url())).await;
    let rooms = [room("stays"), room("goes")];
    for (room, keep) in rooms.iter().zip([true, false]) {
        let new = NewRoom::with_capacity(7).keep_when_empty(keep);
        node.state.create_room(room, &new).await.expect("creates");
    }
    node.connect("a").await;
    let mut uids = Vec::new();
    for room in &rooms {
        node.join("a", room).await.expect("joins");
        // So that the node knows the settings.
        uids.push(node.join("a", room).await.expect("is in"));
    }
    server.flush_all().await;
    assert!(matches!(node.state.renew_lease(&node.incarnation, LEASE).await, Err(StateError::Fenced)));
    node.begin().await;
    for (room, uid) in rooms.iter().zip(uids) {
        node.restore("a", room, uid).await;
        let back = node.state.room(room).await.expect("reads").expect("is there");
        assert_eq!(back.capacity, Some(7));
        assert!(node.state.leave(&node.incarnation, &client("a").key, room).await.expect("leaves"));
    }
    let is_there = async |room| node.state.room(room).await.expect("reads").is_some();
    assert!(is_there(&rooms[0]).await && !is_there(&rooms[1]).await);
}

/// A node that is new does not know that there was data: it may make a room before the others bring theirs back. What
/// is known of the room goes before that.
#[tokio::test]
async fn a_room_that_a_new_node_made_after_a_flush_gets_its_settings_back() {
    let server = RedisServer::start().await;
    let first = Node::on(RedisConfig::new(server.url())).await;
    first.state.create_room(&room("r"), &NewRoom::with_capacity(1)).await.expect("creates");
    first.connect("a").await;
    let uid = first.join("a", &room("r")).await.expect("joins");
    // So that the first knows the settings.
    first.join("a", &room("r")).await.expect("is in");

    server.flush_all().await;
    let new = Node::on(RedisConfig::new(server.url())).await;
    new.connect("b").await;
    new.join("b", &room("r")).await.expect("joins: nobody knows better");
    // The next heartbeat of the first.
    assert!(matches!(first.state.renew_lease(&first.incarnation, LEASE).await, Err(StateError::Fenced)));
    first.begin().await;
    first.restore("a", &room("r"), uid).await;
    let back = first.state.room(&room("r")).await.expect("reads").expect("is there");
    assert_eq!((back.capacity, back.clients.len()), (Some(1), 2));
    new.connect("c").await;
    assert!(new.join("c", &room("r")).await.is_err(), "no more are admitted");
}

/// The end of a recovery stays noted for ever, and by a clock that goes back it is in the future again.
#[tokio::test]
async fn a_clock_that_goes_back_does_not_refuse_newcomers_again() {
    let clock = ShiftedClock::new();
    clock.set_ahead(Duration::from_secs(3600));
    let settings =
        clock.variables().into_iter().fold(Settings::default(), |all, (name, value)| all.with_variable(name, value));
    let server = RedisServer::start_with(settings).await;
    let node = Node::on(RedisConfig::new(server.url())).await;
    server.flush_all().await;
    node.begin().await;
    node.connect("a").await;
    // Long over.
    tokio::time::sleep(Duration::from_secs(4)).await;
    node.join("a", &room("r")).await.expect("joins");
    clock.set_ahead(Duration::ZERO);
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        node.state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
    }
    node.connect("b").await;
    node.join("b", &room("r")).await.expect("joins: for the next hour nobody can");
}

/// `Instant::now() + timeout` overflows.
#[tokio::test]
async fn a_timeout_that_means_never_is_no_panic() {
    let server = RedisServer::start().await;
    let node = Node::on(RedisConfig::new(server.url()).timeout(Duration::MAX)).await;
    node.connect("a").await;
    assert!(node.state.client(&client("a").key).await.expect("reads").is_some());
}
