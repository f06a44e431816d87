//! Leases: beginning, renewal, expiry, end.

use super::{
    Cluster,
    fixture::{LONG, Peer, alive, client, room},
};
use crate::{DeletionId, Incarnation, RoomUid};

/// Beginning a lease is idempotent.
pub async fn beginning_a_lease_twice_is_beginning_it_once(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client("c"), &room("r")).await;
    peer.state.begin_lease(&peer.incarnation, LONG).await.expect("begins again");
    assert_eq!(peer.members(&room("r")).await, ["c"]);
    peer.is_told_of(&[]).await;
}

/// Every renewal reports the incarnations with an expired lease until they are reaped.
pub async fn every_renewal_reports_the_expired_leases(cluster: &dyn Cluster) {
    let [first, second, third] = Peer::three(cluster).await;
    let lost = Peer::doomed(cluster).await;
    lost.enter(&client("c"), &room("r")).await;
    for survivor in [&first, &second, &third, &first] {
        survivor.sees_lost(cluster, &lost.incarnation).await;
        survivor.is_told_of(&[&lost]).await;
    }
    first.reap_all(&lost.incarnation, 10).await;
    for survivor in [&first, &second] {
        survivor.is_told_of(&[]).await;
    }
}

/// A store without a data loss never reports one, whatever was written.
pub async fn a_lease_of_which_nothing_was_lost_is_not_behind(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    assert!(!peer.renew().await.behind);
    peer.enter(&client("a"), &room("r")).await;
    peer.enter(&client("b"), &room("r")).await;
    assert!(!peer.renew().await.behind);
    peer.leave(&client("a"), &room("r")).await;
    peer.disconnect(&client("b")).await;
    other.connect(&client("a")).await;
    peer.restore(&[alive(&client("c"), &[(&room("s"), RoomUid::random())])]).await;
    other.state.delete_room(&room("s"), DeletionId::random()).await.expect("deletes").expect("was there");
    for peer in [&peer, &other, &peer] {
        assert!(!peer.renew().await.behind);
    }
}

/// A lease lasts for another duration from its renewal.
pub async fn a_lease_that_is_kept_is_never_reported(cluster: &dyn Cluster) {
    let (watcher, kept, lost) = (Peer::begin(cluster).await, Peer::doomed(cluster).await, Peer::doomed(cluster).await);
    lost.enter(&client("lost"), &room("r")).await;
    kept.enter(&client("kept"), &room("r")).await;
    kept.renew().await;
    watcher.sees_lost(cluster, &lost.incarnation).await;
    watcher.is_told_of(&[&lost]).await;
}

/// An expired lease is still held: its node may renew it until another node reaps it.
pub async fn a_lease_that_ran_out_may_be_renewed_until_it_is_reaped(cluster: &dyn Cluster) {
    let (survivor, late) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    late.enter(&client("c"), &room("r")).await;
    survivor.sees_lost(cluster, &late.incarnation).await;

    late.is_told_of(&[]).await;
    survivor.is_told_of(&[]).await;
    let outcome = survivor.reap(&late.incarnation, 10).await;
    assert!(outcome.finished && outcome.departures.is_empty() && outcome.clients.is_empty(), "{outcome:?}");
    assert_eq!(survivor.members(&room("r")).await, ["c"]);
}

/// A writer still holds its expired lease until it is reaped.
pub async fn a_lease_that_ran_out_still_writes_until_it_is_reaped(cluster: &dyn Cluster) {
    let (survivor, late) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    late.enter(&client("c"), &room("r")).await;
    survivor.sees_lost(cluster, &late.incarnation).await;

    late.enter(&client("d"), &room("r")).await;
    assert!(late.leave(&client("c"), &room("r")).await);
    assert_eq!(survivor.members(&room("r")).await, ["d"]);
    let reaped = survivor.reap_all(&late.incarnation, 10).await;
    assert_eq!(reaped.clients, [client("c"), client("d")], "what was written late is cleaned up, too");
    assert_eq!(reaped.departures.len(), 1);
}

/// Entries that a stopping node did not remove are reported to the next node that renews.
pub async fn an_ended_lease_is_reported_with_what_it_left_behind(cluster: &dyn Cluster) {
    let (survivor, stopped) = (Peer::begin(cluster).await, Peer::begin(cluster).await);
    stopped.enter(&client("c"), &room("r")).await;
    stopped.state.end_lease(&stopped.incarnation).await.expect("ends");
    survivor.is_told_of(&[&stopped]).await;
    let reaped = survivor.reap_all(&stopped.incarnation, 10).await;
    assert_eq!((reaped.clients.len(), reaped.departures.len()), (1, 1));
    survivor.is_told_of(&[]).await;
}

/// Ending a lease is idempotent.
pub async fn ending_a_lease_twice_or_without_one_is_no_error(cluster: &dyn Cluster) {
    let (peer, unborn) = (Peer::begin(cluster).await, Peer::unborn(cluster).await);
    for ended in [&peer, &peer, &unborn] {
        ended.state.end_lease(&ended.incarnation).await.expect("ends");
    }
}

/// A node that starts again has another incarnation; the old one is cleaned up without harm to the new.
pub async fn two_incarnations_of_one_node_are_told_apart(cluster: &dyn Cluster) {
    let old = Peer::doomed(cluster).await;
    let new = Peer { incarnation: Incarnation::begin(old.incarnation.node().clone()), ..Peer::unborn(cluster).await };
    new.state.begin_lease(&new.incarnation, LONG).await.expect("begins");
    old.enter(&client("old"), &room("r")).await;
    new.enter(&client("new"), &room("r")).await;

    new.sees_lost(cluster, &old.incarnation).await;
    new.is_told_of(&[&old]).await;
    assert_eq!(new.reap_all(&old.incarnation, 10).await.clients, [client("old")]);
    assert_eq!(new.members(&room("r")).await, ["new"]);
    assert!(!new.join(&client("new"), &room("r")).await.newly_joined);
}
