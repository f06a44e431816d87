//! Clients: registration, ownership by incarnations, and records.

use super::{
    Cluster,
    fixture::{LONG, Peer, alive, assert_refused, client, client_in, metadata, new_client, room, room_in},
    race::{lane, race},
};
use crate::{Incarnation, Namespace, NewClient, ReapOutcome, RoomUid, StateError, Timestamp, UserId, WebSocketClient};

/// A registered client can be read from every node.
pub async fn a_client_is_kept_as_it_was_registered(cluster: &dyn Cluster) {
    let [owner, other, _] = Peer::three(cluster).await;
    let key = client("c");
    let user = Some(UserId::new("Ada Lovelace").expect("valid"));
    let notes = metadata("seat", serde_json::json!({ "row": 12, "window": true, "with": ["Grace", null, 0.5] }));
    let connected_at = Timestamp::from_millis(1_795_446_540_123);
    let new = NewClient { key: key.clone(), user: user.clone(), metadata: notes.clone(), connected_at };
    owner.state.connect(&owner.incarnation, &new).await.expect("connects");

    let expected = WebSocketClient {
        id: key.client.clone(),
        rooms: Vec::new(),
        metadata: notes,
        connected_at,
        last_active_at: connected_at,
        user,
        node: owner.incarnation.node().clone(),
    };
    for reader in [&owner, &other] {
        assert_eq!(reader.client(&key).await.as_ref(), Some(&expected));
        assert_eq!(reader.state.locate(&key).await.expect("reads"), Some(owner.incarnation.clone()));
    }
}

/// Reading a missing client is no error.
pub async fn an_unregistered_client_is_listed_nowhere(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    assert_eq!(peer.client(&client("c")).await, None);
    assert_eq!(peer.state.locate(&client("c")).await.expect("reads"), None);
    assert_eq!(peer.disconnect(&client("c")).await, []);
}

/// A repeated registration under the same incarnation replaces the record, not the memberships.
pub async fn registering_again_replaces_the_record_and_keeps_the_memberships(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let key = client("c");
    peer.enter(&key, &room("r")).await;
    let again = NewClient { metadata: metadata("n", 2), connected_at: Timestamp::from_millis(7), ..new_client(&key) };
    peer.state.connect(&peer.incarnation, &again).await.expect("connects again");

    let record = peer.client(&key).await.expect("is there");
    assert_eq!((record.metadata, record.connected_at), (metadata("n", 2), Timestamp::from_millis(7)));
    assert_eq!(record.rooms, ["r"]);
    assert_eq!(peer.members(&room("r")).await, ["c"]);
    assert_eq!(peer.state.client_count(&Namespace::root()).await.expect("reads"), 1);
}

/// A client that connects elsewhere starts without memberships.
pub async fn registering_under_another_incarnation_drops_the_memberships_of_the_old(cluster: &dyn Cluster) {
    let [old, new, _] = Peer::three(cluster).await;
    let key = client("c");
    old.enter(&key, &room("alone")).await;
    old.join(&key, &room("shared")).await;
    old.enter(&client("d"), &room("shared")).await;

    new.connect(&key).await;
    assert_eq!(new.rooms_of(&key).await, [""; 0]);
    assert_eq!(new.room(&room("alone")).await, None, "its last member is gone");
    assert_eq!(new.members(&room("shared")).await, ["d"]);
    assert_eq!(new.state.locate(&key).await.expect("reads"), Some(new.incarnation.clone()));
}

/// Writes of another incarnation to a client are ignored, of another node or of the same: compare and delete, not
/// delete.
pub async fn a_client_that_moved_is_out_of_reach_of_its_old_incarnation(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let again = Peer { incarnation: Incarnation::begin(first.incarnation.node().clone()), ..first.clone() };
    again.state.begin_lease(&again.incarnation, LONG).await.expect("begins");
    for (name, old, new) in [("to another node", &second, &first), ("to the next incarnation", &first, &again)] {
        let (key, target) = (client(name), room(name));
        old.enter(&key, &target).await;
        new.enter(&key, &target).await;
        let before = new.client(&key).await;

        assert!(!old.leave(&key, &target).await);
        assert_eq!(old.disconnect(&key).await, []);
        assert_refused!(old.try_join(&key, &room("other")).await, ClientNotFound);
        assert_refused!(old.state.set_client_metadata(&old.incarnation, &key, &metadata("a", 1)).await, ClientNotFound);
        let late = [(key.clone(), Timestamp::from_millis(9_000_000))];
        old.state.touch(&old.incarnation, &late).await.expect("is passed over");
        old.state.end_lease(&old.incarnation).await.expect("ends");
        assert_eq!(new.reap_all(&old.incarnation, 10).await, ReapOutcome { finished: true, ..ReapOutcome::default() });

        assert_eq!(new.client(&key).await, before);
        assert_eq!(new.members(&target).await, [name]);
        assert_eq!(new.room(&room("other")).await, None);
        assert_eq!(new.disconnect(&key).await, [target]);
    }
}

/// A disconnect ends every membership, and removes rooms that are empty then.
pub async fn disconnecting_returns_the_rooms_sorted_and_removes_everything(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let key = client("c");
    peer.connect(&key).await;
    for name in ["b", "a 2", "ä", "C", "a"] {
        peer.join(&key, &room(name)).await;
    }
    peer.enter(&client("stays"), &room("b")).await;

    let rooms = ["C", "a", "a 2", "b", "ä"].map(room);
    assert_eq!(peer.rooms_of(&key).await, rooms.clone().map(|room| room.room), "sorted in the record, too");
    assert_eq!(peer.disconnect(&key).await, rooms);
    assert_eq!(peer.client(&key).await, None);
    assert_eq!(peer.state.locate(&key).await.expect("reads"), None);
    assert_eq!(peer.members(&room("b")).await, ["stays"]);
    assert_eq!(peer.state.room_count(&Namespace::root()).await.expect("reads"), 1);
}

/// A repeated disconnect removes nothing, and a new client of the same id starts empty.
pub async fn disconnecting_again_removes_nothing(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("c"), &room("r")).await;
    assert_eq!(peer.disconnect(&client("c")).await, [room("r")]);
    assert_eq!(peer.disconnect(&client("c")).await, []);
    peer.connect(&client("c")).await;
    assert_eq!(peer.disconnect(&client("c")).await, []);
}

/// The metadata of a client is replaced, not merged.
pub async fn metadata_of_a_client_is_replaced_whole(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("c"), &room("r")).await;
    for notes in [metadata("a", 1), metadata("b", "two"), metadata("b", "two"), crate::Metadata::new()] {
        peer.state.set_client_metadata(&peer.incarnation, &client("c"), &notes).await.expect("is set");
        let record = peer.client(&client("c")).await.expect("is there");
        assert_eq!((record.metadata, record.rooms.len()), (notes, 1));
    }
}

/// Only the incarnation that registered a client writes to it.
pub async fn metadata_of_a_client_of_another_incarnation_is_refused(cluster: &dyn Cluster) {
    let [owner, other, _] = Peer::three(cluster).await;
    owner.connect(&client("c")).await;
    for missing in ["c", "nobody"] {
        let outcome = other.state.set_client_metadata(&other.incarnation, &client(missing), &metadata("a", 1)).await;
        assert_refused!(outcome, ClientNotFound);
        assert!(other.client(&client(missing)).await.is_none_or(|record| record.metadata.is_empty()));
    }
}

/// The latest activity is stored, for the clients of this incarnation only.
pub async fn activity_is_noted_and_never_goes_back(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    for name in ["a", "b"] {
        peer.connect(&client(name)).await;
    }
    other.connect(&client("other")).await;
    let at = |name: &str, millis| (client(name), Timestamp::from_millis(millis));
    let noted = [at("a", 5000), at("nobody", 5000), at("other", 5000), at("b", 6000)];
    for seen in [noted.as_slice(), &[at("a", 4000)], &[]] {
        peer.state.touch(&peer.incarnation, seen).await.expect("is noted");
        for (name, millis) in [("a", 5000), ("b", 6000), ("other", 1000)] {
            let record = peer.client(&client(name)).await.expect("is there");
            assert_eq!(record.last_active_at, Timestamp::from_millis(millis), "{name}");
            assert_eq!(record.connected_at, Timestamp::from_millis(1000));
        }
        assert_eq!(peer.client(&client("nobody")).await, None, "activity registers nobody");
    }
}

/// The count follows every connect and disconnect.
pub async fn clients_are_counted(cluster: &dyn Cluster) {
    let [peer, other, lost] = Peer::three(cluster).await;
    let count = async |namespace: &str| {
        let namespace = Namespace::new(namespace).expect("valid");
        peer.state.client_count(&namespace).await.expect("reads")
    };
    assert_eq!(count("/").await, 0);
    peer.connect(&client("a")).await;
    other.connect(&client("b")).await;
    other.connect(&client("a")).await;
    lost.restore(&[alive(&client("c"), &[(&room("r"), RoomUid::random())])]).await;
    peer.enter(&client_in("/x", "a"), &room_in("/x", "r")).await;
    assert_eq!((count("/").await, count("/x").await, count("/y").await), (3, 1, 0));
    other.disconnect(&client("b")).await;
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    peer.reap_all(&lost.incarnation, 10).await;
    assert_eq!((count("/").await, count("/x").await), (1, 1));
}

/// Two calls for one client never interleave: a join comes before the disconnect and is undone by it, or after it and
/// is refused.
pub async fn a_join_and_a_disconnect_of_one_client_leave_no_member_behind(cluster: &dyn Cluster) {
    let rounds = cluster.rounds(300);
    let peer = Peer::begin(cluster).await;
    let key = |round: usize| client(&format!("c{round}"));
    let target = |round: usize, number: usize| room(&format!("r{round} {number}"));
    for round in 0..rounds {
        peer.connect(&key(round)).await;
    }
    let joiner = peer.clone();
    let joins = (0..3).map(|number| {
        let joiner = joiner.clone();
        lane(move |round| {
            let joiner = joiner.clone();
            async move {
                match joiner.try_join(&key(round), &target(round, number)).await {
                    Ok(_) => vec![target(round, number)],
                    Err(StateError::ClientNotFound) => Vec::new(),
                    Err(other) => panic!("neither in nor gone: {other:?}"),
                }
            }
        })
    });
    let leaver = peer.clone();
    let disconnects = lane(move |round| {
        let leaver = leaver.clone();
        async move { leaver.disconnect(&key(round)).await }
    });
    let lanes = joins.chain([disconnects]).collect();
    for (round, mut outcomes) in race(rounds, lanes).await.into_iter().enumerate() {
        let removed = outcomes.pop().expect("of the disconnect");
        assert_eq!(outcomes.concat(), removed, "who joined is removed, in round {round}");
        for number in 0..3 {
            assert_eq!(peer.room(&target(round, number)).await, None, "in round {round}");
        }
    }
}
