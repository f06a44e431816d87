//! A namespace as this node sees it: its own clients and rooms.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use roomwire_core::{ClientId, Namespace, RoomId, RoomKey, RoomUid, StateError, UserId};
use tokio::sync::oneshot;

use super::{LocalRoom, Weight, local_clients::LocalClients, presence::Presences, unexplained::Awaiting};
use crate::{
    client::Client,
    node::{Deadline, Node},
};

/// How many deleted rooms are remembered, for joins that were on their way when the room was deleted.
const DELETED_ROOMS: usize = 4096;

/// This node's clients and rooms of a namespace.
#[derive(Debug)]
pub(crate) struct NamespaceState {
    name: Namespace,
    clients: RwLock<LocalClients>,
    rooms: RwLock<HashMap<RoomId, Arc<LocalRoom>>>,
    deleted: Mutex<DeletedRooms>,
    /// Read by who deletes a room here, until it has reported that the members left.
    deletions: tokio::sync::RwLock<()>,
    /// The clients that the store may know.
    pub(crate) presences: Arc<Presences>,
    /// Held while the first client subscribes to the namespace's channel.
    pub(super) subscribed: tokio::sync::Mutex<bool>,
}

#[derive(Debug, Default)]
struct DeletedRooms {
    known: HashSet<RoomUid>,
    order: VecDeque<RoomUid>,
    awaited: HashMap<RoomUid, Vec<Awaiting>>,
}

impl NamespaceState {
    pub(crate) fn new(name: Namespace) -> Self {
        Self {
            name,
            clients: RwLock::default(),
            rooms: RwLock::default(),
            deleted: Mutex::default(),
            deletions: tokio::sync::RwLock::default(),
            presences: Arc::default(),
            subscribed: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &Namespace {
        &self.name
    }

    pub(crate) fn client(&self, client: &ClientId) -> Option<Client> {
        self.clients.read().by_id().get(client).cloned()
    }

    pub(crate) fn clients(&self) -> Vec<Client> {
        self.clients.read().by_id().values().cloned().collect()
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.read().by_id().len()
    }

    pub(super) fn add_client(&self, client: Client) {
        self.clients.write().add(client);
    }

    /// Forgets a client, unless another connection took its id.
    pub(super) fn remove_client(&self, client: &Client) {
        self.clients.write().remove(client);
    }

    /// Runs `deliver` over the ids of all clients. It must not wait.
    pub(crate) fn with_clients<R>(&self, deliver: impl FnOnce(&mut dyn Iterator<Item = &ClientId>) -> R) -> R {
        deliver(&mut self.clients.read().by_id().keys())
    }

    /// As [`Self::with_clients`], over the ids of one user's clients.
    pub(crate) fn with_clients_of<R>(
        &self,
        user: &UserId,
        deliver: impl FnOnce(&mut dyn Iterator<Item = &ClientId>) -> R,
    ) -> R {
        deliver(&mut self.clients.read().of_user(user))
    }

    /// One user's clients.
    pub(crate) fn clients_of(&self, user: &UserId) -> Vec<Client> {
        let clients = self.clients.read();
        clients.of_user(user).filter_map(|client| clients.by_id().get(client).cloned()).collect()
    }

    pub(crate) fn room(&self, room: &RoomId) -> Option<Arc<LocalRoom>> {
        self.rooms.read().get(room).cloned()
    }

    /// What joining counts: the first of this node to join a room also begins to hear it.
    pub(crate) fn weight_of_join(&self, room: &RoomId) -> Weight {
        if self.room(room).is_some() { Weight::One } else { Weight::Two }
    }

    /// What leaving counts: the last of this node to leave a room also stops hearing it.
    pub(crate) fn weight_of_leave(&self, room: &RoomId) -> Weight {
        if self.room(room).is_some_and(|local| local.is_last()) { Weight::Two } else { Weight::One }
    }

    /// The room, subscribed, for one more user. Pair it with [`Self::exit_room`].
    pub(super) async fn enter_room(
        self: &Arc<Self>,
        node: &Arc<Node>,
        room: &RoomId,
        until: Deadline,
    ) -> Result<Arc<LocalRoom>, StateError> {
        // Whoever waits for its next try keeps nobody else from trying.
        let entered = node.retrying(until, || self.try_to_enter(node, room)).await;
        if entered.is_err()
            && let Some(local) = self.room(room)
        {
            let (namespace, node) = (self.clone(), node.clone());
            // Nobody waits for that: whoever could not enter has waited enough.
            tokio::spawn(async move {
                if local.abandon(&node).await {
                    namespace.drop_retired(&local);
                }
            });
        }
        entered
    }

    async fn try_to_enter(&self, node: &Node, room: &RoomId) -> Result<Arc<LocalRoom>, StateError> {
        loop {
            let local = self.room(room).unwrap_or_else(|| {
                let key = RoomKey::new(self.name.clone(), room.clone());
                self.rooms.write().entry(room.clone()).or_insert_with(|| Arc::new(LocalRoom::new(key))).clone()
            });
            if local.enter(node).await? {
                return Ok(local);
            }
            self.drop_retired(&local);
        }
    }

    /// One user of the room less.
    pub(crate) async fn exit_room(&self, node: &Node, local: &Arc<LocalRoom>, until: Deadline) {
        if local.exit(node, until).await {
            self.drop_retired(local);
        }
    }

    fn drop_retired(&self, local: &Arc<LocalRoom>) {
        let mut rooms = self.rooms.write();
        if rooms.get(&local.key().room).is_some_and(|present| Arc::ptr_eq(present, local)) {
            rooms.remove(&local.key().room);
        }
    }

    /// For who deletes a room: held until it has reported that the members left.
    pub(super) async fn deletes(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.deletions.read().await
    }

    /// Waits until the deletions that this node has begun are reported. Nobody may wait who holds a client's
    /// membership: whoever deletes waits for that.
    pub(crate) async fn deletions_reported(&self) {
        drop(self.deletions.write().await);
    }

    /// Remembers that a life of a room is over.
    pub(super) fn note_deleted(&self, uid: RoomUid) {
        let mut deleted = self.deleted.lock();
        deleted.awaited.remove(&uid);
        if deleted.known.insert(uid) {
            deleted.order.push_back(uid);
        }
        if deleted.order.len() > DELETED_ROOMS
            && let Some(oldest) = deleted.order.pop_front()
        {
            deleted.known.remove(&oldest);
        }
    }

    /// What ends when it is heard that this life of a room was deleted; none when it was. Pair it with
    /// [`Self::no_news_of_deletion`].
    pub(super) fn news_of_deletion(&self, uid: RoomUid) -> Option<oneshot::Receiver<()>> {
        let mut deleted = self.deleted.lock();
        if deleted.known.contains(&uid) {
            return None;
        }
        let (awaiting, news) = oneshot::channel();
        deleted.awaited.entry(uid).or_default().push(awaiting);
        Some(news)
    }

    /// Forgets who does not wait for such news any more.
    pub(super) fn no_news_of_deletion(&self, uid: RoomUid) {
        let mut deleted = self.deleted.lock();
        if let Some(awaited) = deleted.awaited.get_mut(&uid) {
            awaited.retain(|awaiting| !awaiting.is_closed());
            if awaited.is_empty() {
                deleted.awaited.remove(&uid);
            }
        }
    }

    /// Whether this life of a room was deleted.
    pub(crate) fn was_deleted(&self, uid: RoomUid) -> bool {
        self.deleted.lock().known.contains(&uid)
    }
}
