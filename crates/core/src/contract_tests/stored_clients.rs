//! Reading back everything a store has under an incarnation.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cluster,
    fixture::{LONG, Peer, alive, client, client_in, room, room_in},
    names::odd_names,
    paging::{LIMITS, nothing, read_all},
};
use crate::{ClientKey, DeletionId, Incarnation, NodeId, PageRequest, RoomKey};

/// Whether each client is registered, and its rooms.
type StoredClients = BTreeMap<ClientKey, (bool, BTreeSet<RoomKey>)>;

/// All entries under an incarnation, with an action after each page.
async fn read_stored(
    peer: &Peer,
    incarnation: &Incarnation,
    limit: usize,
    after_page: impl AsyncFnMut(usize),
) -> StoredClients {
    let mut stored = StoredClients::new();
    for item in
        read_all(limit, async |wanted: PageRequest| peer.state.stored_clients(incarnation, &wanted).await, after_page)
            .await
    {
        let (registered, rooms) = stored.entry(item.key).or_default();
        *registered |= item.registered;
        rooms.extend(item.rooms);
    }
    stored
}

/// As [`read_stored`], the same for every size of a page.
async fn stored(peer: &Peer, incarnation: &Incarnation) -> StoredClients {
    let [first, second, third] = LIMITS;
    let all = read_stored(peer, incarnation, first, nothing).await;
    for limit in [second, third] {
        assert_eq!(read_stored(peer, incarnation, limit, nothing).await, all, "{limit} a page");
    }
    all
}

/// A registered client that is a member of these rooms.
fn inside(client: ClientKey, rooms: &[RoomKey]) -> (ClientKey, (bool, BTreeSet<RoomKey>)) {
    (client, (true, rooms.iter().cloned().collect()))
}

/// Clients with and without rooms, of several namespaces and of any names, whatever the size of a page.
pub async fn every_stored_client_is_on_a_page(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    let mut expected = StoredClients::new();
    for (number, name) in odd_names().iter().enumerate() {
        for space in ["/", "/x", "/x/y"] {
            let client = client_in(space, name);
            peer.connect(&client).await;
            let rooms: BTreeSet<_> =
                odd_names().iter().skip(number).take(number % 4).map(|r| room_in(space, r)).collect();
            for room in &rooms {
                peer.join(&client, room).await;
            }
            expected.insert(client, (true, rooms));
        }
    }
    for asker in [&peer, &other] {
        assert_eq!(stored(asker, &peer.incarnation).await, expected);
    }
}

/// Clients of other incarnations are not included, even in the same rooms or of the same node.
pub async fn entries_of_other_incarnations_are_not_listed(cluster: &dyn Cluster) {
    let [first, second, third] = Peer::three(cluster).await;
    let again = Peer { incarnation: Incarnation::begin(first.incarnation.node().clone()), ..first.clone() };
    again.state.begin_lease(&again.incarnation, LONG).await.expect("begins");
    for (name, peer) in [("a", &first), ("b", &second), ("c", &again)] {
        peer.enter(&client(name), &room("r")).await;
        peer.join(&client(name), &room(name)).await;
    }
    for (name, peer) in [("a", &first), ("b", &second), ("c", &again)] {
        assert_eq!(
            stored(&third, &peer.incarnation).await,
            StoredClients::from([inside(client(name), &[room("r"), room(name)])])
        );
    }
    assert!(stored(&first, &third.incarnation).await.is_empty());
}

/// Every way in which a membership or a client ends.
pub async fn ended_clients_and_memberships_are_not_listed(cluster: &dyn Cluster) {
    let [peer, other, _] = Peer::three(cluster).await;
    for name in ["stays", "leaves", "disconnects", "moves"] {
        peer.enter(&client(name), &room("r")).await;
        peer.join(&client(name), &room("deleted")).await;
    }
    peer.leave(&client("leaves"), &room("r")).await;
    peer.disconnect(&client("disconnects")).await;
    other.connect(&client("moves")).await;
    other.state.delete_room(&room("deleted"), DeletionId::random()).await.expect("deletes").expect("was there");
    let expected = StoredClients::from([inside(client("stays"), &[room("r")]), inside(client("leaves"), &[])]);
    assert_eq!(stored(&other, &peer.incarnation).await, expected);
    assert_eq!(stored(&peer, &other.incarnation).await, StoredClients::from([inside(client("moves"), &[])]));
    for name in ["stays", "leaves"] {
        peer.disconnect(&client(name)).await;
    }
    assert!(stored(&other, &peer.incarnation).await.is_empty());
}

/// A node that restored its clients under a new incarnation has them there, and nothing under the old one.
pub async fn moved_clients_are_listed_under_the_new_incarnation_only(cluster: &dyn Cluster) {
    let [survivor, old, _] = Peer::three(cluster).await;
    let uid = old.enter(&client("a"), &room("r")).await.uid;
    old.join(&client("a"), &room("forgotten")).await;
    old.enter(&client("b"), &room("r")).await;
    old.state.end_lease(&old.incarnation).await.expect("ends");
    let new = Peer { incarnation: Incarnation::begin(old.incarnation.node().clone()), ..old.clone() };
    new.state.begin_lease(&new.incarnation, LONG).await.expect("begins");
    new.restore(&[alive(&client("a"), &[(&room("r"), uid)]), alive(&client("b"), &[])]).await;
    for asker in [&new, &survivor] {
        assert!(stored(asker, &old.incarnation).await.is_empty());
        let expected = StoredClients::from([inside(client("a"), &[room("r")]), inside(client("b"), &[])]);
        assert_eq!(stored(asker, &new.incarnation).await, expected);
    }
}

/// One empty page, and no error.
pub async fn an_ended_or_unknown_incarnation_has_no_entries(cluster: &dyn Cluster) {
    let (survivor, gone) = (Peer::begin(cluster).await, Peer::begin(cluster).await);
    gone.enter(&client("a"), &room("r")).await;
    gone.state.end_lease(&gone.incarnation).await.expect("ends");
    survivor.reap_all(&gone.incarnation, 10).await;
    for incarnation in [gone.incarnation, Incarnation::begin(NodeId::random()), survivor.incarnation.clone()] {
        for limit in LIMITS {
            let page = survivor.state.stored_clients(&incarnation, &PageRequest::first(limit)).await.expect("reads");
            assert_eq!((page.items, page.next), (Vec::new(), None), "{incarnation}");
        }
    }
}

/// A node that lost its lease can still read its entries in the store.
pub async fn stored_clients_are_read_without_a_lease(cluster: &dyn Cluster) {
    let (survivor, late) = (Peer::begin(cluster).await, Peer::doomed(cluster).await);
    late.enter(&client("a"), &room("r")).await;
    survivor.sees_lost(cluster, &late.incarnation).await;
    let expected = StoredClients::from([inside(client("a"), &[room("r")])]);
    for asker in [&survivor, &late, &Peer::unborn(cluster).await] {
        assert_eq!(stored(asker, &late.incarnation).await, expected);
    }
}

/// An entry that exists from the first page to the last is on one of them; removed entries hide no others.
pub async fn lasting_entries_are_listed_while_others_are_added_and_removed(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let named = |number: usize| client(&format!("{number:02}"));
    let stays = |number: usize| number.is_multiple_of(3);
    for limit in LIMITS {
        for number in 0..60 {
            peer.enter(&named(number), &room("hall")).await;
            peer.join(&named(number), &room(&format!("{}", number % 7))).await;
        }
        // After each page some clients disconnect, perhaps the one at the cursor, some leave a room, and others
        // connect.
        let come_and_go = async |page: usize| {
            for number in [page * limit % 60, (page * limit + limit - 1) % 60, 59 - page % 60] {
                if stays(number) {
                    continue;
                }
                if number % 2 == 0 {
                    peer.disconnect(&named(number)).await;
                } else {
                    peer.leave(&named(number), &room("hall")).await;
                }
            }
            if page < 40 {
                peer.enter(&client(&format!("{:02} came", page * 7 % 60)), &room("hall")).await;
            }
        };
        let stored = read_stored(&peer, &peer.incarnation, limit, come_and_go).await;
        for number in (0..60).filter(|number| stays(*number)) {
            let rooms = BTreeSet::from([room("hall"), room(&format!("{}", number % 7))]);
            assert_eq!(stored.get(&named(number)), Some(&(true, rooms)), "{number} with {limit} a page");
        }
    }
}
