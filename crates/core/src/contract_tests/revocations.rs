//! Revocations: remembered as long as they are in force.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Cluster,
    fixture::{Peer, room},
    names::odd_names,
    paging::{LIMITS, nothing, read_all},
};
use crate::{DeletionId, NewRoom, PageRequest, Revocation, Revoked, Timestamp, TokenId, UserId};

/// The time by the store's clock.
async fn now(peer: &Peer) -> Timestamp {
    let clock = room("clock");
    let dated = peer.state.create_room(&clock, &NewRoom::default()).await.expect("creates").created_at;
    peer.state.delete_room(&clock, DeletionId::random()).await.expect("deletes");
    dated
}

fn of_user(name: &str, revoked_at: Timestamp, until: Timestamp) -> Revocation {
    Revocation { subject: Revoked::User(UserId::new(name).expect("valid")), revoked_at, until }
}

fn of_token(name: &str, revoked_at: Timestamp, until: Timestamp) -> Revocation {
    Revocation { subject: Revoked::Token(TokenId::new(name).expect("valid")), revoked_at, until }
}

async fn revoke(peer: &Peer, revocation: &Revocation) {
    peer.state.revoke(revocation).await.expect("revokes");
}

/// All revocations, the same for every size of a page.
async fn known(peer: &Peer) -> BTreeMap<Revoked, Revocation> {
    let mut by_limit = Vec::new();
    for limit in LIMITS {
        let read = read_all(limit, async |wanted: PageRequest| peer.state.revocations(&wanted).await, nothing).await;
        let count = read.len();
        let all: BTreeMap<_, _> = read.into_iter().map(|found| (found.subject.clone(), found)).collect();
        assert_eq!(all.len(), count, "each once, {limit} a page");
        by_limit.push(all);
    }
    assert!(by_limit.windows(2).all(|pair| pair[0] == pair[1]));
    by_limit.swap_remove(0)
}

fn listed<'a>(revocations: impl IntoIterator<Item = &'a Revocation>) -> BTreeMap<Revoked, Revocation> {
    revocations.into_iter().map(|revocation| (revocation.subject.clone(), revocation.clone())).collect()
}

/// Every node reads the revocations of every node, with any name; a user and a token of the same name are distinct.
pub async fn a_revocation_is_told_to_every_node_as_it_was_given(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    assert!(known(&second).await.is_empty());
    let at = now(&first).await;
    let until = at.plus(Duration::from_secs(3600));
    let mut all = Vec::new();
    for (number, name) in odd_names().iter().enumerate() {
        let until = until.plus(Duration::from_millis(number as u64));
        all.extend([of_user(name, at, until), of_token(name, until, until)]);
    }
    for revocation in &all {
        revoke(&first, revocation).await;
    }
    for peer in [&first, &second] {
        assert_eq!(known(peer).await, listed(&all));
    }
}

/// Repeating a revocation changes nothing; of two, the later times win, in either order.
pub async fn of_two_revocations_the_later_moments_count(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let at = now(&first).await;
    let after = |seconds| at.plus(Duration::from_secs(seconds));
    let given = [
        of_user("ada", after(0), after(900)),
        of_user("ada", after(0), after(900)),
        of_user("ada", after(5), after(800)),
        of_user("ada", after(2), after(1000)),
        of_user("ada", after(1), after(100)),
    ];
    for (number, revocation) in given.iter().enumerate() {
        revoke([&first, &second][number % 2], revocation).await;
    }
    assert_eq!(known(&first).await, listed(&[of_user("ada", after(5), after(1000))]));
}

/// An expired revocation is not returned; revoking again begins anew.
pub async fn an_expired_revocation_is_forgotten(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let at = now(&peer).await;
    let (short, later) = (cluster.short_lease(), at.plus(Duration::from_secs(3600)));
    let stays = of_token("stays", at, later);
    revoke(&peer, &stays).await;
    revoke(&peer, &of_user("over", at, at)).await;
    revoke(&peer, &of_user("long over", at, Timestamp::from_millis(1))).await;
    assert_eq!(known(&peer).await, listed([&stays]));
    let passes = of_user("ada", at.plus(Duration::from_millis(7)), now(&peer).await.plus(short * 2));
    revoke(&peer, &passes).await;
    assert!(known(&peer).await.contains_key(&passes.subject));
    while now(&peer).await < passes.until {
        cluster.advance(short).await;
    }
    assert_eq!(known(&peer).await, listed([&stays]));
    let anew = of_user("ada", at, later);
    revoke(&peer, &anew).await;
    assert_eq!(known(&peer).await, listed(&[stays, anew]));
}

/// All revocations are read, whatever their number.
pub async fn every_revocation_is_on_a_page(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let at = now(&first).await;
    let until = at.plus(Duration::from_secs(3600));
    let all: Vec<_> = (0..300).map(|number| of_token(&format!("token {number}"), at, until)).collect();
    for (revocation, peer) in all.iter().zip([&first, &second].into_iter().cycle()) {
        revoke(peer, revocation).await;
    }
    assert_eq!(known(&second).await, listed(&all));
}
