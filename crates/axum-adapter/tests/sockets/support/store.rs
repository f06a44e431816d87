//! A store whose registration of clients waits, or fails, when it is told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use roomwire_core::{
    ClientKey, DeletedRoom, DeletionId, Incarnation, JoinOutcome, LeaseStatus, LiveClient, Member, Metadata, Namespace,
    NewClient, NewRoom, NodeSummary, Page, PageRequest, ReapOutcome, RemovedByOthers, RestoredDifferently, Revocation,
    RoomChange, RoomKey, RoomSummary, RoomUid, StateError, StateStore, StoredClient, Timestamp, UserId,
    WebSocketClient, WebSocketRoom,
};
use roomwire_state_memory::MemoryState;
use tokio::sync::Semaphore;

/// The store in memory, behind a gate that clients pass when they connect.
#[derive(Debug)]
pub(crate) struct GatedStore {
    inner: MemoryState,
    gate: Semaphore,
    pub(crate) fails: AtomicBool,
    arrived: AtomicUsize,
}

impl GatedStore {
    /// With the gate closed.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryState::new(),
            gate: Semaphore::new(0),
            fails: AtomicBool::new(false),
            arrived: AtomicUsize::new(0),
        })
    }

    /// Lets so many clients through.
    pub(crate) fn let_in(&self, clients: usize) {
        self.gate.add_permits(clients);
    }

    /// How many clients came to the gate.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Ordering::Acquire)
    }
}

type Done<T> = Result<T, StateError>;

#[async_trait]
#[rustfmt::skip]
impl StateStore for GatedStore {
    fn name(&self) -> &'static str { "gated" }
    async fn connect(&self, incarnation: &Incarnation, client: &NewClient) -> Done<()> {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        self.gate.acquire().await.expect("never closed").forget();
        if self.fails.load(Ordering::Acquire) {
            return Err(StateError::unavailable("told to fail"));
        }
        self.inner.connect(incarnation, client).await
    }
    async fn begin_lease(&self, incarnation: &Incarnation, lasts: Duration) -> Done<()> { self.inner.begin_lease(incarnation, lasts).await }
    async fn renew_lease(&self, incarnation: &Incarnation, lasts: Duration) -> Done<LeaseStatus> { self.inner.renew_lease(incarnation, lasts).await }
    async fn end_lease(&self, incarnation: &Incarnation) -> Done<()> { self.inner.end_lease(incarnation).await }
    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Done<ReapOutcome> { self.inner.reap(by, dead, limit).await }
    async fn removed_by_others(&self, incarnation: &Incarnation, client: &ClientKey, rooms: &[(RoomKey, RoomUid)]) -> Done<RemovedByOthers> { self.inner.removed_by_others(incarnation, client, rooms).await }
    async fn nodes(&self) -> Done<Vec<NodeSummary>> { self.inner.nodes().await }
    async fn stored_clients(&self, incarnation: &Incarnation, page: &PageRequest) -> Done<Page<StoredClient>> { self.inner.stored_clients(incarnation, page).await }
    async fn disconnect(&self, incarnation: &Incarnation, client: &ClientKey) -> Done<Vec<RoomKey>> { self.inner.disconnect(incarnation, client).await }
    async fn restore(&self, incarnation: &Incarnation, clients: &[LiveClient]) -> Done<Vec<RestoredDifferently>> { self.inner.restore(incarnation, clients).await }
    async fn set_client_metadata(&self, incarnation: &Incarnation, client: &ClientKey, metadata: &Metadata) -> Done<()> { self.inner.set_client_metadata(incarnation, client, metadata).await }
    async fn touch(&self, incarnation: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Done<()> { self.inner.touch(incarnation, seen).await }
    async fn client(&self, client: &ClientKey) -> Done<Option<WebSocketClient>> { self.inner.client(client).await }
    async fn locate(&self, client: &ClientKey) -> Done<Option<Incarnation>> { self.inner.locate(client).await }
    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Done<Page<WebSocketClient>> { self.inner.clients(namespace, page).await }
    async fn client_count(&self, namespace: &Namespace) -> Done<u64> { self.inner.client_count(namespace).await }
    async fn user_clients(&self, namespace: &Namespace, user: &UserId, page: &PageRequest) -> Done<Page<WebSocketClient>> { self.inner.user_clients(namespace, user, page).await }
    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Done<u64> { self.inner.user_client_count(namespace, user).await }
    async fn revoke(&self, revocation: &Revocation) -> Done<()> { self.inner.revoke(revocation).await }
    async fn revocations(&self, page: &PageRequest) -> Done<Page<Revocation>> { self.inner.revocations(page).await }
    async fn join(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Done<JoinOutcome> { self.inner.join(incarnation, client, room).await }
    async fn leave(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Done<bool> { self.inner.leave(incarnation, client, room).await }
    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Done<WebSocketRoom> { self.inner.create_room(room, new).await }
    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Done<WebSocketRoom> { self.inner.change_room(room, change).await }
    async fn delete_room(&self, room: &RoomKey, deletion: DeletionId) -> Done<Option<DeletedRoom>> { self.inner.delete_room(room, deletion).await }
    async fn resolve_deletion(&self, room: &RoomKey, deletion: DeletionId) -> Done<Option<DeletedRoom>> { self.inner.resolve_deletion(room, deletion).await }
    async fn room(&self, room: &RoomKey) -> Done<Option<WebSocketRoom>> { self.inner.room(room).await }
    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Done<Page<RoomSummary>> { self.inner.rooms(namespace, page).await }
    async fn room_count(&self, namespace: &Namespace) -> Done<u64> { self.inner.room_count(namespace).await }
    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Done<Page<Member>> { self.inner.members(room, page).await }
    async fn member_count(&self, room: &RoomKey) -> Done<u64> { self.inner.member_count(room).await }
}
