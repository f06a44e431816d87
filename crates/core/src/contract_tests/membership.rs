//! Memberships: joining and leaving.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Cluster,
    fixture::{Peer, assert_refused, client, client_in, room, room_in},
    race::{lane, race},
};
use crate::{JoinOutcome, PageRequest};

/// A join is visible in the room and in the client, on every node.
pub async fn joining_creates_the_room_and_both_sides_know(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let created = first.enter(&client("a"), &room("r")).await;
    assert!(created.newly_joined && created.created, "{created:?}");
    let joined = second.enter(&client("b"), &room("r")).await;
    assert_eq!(joined, JoinOutcome { uid: created.uid, newly_joined: true, created: false });

    for reader in [&first, &second] {
        assert_eq!(reader.members(&room("r")).await, ["a", "b"]);
        assert_eq!(reader.rooms_of(&client("a")).await, ["r"]);
        assert_eq!(reader.rooms_of(&client("b")).await, ["r"]);
    }
}

/// After an unknown outcome a join is repeated; it then reports the membership and changes nothing.
pub async fn joining_again_changes_nothing_and_says_so(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let first = peer.enter(&client("c"), &room("r")).await;
    let before = peer.room(&room("r")).await;
    cluster.advance(Duration::from_millis(20)).await;
    for _ in 0..3 {
        let again = peer.join(&client("c"), &room("r")).await;
        assert_eq!(again, JoinOutcome { uid: first.uid, newly_joined: false, created: false });
    }
    assert_eq!(peer.room(&room("r")).await, before, "nothing changed, so it was not updated either");
    assert!(peer.leave(&client("c"), &room("r")).await, "one leave ends it");
    assert_eq!(peer.room(&room("r")).await, None);
}

/// Only a client that this incarnation registered joins, and only rooms of its own namespace.
pub async fn joining_needs_a_client_of_this_incarnation(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    other.connect(&client("other's")).await;
    peer.connect(&client("gone")).await;
    peer.disconnect(&client("gone")).await;
    peer.connect(&client_in("/x", "elsewhere")).await;
    for stranger in [client("nobody"), client("other's"), client("gone"), client_in("/x", "elsewhere")] {
        assert_refused!(peer.try_join(&stranger, &room("r")).await, ClientNotFound);
        assert_eq!(peer.rooms_of(&stranger).await, [""; 0]);
    }
    assert_eq!(peer.room(&room("r")).await, None, "a refused join creates no room");
}

/// Each member is listed with the incarnation that holds its connection.
pub async fn a_room_shows_the_members_of_every_node(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let mut expected = BTreeMap::new();
    for (number, node) in nodes.iter().cycle().take(9).enumerate() {
        let key = client(&format!("c{number}"));
        node.enter(&key, &room("r")).await;
        expected.insert(key.client, node.incarnation.clone());
    }
    for reader in &nodes {
        let page = reader.state.members(&room("r"), &PageRequest::first(1000)).await.expect("reads");
        let listed: BTreeMap<_, _> = page.items.into_iter().map(|member| (member.client, member.incarnation)).collect();
        assert_eq!(listed, expected);
    }
}

/// A leave ends only the named membership.
pub async fn leaving_ends_one_membership_and_no_other(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    for name in ["a", "b"] {
        peer.enter(&client(name), &room("r")).await;
        peer.join(&client(name), &room("s")).await;
    }
    assert!(peer.leave(&client("a"), &room("r")).await);
    assert_eq!(peer.members(&room("r")).await, ["b"]);
    assert_eq!(peer.members(&room("s")).await, ["a", "b"]);
    assert_eq!(peer.rooms_of(&client("a")).await, ["s"]);
    assert_eq!(peer.rooms_of(&client("b")).await, ["r", "s"]);
}

/// A repeated leave, and a leave without a membership, returns false and changes nothing.
pub async fn leaving_again_ends_nothing(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    peer.enter(&client("c"), &room("r")).await;
    peer.join(&client("c"), &room("s")).await;
    other.enter(&client("d"), &room("s")).await;

    assert!(peer.leave(&client("c"), &room("r")).await);
    let before = peer.room(&room("s")).await;
    cluster.advance(Duration::from_millis(20)).await;
    for (who, what) in [("c", "r"), ("c", "missing"), ("nobody", "s"), ("d", "s"), ("d", "r")] {
        assert!(!peer.leave(&client(who), &room(what)).await, "{who} leaves {what}");
    }
    assert!(!peer.leave(&client("c"), &room_in("/x", "s")).await);
    assert_eq!(peer.room(&room("s")).await, before);
    assert_eq!(peer.rooms_of(&client("c")).await, ["s"]);
}

/// A room that is removed never takes a concurrently joining member with it.
pub async fn a_join_outlives_a_racing_last_leave(cluster: &dyn Cluster) {
    let rounds = cluster.rounds(300);
    let [first, second, _] = Peer::three(cluster).await;
    let target = |round: usize| room(&format!("r{round}"));
    second.connect(&client("joins")).await;
    let mut old = Vec::new();
    for round in 0..rounds {
        old.push(first.enter(&client("leaves"), &target(round)).await);
    }
    let (leaver, joiner) = (first.clone(), second.clone());
    let leaves = lane(move |round| {
        let leaver = leaver.clone();
        async move {
            assert!(leaver.leave(&client("leaves"), &target(round)).await, "in round {round}");
            None
        }
    });
    let joins = lane(move |round| {
        let joiner = joiner.clone();
        async move { Some(joiner.join(&client("joins"), &target(round)).await) }
    });
    for (round, outcomes) in race(rounds, vec![leaves, joins]).await.into_iter().enumerate() {
        let joined = outcomes[1].expect("of the join");
        assert_eq!(joined.created, joined.uid != old[round].uid, "a new room has a new uid, in round {round}");
        assert_eq!(first.members(&target(round)).await, ["joins"], "in round {round}");
        assert!(second.leave(&client("joins"), &target(round)).await);
        assert_eq!(first.room(&target(round)).await, None);
    }
}
