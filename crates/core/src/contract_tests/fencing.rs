//! Fencing: a writer without a lease writes nothing.

use super::{
    Cluster,
    fixture::{LONG, Peer, alive, assert_refused, client, metadata, new_client, room},
};
use crate::{RoomUid, Timestamp};

/// An incarnation that never began holds no lease.
pub async fn an_incarnation_that_never_began_is_refused_every_write(cluster: &dyn Cluster) {
    let (witness, unborn) = (Peer::begin(cluster).await, Peer::unborn(cluster).await);
    refuses_every_write(&witness, &unborn).await;
}

/// An incarnation that ended its lease holds none, also while its clients wait to be cleaned up.
pub async fn an_incarnation_that_ended_is_refused_every_write(cluster: &dyn Cluster) {
    let (witness, ended) = (Peer::begin(cluster).await, Peer::begin(cluster).await);
    ended.enter(&client("left behind"), &room("r")).await;
    ended.state.end_lease(&ended.incarnation).await.expect("ends");
    refuses_every_write(&witness, &ended).await;
}

/// An incarnation that was reaped holds no lease, also when nothing was left to clean up.
pub async fn an_incarnation_that_was_reaped_is_refused_every_write(cluster: &dyn Cluster) {
    let (witness, reaped, idle) =
        (Peer::begin(cluster).await, Peer::doomed(cluster).await, Peer::doomed(cluster).await);
    reaped.enter(&client("reaped"), &room("r")).await;
    for lost in [&reaped, &idle] {
        witness.sees_lost(cluster, &lost.incarnation).await;
        witness.reap_all(&lost.incarnation, 10).await;
        refuses_every_write(&witness, lost).await;
    }
}

/// An incarnation begins once: after its end or reaping it cannot begin again.
pub async fn an_incarnation_that_ended_never_begins_again(cluster: &dyn Cluster) {
    let (witness, ended, reaped) =
        (Peer::begin(cluster).await, Peer::begin(cluster).await, Peer::doomed(cluster).await);
    ended.state.end_lease(&ended.incarnation).await.expect("ends");
    witness.sees_lost(cluster, &reaped.incarnation).await;
    witness.reap_all(&reaped.incarnation, 10).await;
    for over in [ended, reaped] {
        assert_refused!(over.state.begin_lease(&over.incarnation, LONG).await, Fenced);
        assert_refused!(over.try_join(&client("c"), &room("r")).await, Fenced);
    }
}

/// Calls every method that takes an incarnation, for existing clients and a missing one.
async fn refuses_every_write(witness: &Peer, writer: &Peer) {
    let (state, incarnation) = (&writer.state, &writer.incarnation);
    let (here, left_behind, stranger) = (client("here"), client("left behind"), client("stranger"));
    witness.enter(&here, &room("r")).await;
    let before = picture(witness).await;

    assert_refused!(state.renew_lease(incarnation, LONG).await, Fenced);
    assert_refused!(state.reap(incarnation, &witness.incarnation, 10).await, Fenced);
    for target in [&here, &left_behind, &stranger] {
        assert_refused!(state.connect(incarnation, &new_client(target)).await, Fenced);
        assert_refused!(
            state.restore(incarnation, &[alive(target, &[(&room("new"), RoomUid::random())])]).await,
            Fenced
        );
        assert_refused!(state.set_client_metadata(incarnation, target, &metadata("by", "the dead")).await, Fenced);
        assert_refused!(state.touch(incarnation, &[(target.clone(), Timestamp::from_millis(9_000_000))]).await, Fenced);
        assert_refused!(state.join(incarnation, target, &room("r")).await, Fenced);
        assert_refused!(state.join(incarnation, target, &room("new")).await, Fenced);
        assert_refused!(state.leave(incarnation, target, &room("r")).await, Fenced);
        assert_refused!(state.disconnect(incarnation, target).await, Fenced);
    }
    assert_eq!(picture(witness).await, before, "a refused write changes nothing");
    witness.disconnect(&here).await;
}

/// Everything that a refused writer could have changed, as text.
async fn picture(witness: &Peer) -> String {
    let mut picture = Vec::new();
    for name in ["here", "left behind", "stranger"] {
        picture.push(format!("{:?}", witness.client(&client(name)).await));
    }
    for name in ["r", "new"] {
        picture.push(format!("{:?}", witness.room(&room(name)).await));
    }
    picture.join("\n")
}
