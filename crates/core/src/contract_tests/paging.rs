//! Pagination: every list is read completely, and no lasting item is missed.

use std::collections::BTreeSet;

use super::{
    Cluster,
    fixture::{Peer, client, client_in, clients, metadata, room, room_in},
};
use crate::{ClientId, ClientKey, Member, Namespace, NewRoom, Page, PageRequest, RoomId, RoomKey, StateError};

/// The size of a page.
pub(super) const LIMITS: [usize; 3] = [1, 2, 1000];

/// Reads all pages, with an action after each. An item may appear twice.
pub(super) async fn read_all<T>(
    limit: usize,
    mut page: impl AsyncFnMut(PageRequest) -> Result<Page<T>, StateError>,
    mut after_page: impl AsyncFnMut(usize),
) -> Vec<T> {
    let mut all = Vec::new();
    let mut wanted = PageRequest::first(limit);
    for number in 0..5000 {
        let read = page(wanted).await.expect("reads");
        all.extend(read.items);
        after_page(number).await;
        match read.next {
            Some(cursor) => wanted = PageRequest::after(cursor, limit),
            None => return all,
        }
    }
    panic!("the pages never end");
}

async fn read_rooms(peer: &Peer, limit: usize, after_page: impl AsyncFnMut(usize)) -> BTreeSet<RoomId> {
    let page = async |wanted: PageRequest| peer.state.rooms(&Namespace::root(), &wanted).await;
    read_all(limit, page, after_page).await.into_iter().map(|room| room.id).collect()
}

async fn read_clients(peer: &Peer, limit: usize, after_page: impl AsyncFnMut(usize)) -> BTreeSet<ClientId> {
    let page = async |wanted: PageRequest| peer.state.clients(&Namespace::root(), &wanted).await;
    read_all(limit, page, after_page).await.into_iter().map(|client| client.id).collect()
}

async fn read_members(peer: &Peer, room: &RoomKey, limit: usize, after_page: impl AsyncFnMut(usize)) -> Vec<Member> {
    read_all(limit, async |wanted: PageRequest| peer.state.members(room, &wanted).await, after_page).await
}

pub(super) async fn nothing(_: usize) {}

/// Empty lists end at once.
pub async fn a_list_of_nothing_is_one_empty_page(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client_in("/x", "c"), &room_in("/x", "r")).await;
    for limit in LIMITS {
        assert!(read_rooms(&peer, limit, nothing).await.is_empty());
        assert!(read_clients(&peer, limit, nothing).await.is_empty());
        assert!(read_members(&peer, &room("r"), limit, nothing).await.is_empty());
    }
    assert_eq!(peer.state.member_count(&room("r")).await.expect("reads"), 0);
}

/// All clients of a namespace, for every size of a page, each equal to its own record.
pub async fn every_client_is_on_a_page(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let all = clients(25);
    for (client, node) in all.iter().zip(nodes.iter().cycle()) {
        node.enter(client, &room("r")).await;
        node.connect(&client_in("/x", "elsewhere")).await;
    }
    for limit in LIMITS {
        let page = async |wanted: PageRequest| nodes[0].state.clients(&Namespace::root(), &wanted).await;
        let read = read_all(limit, page, nothing).await;
        for record in &read {
            let key = ClientKey::new(Namespace::root(), record.id.clone());
            assert_eq!(nodes[1].client(&key).await.as_ref(), Some(record));
        }
        let names: BTreeSet<_> = read.into_iter().map(|record| record.id).collect();
        assert_eq!(names, all.iter().map(|client| client.client.clone()).collect(), "{limit} a page");
    }
}

/// All rooms of a namespace, however they were created, each equal to its own record.
pub async fn every_room_is_on_a_page(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    peer.enter(&client_in("/x", "c"), &room_in("/x", "elsewhere")).await;
    let mut all = BTreeSet::new();
    for number in 0..25 {
        let key = room(&format!("r{number}"));
        all.insert(key.room.clone());
        if number % 2 == 0 {
            let new = NewRoom::with_capacity(number).named(format!("Room {number}")).with_metadata(metadata("a", 1));
            peer.state.create_room(&key, &new).await.expect("creates");
        } else {
            peer.enter(&client("a"), &key).await;
            peer.enter(&client("b"), &key).await;
        }
    }
    assert_eq!(peer.state.room_count(&Namespace::root()).await.expect("reads"), 25);
    for limit in LIMITS {
        let page = async |wanted: PageRequest| peer.state.rooms(&Namespace::root(), &wanted).await;
        let read = read_all(limit, page, nothing).await;
        for summary in &read {
            let key = RoomKey::new(Namespace::root(), summary.id.clone());
            let record = peer.room(&key).await.expect("is there");
            assert_eq!(
                (&summary.name, summary.capacity, summary.closed),
                (&record.name, record.capacity, record.closed)
            );
            assert_eq!(summary.members as usize, record.clients.len());
            assert_eq!((summary.created_at, summary.updated_at), (record.created_at, record.updated_at));
        }
        assert_eq!(read.into_iter().map(|summary| summary.id).collect::<BTreeSet<_>>(), all, "{limit} a page");
    }
}

/// All members of one room, and of no other.
pub async fn every_member_is_on_a_page(cluster: &dyn Cluster) {
    let nodes = Peer::three(cluster).await;
    let all = clients(25);
    let mut expected = BTreeSet::new();
    for (client, node) in all.iter().zip(nodes.iter().cycle()) {
        node.enter(client, &room("r")).await;
        expected.insert((client.client.clone(), node.incarnation.clone()));
    }
    nodes[0].enter(&client("elsewhere"), &room("s")).await;
    nodes[0].enter(&client_in("/x", "elsewhere"), &room_in("/x", "r")).await;
    for limit in LIMITS {
        let read = read_members(&nodes[0], &room("r"), limit, nothing).await;
        let read: BTreeSet<_> = read.into_iter().map(|member| (member.client, member.incarnation)).collect();
        assert_eq!(read, expected, "{limit} a page");
    }
    assert_eq!(nodes[0].state.member_count(&room("r")).await.expect("reads"), 25);
}

/// An entry that exists from the first page to the last is on one of them; removed entries hide no others.
pub async fn what_stays_is_read_while_others_come_and_go(cluster: &dyn Cluster) {
    let peer = Peer::begin(cluster).await;
    let hall = room("hall");
    let stable: BTreeSet<_> = (0..60).filter(|number| number % 3 == 0).map(|number| format!("{number:02}")).collect();
    let arrive = async |name: &str| {
        peer.enter(&client(name), &hall).await;
        peer.join(&client(name), &room(name)).await;
    };
    for limit in LIMITS {
        for number in 0..60 {
            arrive(&format!("{number:02}")).await;
        }
        // After each page one client disconnects, perhaps the one at the cursor, and others connect.
        let come_and_go = async |page: usize| {
            for number in [page * limit % 60, (page * limit + limit - 1) % 60, (59 - page % 60)] {
                let name = format!("{number:02}");
                if !stable.contains(&name) {
                    peer.disconnect(&client(&name)).await;
                }
            }
            if page < 40 {
                arrive(&format!("{:02} came", page * 7 % 60)).await;
            }
        };
        let clients = read_clients(&peer, limit, come_and_go).await;
        assert!(stable.iter().all(|name| clients.contains(name.as_str())), "{limit} a page: {clients:?}");
        let rooms = read_rooms(&peer, limit, come_and_go).await;
        assert!(stable.iter().all(|name| rooms.contains(name.as_str())), "{limit} a page: {rooms:?}");
        let members = read_members(&peer, &hall, limit, come_and_go).await;
        let members: BTreeSet<_> = members.into_iter().map(|member| member.client).collect();
        assert!(stable.iter().all(|name| members.contains(name.as_str())), "{limit} a page: {members:?}");
    }
}
