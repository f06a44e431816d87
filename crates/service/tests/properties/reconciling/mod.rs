//! A node compares itself with the store and repairs differences in both directions, without service events.

mod deletions;
mod differences;
mod occasions;
mod races;

use std::time::Duration;

use roomwire_core::{
    BackplaneEvent, ClientKey, LiveClient, Metadata, Namespace, NewClient, RoomKey, RoomUid, Timestamp,
};
use roomwire_service::{ClientId, Gateway, Handshake, WebSocketConfig, WebSocketService, testing::TestClient};
use roomwire_state_memory::MemoryHub;
use tokio::time::sleep;

use crate::fixture::{Cluster, Ledger, Moment, Node, eventually};

/// Two nodes on one store that compare twice a minute; the clock jumps ahead whenever all tasks are idle.
async fn cluster() -> (Cluster, Ledger) {
    let mut config = WebSocketConfig::default();
    config.lease.reconcile = Duration::from_secs(30);
    let cluster = Cluster::configured(MemoryHub::new(), config, 2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    (cluster, ledger)
}

/// A client of this name in `r` and `own`, with a note.
async fn member(node: &Node, name: &str) -> TestClient {
    let metadata = Metadata::from_iter([("note".to_owned(), "kept".into())]);
    let handshake = Handshake { metadata, ..Handshake::new(id(name)) };
    let client = node.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    for room in ["r", "own"] {
        node.service.join_room(client.handle(), room).await.expect("joins");
    }
    client
}

fn id(name: &str) -> ClientId {
    ClientId::new(name).expect("valid")
}

fn key(name: &str) -> ClientKey {
    ClientKey::new(Namespace::root(), id(name))
}

fn room(name: &str) -> RoomKey {
    RoomKey::new(Namespace::root(), name.parse().expect("valid"))
}

async fn rooms_of(service: &WebSocketService, name: &str) -> Vec<String> {
    let client = service.client(id(name)).await;
    client.map(|client| client.rooms.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// The longest time between two comparisons, and until a difference that may have been news on its way is mended.
const ROUND: Duration = Duration::from_secs(36);
const CERTAIN: Duration = Duration::from_secs(36 + 10);

/// Makes up a client in the store, as data from before it went would.
async fn resurrect(node: &Node, name: &str, rooms: &[&str]) {
    let rooms = rooms.iter().map(|name| (room(name), RoomUid::random())).collect();
    resurrect_in(node, name, rooms).await;
}

async fn resurrect_in(node: &Node, name: &str, rooms: Vec<(RoomKey, RoomUid)>) {
    let (store, incarnation) = node.store.behind_its_back();
    let client =
        NewClient { key: key(name), user: None, metadata: Metadata::new(), connected_at: Timestamp::default() };
    store.restore(&incarnation, &[LiveClient { client, rooms }]).await.expect("restores");
}

/// Returns when a comparison has begun and ended from now on, after a gap.
async fn compared(node: &Node) {
    node.bus.say(BackplaneEvent::Gap);
    compared_soon(node).await;
}

/// Returns when a comparison has begun and ended from now on, after a heartbeat that failed.
async fn compared_without_gap(node: &Node) {
    node.store.fail(Moment::Before, "renew_lease");
    compared_soon(node).await;
}

async fn compared_soon(node: &Node) {
    let before = node.store.comparisons();
    eventually("a comparison", async || node.store.comparisons() > before).await;
    sleep(Duration::from_millis(200)).await;
}
