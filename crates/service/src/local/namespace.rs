//! The local state of a namespace: this node's clients and rooms.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use roomwire_core::{ClientId, ClientKey, Namespace, RoomId, RoomKey, RoomUid, StateError, Timestamp, UserId};

use super::{
    Client, LocalRoom,
    arrivals::Arrivals,
    client_id_claims::ClientIdClaims,
    clients::{LocalClients, for_each},
    own_deletions::OwnDeletions,
};
use crate::{
    backend::{Backend, Deadline},
    metrics::Metrics,
};

/// The number of deleted rooms to remember, for joins in flight at the deletion.
const DELETED_ROOMS: usize = 4096;

/// This node's clients and rooms of a namespace.
#[derive(Debug)]
pub(crate) struct NamespaceState {
    name: Namespace,
    clients: RwLock<LocalClients>,
    rooms: RwLock<HashMap<RoomId, Arc<LocalRoom>>>,
    deleted: Mutex<DeletedRooms>,
    /// The deletions of rooms by this node.
    pub(crate) own_deletions: Arc<OwnDeletions>,
    /// Read-locked by deletions of rooms, until the members are reported to have left.
    deletions: tokio::sync::RwLock<()>,
    /// The ids of connected clients.
    pub(crate) client_ids: Arc<ClientIdClaims>,
    /// The clients that may be registered in the store and are not active yet.
    pub(crate) arrivals: Arc<Arrivals>,
    /// Locked while the first client subscribes to the namespace's channel.
    pub(crate) subscribed: tokio::sync::Mutex<bool>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct DeletedRooms {
    /// Each with its sequence number.
    known: HashMap<RoomUid, u64>,
    order: VecDeque<RoomUid>,
    noted: u64,
}

impl NamespaceState {
    pub(super) fn new(name: Namespace, metrics: Arc<Metrics>) -> Self {
        Self {
            name,
            clients: RwLock::default(),
            rooms: RwLock::default(),
            deleted: Mutex::default(),
            own_deletions: Arc::default(),
            deletions: tokio::sync::RwLock::default(),
            client_ids: Arc::default(),
            arrivals: Arc::default(),
            subscribed: tokio::sync::Mutex::default(),
            metrics,
        }
    }

    pub(crate) fn name(&self) -> &Namespace {
        &self.name
    }

    pub(crate) fn client(&self, client: &ClientId) -> Option<Client> {
        self.clients.read().by_id().get(client).cloned()
    }

    /// All clients, sorted by id so that iteration is reproducible.
    pub(crate) fn clients(&self) -> Vec<Client> {
        let mut clients: Vec<Client> = self.clients.read().by_id().values().cloned().collect();
        clients.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        clients
    }

    /// The activity of clients that is not in the store yet, in no order.
    pub(crate) fn take_activity(&self) -> Vec<(ClientKey, Timestamp)> {
        self.clients.read().by_id().values().filter_map(Client::take_activity).collect()
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.read().by_id().len()
    }

    pub(crate) fn add_client(&self, client: Client) {
        self.clients.write().add(client);
    }

    /// Removes a client, unless another connection took its id.
    pub(crate) fn remove_client(&self, client: &Client) {
        self.clients.write().remove(client);
    }

    /// Calls `deliver` for each client except one. It must not wait and must not touch the namespace.
    pub(crate) fn for_each_client(&self, except: Option<&ClientId>, deliver: impl FnMut(&Client)) {
        for_each(self.clients.read().by_id(), except, deliver);
    }

    /// Like [`Self::for_each_client`], for one user's clients.
    pub(crate) fn for_each_client_of(&self, user: &UserId, deliver: impl FnMut(&Client)) {
        self.clients.read().of_user(user).for_each(deliver);
    }

    /// One user's clients, sorted by id.
    pub(crate) fn clients_of(&self, user: &UserId) -> Vec<Client> {
        self.clients.read().of_user(user).cloned().collect()
    }

    pub(crate) fn room(&self, room: &RoomId) -> Option<Arc<LocalRoom>> {
        self.rooms.read().get(room).cloned()
    }

    /// Returns the room, subscribed, with its use count incremented. Pair it with [`Self::exit_room`].
    pub(crate) async fn enter_room(
        self: &Arc<Self>,
        backend: &Arc<Backend>,
        room: &RoomId,
        until: Deadline,
    ) -> Result<Arc<LocalRoom>, StateError> {
        // A caller in a retry backoff does not block others.
        let entered = backend.retrying(until, || self.try_to_enter(backend, room)).await;
        if entered.is_err()
            && let Some(local) = self.room(room)
        {
            let (namespace, backend) = (self.clone(), backend.clone());
            // In the background: the caller has waited long enough.
            tokio::spawn(async move {
                if local.abandon(&backend).await {
                    namespace.drop_retired(&local);
                }
            });
        }
        entered
    }

    async fn try_to_enter(&self, backend: &Backend, room: &RoomId) -> Result<Arc<LocalRoom>, StateError> {
        loop {
            let local = self.room(room).unwrap_or_else(|| {
                let key = RoomKey::new(self.name.clone(), room.clone());
                let new = || {
                    self.metrics.rooms.increment(1);
                    Arc::new(LocalRoom::new(key, self.metrics.memberships.clone()))
                };
                self.rooms.write().entry(room.clone()).or_insert_with(new).clone()
            });
            if local.enter(backend).await? {
                return Ok(local);
            }
            self.drop_retired(&local);
        }
    }

    /// Decrements the use count of a room.
    pub(crate) async fn exit_room(&self, backend: &Backend, local: &Arc<LocalRoom>, until: Deadline) {
        if local.exit(backend, until).await {
            self.drop_retired(local);
        }
    }

    fn drop_retired(&self, local: &Arc<LocalRoom>) {
        let mut rooms = self.rooms.write();
        if rooms.get(&local.key().room).is_some_and(|present| Arc::ptr_eq(present, local)) {
            rooms.remove(&local.key().room);
            self.metrics.rooms.decrement(1);
        }
    }

    /// Locked by the deletion of a room, until the members are reported to have left.
    pub(crate) async fn deletes(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.deletions.read().await
    }

    /// Waits until the deletions that this node has begun are reported. Deadlocks if the caller holds a membership
    /// lock.
    pub(crate) async fn deletions_reported(&self) {
        drop(self.deletions.write().await);
    }

    /// Reports that a client left a deleted room, if this node deleted that room and has not reported it yet. Waits for
    /// deletions of the room with a pending store call.
    pub(crate) async fn report_deletion_once(
        &self,
        room: &RoomId,
        uid: RoomUid,
        client: &ClientId,
        report: impl FnOnce(),
    ) {
        self.own_deletions.none_waits(room).await;
        self.own_deletions.report_once(uid, client, report);
    }

    /// Like [`Self::report_deletion_once`], for all deleted rooms of this name except one.
    pub(crate) async fn report_deletions_once(
        &self,
        room: &RoomId,
        but: RoomUid,
        client: &ClientId,
        report: impl Fn(),
    ) {
        self.own_deletions.none_waits(room).await;
        self.own_deletions.report_all_once(room, but, client, report);
    }

    /// Records that a room was deleted.
    pub(crate) fn note_deleted(&self, uid: RoomUid) {
        let mut deleted = self.deleted.lock();
        deleted.noted += 1;
        let number = deleted.noted;
        if deleted.known.insert(uid, number).is_none() {
            deleted.order.push_back(uid);
        }
        if deleted.order.len() > DELETED_ROOMS
            && let Some(oldest) = deleted.order.pop_front()
        {
            deleted.known.remove(&oldest);
        }
    }

    /// The number of deletions recorded so far.
    pub(crate) fn deletions_noted(&self) -> u64 {
        self.deleted.lock().noted
    }

    /// Records that the store has this room. If its deletion was recorded before the request, the store lost the
    /// deletion with its data, and nodes restored the room.
    pub(crate) fn note_restored(&self, uid: RoomUid, noted_before: u64) {
        let mut deleted = self.deleted.lock();
        if deleted.known.get(&uid).is_some_and(|number| *number <= noted_before) {
            deleted.known.remove(&uid);
            deleted.order.retain(|known| *known != uid);
        }
    }

    /// Whether this room was deleted.
    pub(crate) fn was_deleted(&self, uid: RoomUid) -> bool {
        self.deleted.lock().known.contains_key(&uid)
    }
}

/// Removes a client from this node's room. Exit the room if the client was in it.
pub(crate) fn take_out(namespace: &NamespaceState, client: &Client, room: &RoomId) -> Option<Arc<LocalRoom>> {
    namespace.room(room).filter(|local| local.remove(client.id()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roomwire_state_memory::MemoryState;

    use crate::{Gateway, WebSocketConfig, WebSocketService, testing::TestServer};

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_clients_and_rooms_that_have_gone() {
        let mut config = WebSocketConfig::default();
        config.limits = config.limits.without_rates();
        let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
        let server = TestServer::new(service.clone(), Gateway::new()).expect("mounts");
        for number in 0..2000 {
            let client = server.connect().await.expect("connects");
            for room in ["leaves", "stays"] {
                service.join_room(client.handle(), &*format!("{room}-{number}")).await.expect("joins");
            }
            service.leave_room(client.handle(), &*format!("leaves-{number}")).await.expect("leaves");
            client.disconnect();
        }
        // Longer than the subscription of an empty room is kept.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let namespace = &service.namespace;
        assert_eq!((namespace.client_count(), namespace.rooms.read().len()), (0, 0));
        assert_eq!(namespace.deleted.lock().known.len(), 0, "no room was deleted by name");
    }
}
