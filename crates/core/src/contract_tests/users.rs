//! Users: which clients belong to which user, on all nodes, without disconnected clients.

use std::collections::BTreeSet;

use super::{
    Cluster,
    fixture::{Peer, client, client_in, clients, new_client, room},
    names::odd_names,
    paging::{LIMITS, nothing, read_all},
    race::{Lane, lane, race},
};
use crate::{ClientId, ClientKey, LiveClient, Namespace, NewClient, PageRequest, UserId};

fn user(name: &str) -> UserId {
    UserId::new(name).expect("valid")
}

fn of(key: &ClientKey, user: Option<&UserId>) -> NewClient {
    NewClient { user: user.cloned(), ..new_client(key) }
}

async fn connect(peer: &Peer, key: &ClientKey, user: &UserId) {
    peer.state.connect(&peer.incarnation, &of(key, Some(user))).await.expect("connects");
}

fn ids(keys: &[ClientKey]) -> BTreeSet<ClientId> {
    keys.iter().map(|key| key.client.clone()).collect()
}

/// A user's clients. All pages and the count must agree, and each record must equal the record that is read alone, so
/// no client may connect or disconnect meanwhile.
async fn sessions_in(peer: &Peer, namespace: &Namespace, user: &UserId) -> BTreeSet<ClientId> {
    let count = peer.state.user_client_count(namespace, user).await.expect("counts");
    let mut all = BTreeSet::new();
    for limit in LIMITS {
        let page = async |wanted: PageRequest| peer.state.user_clients(namespace, user, &wanted).await;
        let read = read_all(limit, page, nothing).await;
        all = read.iter().map(|record| record.id.clone()).collect();
        assert_eq!(all.len() as u64, count, "{limit} a page");
        for record in read {
            assert_eq!(record.user.as_ref(), Some(user));
            let key = ClientKey::new(namespace.clone(), record.id.clone());
            assert_eq!(peer.client(&key).await, Some(record));
        }
    }
    all
}

async fn sessions(peer: &Peer, user: &UserId) -> BTreeSet<ClientId> {
    sessions_in(peer, &Namespace::root(), user).await
}

/// Every node reports the same clients of a user with clients on two nodes, through joins, leaves and disconnects.
pub async fn clients_of_a_user_are_told_on_every_node(cluster: &dyn Cluster) {
    let [first, second, third] = Peer::three(cluster).await;
    let (ada, bob, all) = (user("ada"), user("bob"), clients(6));
    for (key, peer) in all.iter().zip([&first, &second].into_iter().cycle()) {
        connect(peer, key, &ada).await;
        peer.join(key, &room("r")).await;
    }
    connect(&third, &client("bob's"), &bob).await;
    first.leave(&all[0], &room("r")).await;
    for peer in [&first, &second, &third] {
        assert_eq!(sessions(peer, &ada).await, ids(&all));
        assert_eq!(sessions(peer, &bob).await, ids(&[client("bob's")]));
    }
    first.disconnect(&all[0]).await;
    second.disconnect(&all[1]).await;
    // Another node's client.
    second.disconnect(&all[2]).await;
    for peer in [&first, &second, &third] {
        assert_eq!(sessions(peer, &ada).await, ids(&all[2..]));
    }
    for (key, peer) in all.iter().zip([&first, &second].into_iter().cycle()).skip(2) {
        peer.disconnect(key).await;
    }
    assert!(sessions(&third, &ada).await.is_empty());
    assert_eq!(sessions(&third, &bob).await.len(), 1);
}

/// An anonymous client belongs to no user.
pub async fn an_anonymous_client_belongs_to_no_user(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.connect(&client("ada")).await;
    for name in ["ada", "nobody", "false", "nil"] {
        assert!(sessions(&peer, &user(name)).await.is_empty());
    }
}

/// Users of one name in two namespaces are distinct, and no user name reaches another's clients.
pub async fn users_never_mix(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let names: Vec<_> = odd_names().into_iter().map(|name| user(&name)).collect();
    let key = |space: &str, number: usize| client_in(space, &format!("{number}"));
    for (number, user) in names.iter().enumerate() {
        for space in ["/", "/x"] {
            connect(&peer, &key(space, number), user).await;
        }
    }
    for (number, user) in names.iter().enumerate() {
        for space in ["/", "/x"] {
            let namespace = Namespace::new(space).expect("valid");
            assert_eq!(sessions_in(&peer, &namespace, user).await, ids(&[key(space, number)]), "{user:?}");
        }
        peer.disconnect(&key("/x", number)).await;
        assert_eq!(sessions(&peer, user).await.len(), 1);
    }
}

/// A client that is registered again, here or under another incarnation, belongs to its new user only.
pub async fn a_client_that_is_registered_again_is_its_new_users(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let (ada, bob, key) = (user("ada"), user("bob"), client("c"));
    for _ in 0..2 {
        connect(&first, &key, &ada).await;
        assert_eq!(sessions(&second, &ada).await.len(), 1);
    }
    for (peer, now, before) in [(&first, &bob, &ada), (&second, &ada, &bob)] {
        connect(peer, &key, now).await;
        assert_eq!((sessions(peer, now).await.len(), sessions(peer, before).await.len()), (1, 0));
    }
    first.disconnect(&key).await;
    assert_eq!(sessions(&first, &ada).await.len(), 1, "it is the second node's");
    second.state.connect(&second.incarnation, &of(&key, None)).await.expect("connects");
    assert!(sessions(&first, &ada).await.is_empty());
}

/// Reaping a lost node step by step removes all of its clients from the list, except a client that was restored
/// elsewhere.
pub async fn clients_of_a_lost_node_leave_their_users(cluster: &dyn Cluster) {
    let survivor = Peer::begin(cluster).await;
    let lost = Peer::doomed(cluster).await;
    let (ada, all) = (user("ada"), clients(9));
    for key in &all {
        connect(&lost, key, &ada).await;
        lost.join(key, &room("r")).await;
    }
    connect(&survivor, &client("stays"), &ada).await;
    assert_eq!(sessions(&survivor, &ada).await.len(), 10);
    survivor.sees_lost(cluster, &lost.incarnation).await;
    let back = LiveClient { client: of(&all[0], Some(&ada)), rooms: Vec::new() };
    survivor.restore(&[back]).await;
    survivor.reap_all(&lost.incarnation, 2).await;
    assert_eq!(sessions(&survivor, &ada).await, ids(&[client("stays"), all[0].clone()]));
    for key in [&client("stays"), &all[0]] {
        survivor.disconnect(key).await;
    }
    assert!(sessions(&survivor, &ada).await.is_empty());
}

/// Restoring adds clients to their users; it is idempotent.
pub async fn restored_clients_are_their_users(cluster: &dyn Cluster) {
    let [old, new, _] = Peer::three(cluster).await;
    let (ada, all) = (user("ada"), clients(5));
    connect(&old, &all[0], &ada).await;
    connect(&old, &all[1], &user("bob")).await;
    let alive: Vec<_> = all.iter().map(|key| LiveClient { client: of(key, Some(&ada)), rooms: Vec::new() }).collect();
    for _ in 0..2 {
        new.restore(&alive).await;
        assert_eq!(sessions(&old, &ada).await, ids(&all));
        assert!(sessions(&old, &user("bob")).await.is_empty());
    }
}

/// Connected clients are listed while other clients of the same user connect and disconnect.
pub async fn a_users_clients_that_stay_are_read_while_others_come_and_go(cluster: &dyn Cluster) {
    let [first, second, _] = Peer::three(cluster).await;
    let (ada, stay) = (user("ada"), clients(30));
    for (key, peer) in stay.iter().zip([&first, &second].into_iter().cycle()) {
        connect(peer, key, &ada).await;
    }
    for limit in LIMITS {
        let page = async |wanted: PageRequest| first.state.user_clients(&Namespace::root(), &ada, &wanted).await;
        let read = read_all(limit, page, async |number| {
            let key = client(&format!("passing {}", number % 4));
            connect(&second, &key, &ada).await;
            if number % 2 == 0 {
                second.disconnect(&key).await;
            }
        })
        .await;
        let read: BTreeSet<_> = read.into_iter().map(|record| record.id).collect();
        assert!(read.is_superset(&ids(&stay)), "{limit} a page: {read:?}");
    }
}

/// Many clients of one user connect and disconnect on several nodes concurrently, some with one id. Afterwards the list
/// agrees with their records, and is empty once all have disconnected.
pub async fn clients_of_a_user_that_race_are_counted_exactly(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let ada = user("ada");
    let rounds = cluster.rounds(40);
    for part in 0..4 {
        race(rounds / 4, (0..6).map(|number| coming_and_going(&nodes[number % 3], number, &ada)).collect()).await;
        let mut truth = BTreeSet::new();
        for number in 0..3 {
            let record = nodes[0].client(&client(&format!("c{number}"))).await;
            truth.extend(record.filter(|record| record.user.as_ref() == Some(&ada)).map(|record| record.id));
        }
        assert_eq!(sessions(&nodes[part % 3], &ada).await, truth);
    }
    for peer in &nodes {
        for number in 0..3 {
            peer.disconnect(&client(&format!("c{number}"))).await;
        }
    }
    assert!(sessions(&nodes[0], &ada).await.is_empty());
}

/// Two nodes contend for each id.
fn coming_and_going(peer: &Peer, number: usize, user: &UserId) -> Lane<()> {
    let (peer, user, key) = (peer.clone(), user.clone(), client(&format!("c{}", number / 2)));
    lane(move |round| {
        let (peer, key) = (peer.clone(), key.clone());
        let new = of(&key, Some(&user).filter(|_| round % 5 != 0));
        async move {
            peer.state.connect(&peer.incarnation, &new).await.expect("connects");
            if (round + number).is_multiple_of(2) {
                peer.disconnect(&key).await;
            }
        }
    })
}
