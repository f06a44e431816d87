//! Reaping: cleaning up after a lost node, by any node and any number of times.

use std::collections::BTreeSet;

use super::{
    Cluster,
    fixture::{LONG, Peer, assert_refused, client, clients, room},
    race::{lane, race},
};
use crate::{ClientKey, Departure, Incarnation, NewRoom, ReapOutcome, RemovedByOthers, RoomKey};

/// Registers clients that are each a member of all these rooms; returns the expected reports.
async fn fill(node: &Peer, clients: &[ClientKey], rooms: &[RoomKey]) -> Vec<Departure> {
    let mut departures = Vec::new();
    for client in clients {
        node.connect(client).await;
        for room in rooms {
            node.join(client, room).await;
            departures.push(Departure { client: client.clone(), room: room.clone() });
        }
    }
    departures
}

fn rooms(count: usize) -> Vec<RoomKey> {
    (0..count).map(|number| room(&format!("room {number}"))).collect()
}

/// Clients of one round.
fn named(round: usize, count: usize) -> Vec<ClientKey> {
    (0..count).map(|number| client(&format!("client {round}.{number}"))).collect()
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

fn by_name(departures: Vec<Departure>) -> Vec<(ClientKey, RoomKey)> {
    sorted(departures.into_iter().map(|departure| (departure.client, departure.room)).collect())
}

/// All memberships and clients of the lost incarnation are removed, and nothing else.
pub async fn a_reaped_incarnation_leaves_nothing_behind(cluster: &dyn Cluster) {
    let (survivor, lost) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    survivor.state.create_room(&room("room 0"), &NewRoom::default()).await.expect("creates");
    survivor.enter(&client("stays"), &room("room 1")).await;
    let (gone, rooms) = (sorted(clients(6)), rooms(5));
    let expected = fill(&lost, &gone, &rooms).await;
    lost.connect(&client("without rooms")).await;

    survivor.sees_lost(cluster, &lost.incarnation).await;
    let reaped = survivor.reap_all(&lost.incarnation, 4).await;
    assert_eq!(by_name(reaped.departures), by_name(expected));
    assert_eq!(reaped.clients, sorted([gone.clone(), vec![client("without rooms")]].concat()));
    for client in reaped.clients {
        assert_eq!(survivor.client(&client).await, None);
    }
    assert_eq!(survivor.members(&rooms[0]).await, [""; 0]);
    assert!(survivor.room(&rooms[0]).await.is_some(), "created by name");
    assert_eq!(survivor.members(&rooms[1]).await, ["stays"]);
    for room in &rooms[2..] {
        assert_eq!(survivor.room(room).await, None, "its last member is gone");
    }
    let again = survivor.reap(&lost.incarnation, 4).await;
    assert_eq!(again, ReapOutcome { finished: true, ..ReapOutcome::default() });
}

/// Several survivors reap concurrently: every membership and every client is reported exactly once.
pub async fn each_departure_is_reported_to_one_of_many_reapers(cluster: &dyn Cluster) {
    let rounds = cluster.rounds(20);
    let survivors = Peer::three(cluster).await;
    let (mut lost, mut expected) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let peer = Peer::begin(cluster).await;
        expected.push(by_name(fill(&peer, &named(round, 10), &rooms(4)).await));
        peer.state.end_lease(&peer.incarnation).await.expect("ends");
        lost.push(peer.incarnation);
    }
    let lanes = survivors.iter().cycle().take(4).map(|survivor| {
        let (survivor, lost) = (survivor.clone(), lost.clone());
        lane(move |round| {
            let (survivor, lost) = (survivor.clone(), lost[round].clone());
            async move { survivor.reap_all(&lost, 3).await }
        })
    });
    for (round, outcomes) in race(rounds, lanes.collect()).await.into_iter().enumerate() {
        let departures = outcomes.iter().flat_map(|outcome| outcome.departures.clone()).collect();
        assert_eq!(by_name(departures), expected[round], "in round {round}");
        let reported = sorted(outcomes.into_iter().flat_map(|outcome| outcome.clients).collect());
        assert_eq!(reported, sorted(named(round, 10)), "in round {round}");
    }
    for room in rooms(4) {
        assert_eq!(survivors[0].room(&room).await, None);
    }
    survivors[0].is_told_of(&[]).await;
}

/// Incarnations that are not lost are not affected.
pub async fn a_live_or_unknown_incarnation_is_not_reaped(cluster: &dyn Cluster) {
    let [survivor, living, _] = Peer::three(cluster).await;
    living.enter(&client("c"), &room("r")).await;
    let unknown = Incarnation::begin(living.incarnation.node().clone());
    for target in [&living.incarnation, &unknown] {
        let outcome = survivor.reap(target, 10).await;
        assert_eq!(outcome, ReapOutcome { finished: true, ..ReapOutcome::default() });
    }
    assert_eq!(survivor.members(&room("r")).await, ["c"]);
    living.enter(&client("d"), &room("r")).await;
    survivor.state.begin_lease(&unknown, LONG).await.expect("was not fenced");
}

/// From the first step on the lost incarnation cannot write any more, so reaping terminates.
pub async fn the_first_step_fences_the_incarnation(cluster: &dyn Cluster) {
    let (survivor, lost) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    fill(&lost, &clients(3), &rooms(3)).await;
    survivor.sees_lost(cluster, &lost.incarnation).await;
    let step = survivor.reap(&lost.incarnation, 1).await;
    assert!(!step.finished && step.departures.len() <= 1, "{step:?}");

    let remaining = &clients(3)[2];
    assert_refused!(lost.state.renew_lease(&lost.incarnation, LONG).await, Fenced);
    assert_refused!(lost.state.begin_lease(&lost.incarnation, LONG).await, Fenced);
    assert_refused!(lost.try_join(remaining, &room("r")).await, Fenced);
    assert_refused!(lost.state.leave(&lost.incarnation, remaining, &rooms(3)[2]).await, Fenced);
    assert_refused!(lost.state.disconnect(&lost.incarnation, remaining).await, Fenced);
    let rest = survivor.reap_all(&lost.incarnation, 2).await;
    assert_eq!(step.departures.len() + rest.departures.len(), 9);
    assert_eq!(step.clients.len() + rest.clients.len(), 3);
}

/// An incarnation is reported until it is cleaned up completely, and any node continues where another stopped.
pub async fn a_reaper_that_stops_half_way_is_succeeded_by_another(cluster: &dyn Cluster) {
    let (first, second) = (Peer::doomed(cluster).await, Peer::begin(cluster).await);
    let lost = Peer::begin(cluster).await;
    let expected = fill(&lost, &clients(4), &rooms(4)).await;
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    let mut departures = first.reap(&lost.incarnation, 5).await.departures;

    second.sees_lost(cluster, &first.incarnation).await;
    second.is_told_of(&[&first, &lost]).await;
    departures.extend(second.reap_all(&lost.incarnation, 5).await.departures);
    assert_eq!(by_name(departures), by_name(expected));
    second.is_told_of(&[&first]).await;
}

/// Compare and delete: entries that now belong to another incarnation are neither removed nor reported.
pub async fn a_client_that_moved_is_not_reaped(cluster: &dyn Cluster) {
    let (survivor, lost) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    for name in ["moved", "lost"] {
        lost.enter(&client(name), &room("r")).await;
        lost.join(&client(name), &room("s")).await;
    }
    survivor.enter(&client("moved"), &room("r")).await;
    survivor.sees_lost(cluster, &lost.incarnation).await;

    let reaped = survivor.reap_all(&lost.incarnation, 1).await;
    assert_eq!(reaped.clients, [client("lost")]);
    let departures = by_name(reaped.departures);
    assert_eq!(departures, [(client("lost"), room("r")), (client("lost"), room("s"))]);
    assert_eq!(survivor.members(&room("r")).await, ["moved"]);
    assert_eq!(survivor.rooms_of(&client("moved")).await, ["r"]);
}

/// Clients that reconnect to other nodes while their old entries are cleaned up keep all new entries.
pub async fn clients_that_come_back_meanwhile_are_not_reaped(cluster: &dyn Cluster) {
    let rounds = cluster.rounds(30);
    let nodes = Peer::three(cluster).await;
    let mut lost = Vec::new();
    for round in 0..rounds {
        let peer = Peer::begin(cluster).await;
        fill(&peer, &named(round, 12), &rooms(2)).await;
        peer.state.end_lease(&peer.incarnation).await.expect("ends");
        lost.push(peer.incarnation);
    }
    let mut lanes = Vec::new();
    for reaper in &nodes[1..] {
        let (reaper, lost) = (reaper.clone(), lost.clone());
        lanes.push(lane(move |round| {
            let (reaper, lost) = (reaper.clone(), lost[round].clone());
            async move { reaper.reap_all(&lost, 2).await.clients }
        }));
    }
    for (half, node) in nodes[..2].iter().enumerate() {
        let node = node.clone();
        lanes.push(lane(move |round| {
            let node = node.clone();
            async move {
                for client in named(round, 12).iter().skip(half).step_by(2) {
                    node.enter(client, &room("new")).await;
                }
                Vec::new()
            }
        }));
    }
    for (round, outcomes) in race(rounds, lanes).await.into_iter().enumerate() {
        let reported = outcomes.concat();
        let once: BTreeSet<_> = reported.iter().collect();
        assert_eq!(once.len(), reported.len(), "reported twice, in round {round}");
        for (client, node) in named(round, 12).iter().zip(nodes[..2].iter().cycle()) {
            assert_eq!(node.disconnect(client).await, [room("new")], "{client:?}");
        }
    }
    for gone in rooms(2).into_iter().chain([room("new")]) {
        assert_eq!(nodes[0].room(&gone).await, None);
    }
}

/// A node that was cut off can read which of its memberships and clients the cleanup reported: all that it did not end
/// itself, whether it knows of the end or not.
pub async fn what_a_clean_up_removed_is_told_apart_from_what_the_incarnation_ended_itself(cluster: &dyn Cluster) {
    let (survivor, lost) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    let [stays, leaves, goes, moves] = ["stays", "leaves", "goes", "moves"].map(client);
    let rooms = rooms(20);
    for client in [&stays, &leaves, &goes, &moves] {
        lost.connect(client).await;
    }
    let mut known = Vec::new();
    for room in &rooms {
        let uid = lost.join(&stays, room).await.uid;
        for client in [&leaves, &goes, &moves] {
            lost.join(client, room).await;
        }
        known.push((room.clone(), uid));
    }
    let (left, kept) = rooms.split_at(10);
    for room in left {
        assert!(lost.leave(&leaves, room).await);
    }
    lost.disconnect(&goes).await;
    survivor.connect(&moves).await;
    let nothing = RemovedByOthers::default();
    for client in [&stays, &leaves, &goes, &moves] {
        assert_eq!(survivor.removed_by_others(&lost.incarnation, client, &known).await, nothing, "it is alive");
    }
    survivor.sees_lost(cluster, &lost.incarnation).await;
    survivor.reap_all(&lost.incarnation, 7).await;
    for peer in [&survivor, &lost] {
        let removed = peer.removed_by_others(&lost.incarnation, &stays, &known).await;
        assert_eq!(removed, RemovedByOthers { client: true, rooms: sorted(rooms.clone()) });
        let removed = peer.removed_by_others(&lost.incarnation, &leaves, &known).await;
        assert_eq!(removed, RemovedByOthers { client: true, rooms: sorted(kept.to_vec()) });
        for client in [&goes, &moves] {
            assert_eq!(peer.removed_by_others(&lost.incarnation, client, &known).await, nothing, "{client:?}");
        }
        assert_eq!(
            peer.removed_by_others(&survivor.incarnation, &stays, &known).await,
            nothing,
            "of another incarnation"
        );
    }
}
