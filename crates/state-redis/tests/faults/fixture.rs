//! A node on a Redis of the test's own.

use std::time::Duration;

use roomwire_core::{
    ClientId, ClientKey, Incarnation, LiveClient, Metadata, Namespace, NewClient, NodeId, RoomId, RoomKey, RoomUid,
    StateError, StateStore, Timestamp,
};
use roomwire_state_redis::{RedisConfig, RedisState};

pub(crate) const LEASE: Duration = Duration::from_secs(10);

pub(crate) struct Node {
    pub(crate) state: RedisState,
    pub(crate) incarnation: Incarnation,
}

impl Node {
    pub(crate) async fn on(config: RedisConfig) -> Self {
        let state = RedisState::connect(&config).await.expect("connects");
        let node = Self { state, incarnation: Incarnation::begin(NodeId::random()) };
        node.begin().await;
        node
    }

    pub(crate) async fn begin(&self) {
        self.state.begin_lease(&self.incarnation, LEASE).await.expect("begins");
    }

    pub(crate) async fn connect(&self, name: &str) {
        self.state.connect(&self.incarnation, &client(name)).await.expect("connects");
    }

    pub(crate) async fn join(&self, name: &str, room: &RoomKey) -> Result<RoomUid, StateError> {
        self.state.join(&self.incarnation, &client(name).key, room).await.map(|outcome| outcome.uid)
    }

    pub(crate) async fn restore(&self, name: &str, room: &RoomKey, uid: RoomUid) {
        let alive = LiveClient { client: client(name), rooms: vec![(room.clone(), uid)] };
        self.state.restore(&self.incarnation, &[alive]).await.expect("restores");
    }
}

pub(crate) fn client(name: &str) -> NewClient {
    let key = ClientKey::new(Namespace::root(), ClientId::new(name).expect("valid"));
    NewClient { key, user: None, metadata: Metadata::new(), connected_at: Timestamp::from_millis(1) }
}

pub(crate) fn room(name: &str) -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new(name).expect("valid"))
}
