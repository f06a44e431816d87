//! Fixtures for the properties of a store.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::Cluster;
use crate::{
    ClientId, ClientKey, Incarnation, JoinOutcome, LeaseStatus, LiveClient, Metadata, Namespace, NewClient, NodeId,
    ReapOutcome, RemovedByOthers, RestoredDifferently, RoomChange, RoomId, RoomKey, RoomUid, StateError, StateStore,
    Timestamp, WebSocketClient, WebSocketRoom,
};

/// Longer than any test.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// Asserts that a call failed with this [`StateError`].
macro_rules! assert_refused {
    ($call:expr, $error:ident) => {{
        let outcome = $call;
        assert!(matches!(outcome, Err($crate::StateError::$error)), "expected {}: {outcome:?}", stringify!($error));
    }};
}
pub(super) use assert_refused;

pub(super) fn client(name: &str) -> ClientKey {
    client_in("/", name)
}

pub(super) fn client_in(namespace: &str, name: &str) -> ClientKey {
    ClientKey::new(Namespace::new(namespace).expect("valid"), ClientId::new(name).expect("valid"))
}

pub(super) fn clients(count: usize) -> Vec<ClientKey> {
    (0..count).map(|number| client(&format!("client {number}"))).collect()
}

pub(super) fn room(name: &str) -> RoomKey {
    room_in("/", name)
}

pub(super) fn room_in(namespace: &str, name: &str) -> RoomKey {
    RoomKey::new(Namespace::new(namespace).expect("valid"), RoomId::new(name).expect("valid"))
}

pub(super) fn new_client(key: &ClientKey) -> NewClient {
    NewClient { key: key.clone(), user: None, metadata: Metadata::new(), connected_at: Timestamp::from_millis(1000) }
}

pub(super) fn alive(key: &ClientKey, rooms: &[(&RoomKey, RoomUid)]) -> LiveClient {
    let rooms = rooms.iter().map(|(room, uid)| ((*room).clone(), *uid)).collect();
    LiveClient { client: new_client(key), rooms }
}

pub(super) fn metadata(key: &str, value: impl Into<serde_json::Value>) -> Metadata {
    Metadata::from_iter([(key.to_owned(), value.into())])
}

/// A node whose incarnation has a lease. Its methods expect that calls of the store succeed.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) state: Arc<dyn StateStore>,
    pub(super) incarnation: Incarnation,
}

impl Peer {
    /// A node whose lease outlasts the test.
    pub(super) async fn begin(cluster: &dyn Cluster) -> Self {
        let peer = Self::unborn(cluster).await;
        peer.state.begin_lease(&peer.incarnation, LONG).await.expect("lease begins");
        peer
    }

    /// A node whose lease expires when time advances.
    pub(super) async fn doomed(cluster: &dyn Cluster) -> Self {
        let peer = Self::unborn(cluster).await;
        peer.state.begin_lease(&peer.incarnation, cluster.short_lease()).await.expect("lease begins");
        peer
    }

    /// A node that has not begun its incarnation yet.
    pub(super) async fn unborn(cluster: &dyn Cluster) -> Self {
        Self { state: cluster.node().await.state, incarnation: Incarnation::begin(NodeId::random()) }
    }

    /// Three nodes whose leases outlast the test.
    pub(super) async fn three(cluster: &dyn Cluster) -> [Self; 3] {
        [Self::begin(cluster).await, Self::begin(cluster).await, Self::begin(cluster).await]
    }

    pub(super) async fn renew(&self) -> LeaseStatus {
        self.state.renew_lease(&self.incarnation, LONG).await.expect("lease is renewed")
    }

    /// Asserts that a renewal reports exactly these lost incarnations to this node.
    pub(super) async fn is_told_of(&self, lost: &[&Self]) {
        let expected: BTreeSet<_> = lost.iter().map(|peer| peer.incarnation.clone()).collect();
        assert_eq!(BTreeSet::from_iter(self.renew().await.expired), expected);
    }

    /// Advances time until the other's expired lease is reported to this node.
    pub(super) async fn sees_lost(&self, cluster: &dyn Cluster, lost: &Incarnation) {
        for _ in 0..20 {
            if self.renew().await.expired.contains(lost) {
                return;
            }
            cluster.advance(cluster.short_lease()).await;
        }
        panic!("{lost} was never reported");
    }

    pub(super) async fn reap(&self, lost: &Incarnation, limit: usize) -> ReapOutcome {
        self.state.reap(&self.incarnation, lost, limit).await.expect("reaps")
    }

    /// Reaps until nothing is left, and returns everything reported, sorted.
    pub(super) async fn reap_all(&self, lost: &Incarnation, limit: usize) -> ReapOutcome {
        let mut all = ReapOutcome::default();
        for _ in 0..10_000 {
            let step = self.reap(lost, limit).await;
            assert!(step.departures.len() <= limit, "more than {limit} in one step: {step:?}");
            all.departures.extend(step.departures);
            all.clients.extend(step.clients);
            if step.finished {
                all.departures.sort_by(|a, b| (&a.client, &a.room).cmp(&(&b.client, &b.room)));
                all.clients.sort();
                return ReapOutcome { finished: true, ..all };
            }
        }
        panic!("reaping {lost} never finishes");
    }

    pub(super) async fn connect(&self, client: &ClientKey) {
        self.state.connect(&self.incarnation, &new_client(client)).await.expect("connects");
    }

    pub(super) async fn disconnect(&self, client: &ClientKey) -> Vec<RoomKey> {
        self.state.disconnect(&self.incarnation, client).await.expect("disconnects")
    }

    pub(super) async fn try_join(&self, client: &ClientKey, room: &RoomKey) -> Result<JoinOutcome, StateError> {
        self.state.join(&self.incarnation, client, room).await
    }

    pub(super) async fn join(&self, client: &ClientKey, room: &RoomKey) -> JoinOutcome {
        self.try_join(client, room).await.expect("joins")
    }

    /// Connects a client and lets it join a room.
    pub(super) async fn enter(&self, client: &ClientKey, room: &RoomKey) -> JoinOutcome {
        self.connect(client).await;
        self.join(client, room).await
    }

    pub(super) async fn leave(&self, client: &ClientKey, room: &RoomKey) -> bool {
        self.state.leave(&self.incarnation, client, room).await.expect("leaves")
    }

    /// Those that a cleanup or a deletion removed, sorted by name.
    pub(super) async fn removed_by_others(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> RemovedByOthers {
        let mut removed = self.state.removed_by_others(incarnation, client, rooms).await.expect("reads");
        removed.rooms.sort();
        removed
    }

    /// Returns the memberships that were not restored as given.
    pub(super) async fn restore(&self, clients: &[LiveClient]) -> Vec<RestoredDifferently> {
        self.state.restore(&self.incarnation, clients).await.expect("restores")
    }

    pub(super) async fn change(&self, room: &RoomKey, change: RoomChange) -> WebSocketRoom {
        self.state.change_room(room, &change).await.expect("changes")
    }

    pub(super) async fn client(&self, client: &ClientKey) -> Option<WebSocketClient> {
        self.state.client(client).await.expect("reads")
    }

    pub(super) async fn room(&self, room: &RoomKey) -> Option<WebSocketRoom> {
        self.state.room(room).await.expect("reads")
    }

    /// The members of a room, none if the room does not exist. All ways to read them must agree, so no client may join
    /// or leave meanwhile.
    pub(super) async fn members(&self, room: &RoomKey) -> Vec<ClientId> {
        let members = self.room(room).await.map(|room| room.clients).unwrap_or_default();
        let count = self.state.member_count(room).await.expect("reads");
        assert_eq!(count, members.len() as u64, "count of the members of {room:?}");
        members
    }

    /// The rooms of a client, none if the client does not exist.
    pub(super) async fn rooms_of(&self, client: &ClientKey) -> Vec<RoomId> {
        self.client(client).await.map(|client| client.rooms).unwrap_or_default()
    }
}
