//! A store that counts its calls, and fails or waits when it is told to.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use roomwire_core::{
    ClientKey, DeletedRoom, HeldClient, Incarnation, JoinOutcome, LeaseStatus, LiveClient, MemberRecord, Metadata,
    Namespace, NewClient, NewRoom, NodeId, NodeSummary, Page, PageRequest, ReapOutcome, Revocation, RoomChange,
    RoomKey, RoomSummary, StateError, StateStore, Timestamp, UserId, WebSocketClient, WebSocketRoom,
};

use super::script::{Script, forward};

/// Another store, under a [`Script`].
#[derive(Debug)]
pub(crate) struct WatchedStore {
    inner: RwLock<Arc<dyn StateStore>>,
    /// The last that began.
    life: Mutex<Option<Incarnation>>,
    script: Script,
    is_behind: AtomicBool,
}

impl WatchedStore {
    pub(crate) fn new(inner: Arc<dyn StateStore>) -> Arc<Self> {
        Arc::new(Self {
            inner: RwLock::new(inner),
            life: Mutex::default(),
            script: Script::default(),
            is_behind: AtomicBool::new(false),
        })
    }

    /// Puts another store in place of this one, which is as if it had forgotten everything.
    pub(crate) fn replace(&self, other: Arc<dyn StateStore>) {
        *self.inner.write() = other;
    }

    /// The store itself and the life under which the node writes, to change something behind its back.
    pub(crate) fn behind_its_back(&self) -> (Arc<dyn StateStore>, Incarnation) {
        (self.inner(), self.life.lock().clone().expect("a life began"))
    }

    /// The next renewal says that the store lost something.
    pub(crate) fn fall_behind(&self) {
        self.is_behind.store(true, Ordering::SeqCst);
    }

    /// Ends the lease under which the node writes, as if others had taken it for lost.
    pub(crate) async fn fence(&self) {
        let life = self.life.lock().clone().expect("a life began");
        self.inner().end_lease(&life).await.expect("ends");
    }

    fn inner(&self) -> Arc<dyn StateStore> {
        self.inner.read().clone()
    }
}

impl Deref for WatchedStore {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
    }
}

type Done<T> = Result<T, StateError>;

#[async_trait]
#[rustfmt::skip]
impl StateStore for WatchedStore {
    fn name(&self) -> &'static str { self.inner().name() }
    async fn begin_lease(&self, life: &Incarnation, lasts: Duration) -> Done<()> { let begun = forward!(self.begin_lease(life, lasts)); if begun.is_ok() { *self.life.lock() = Some(life.clone()); } begun }
    async fn renew_lease(&self, life: &Incarnation, lasts: Duration) -> Done<LeaseStatus> { let renewed = forward!(self.renew_lease(life, lasts)); renewed.map(|status: LeaseStatus| LeaseStatus { behind: status.behind || self.is_behind.swap(false, Ordering::SeqCst), ..status }) }
    async fn end_lease(&self, life: &Incarnation) -> Done<()> { forward!(self.end_lease(life)) }
    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Done<ReapOutcome> { forward!(self.reap(by, dead, limit)) }
    async fn connect(&self, life: &Incarnation, client: &NewClient) -> Done<()> { forward!(self.connect(life, client)) }
    async fn nodes(&self) -> Done<Vec<NodeSummary>> { forward!(self.nodes()) }
    async fn held(&self, life: &Incarnation, page: &PageRequest) -> Done<Page<HeldClient>> { forward!(self.held(life, page)) }
    async fn disconnect(&self, life: &Incarnation, client: &ClientKey) -> Done<Vec<RoomKey>> { forward!(self.disconnect(life, client)) }
    async fn restore(&self, life: &Incarnation, clients: &[LiveClient]) -> Done<()> { forward!(self.restore(life, clients)) }
    async fn set_client_metadata(&self, life: &Incarnation, client: &ClientKey, metadata: &Metadata) -> Done<()> { forward!(self.set_client_metadata(life, client, metadata)) }
    async fn touch(&self, life: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Done<()> { forward!(self.touch(life, seen)) }
    async fn client(&self, client: &ClientKey) -> Done<Option<WebSocketClient>> { forward!(self.client(client)) }
    async fn locate(&self, client: &ClientKey) -> Done<Option<NodeId>> { forward!(self.locate(client)) }
    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Done<Page<WebSocketClient>> { forward!(self.clients(namespace, page)) }
    async fn client_count(&self, namespace: &Namespace) -> Done<u64> { forward!(self.client_count(namespace)) }
    async fn user_clients(&self, namespace: &Namespace, user: &UserId, page: &PageRequest) -> Done<Page<WebSocketClient>> { forward!(self.user_clients(namespace, user, page)) }
    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Done<u64> { forward!(self.user_client_count(namespace, user)) }
    async fn revoke(&self, revocation: &Revocation) -> Done<()> { forward!(self.revoke(revocation)) }
    async fn revocations(&self, page: &PageRequest) -> Done<Page<Revocation>> { forward!(self.revocations(page)) }
    async fn join(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Done<JoinOutcome> { forward!(self.join(life, client, room)) }
    async fn leave(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Done<bool> { forward!(self.leave(life, client, room)) }
    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Done<WebSocketRoom> { forward!(self.create_room(room, new)) }
    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Done<WebSocketRoom> { forward!(self.change_room(room, change)) }
    async fn delete_room(&self, room: &RoomKey) -> Done<Option<DeletedRoom>> { forward!(self.delete_room(room)) }
    async fn room(&self, room: &RoomKey) -> Done<Option<WebSocketRoom>> { forward!(self.room(room)) }
    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Done<Page<RoomSummary>> { forward!(self.rooms(namespace, page)) }
    async fn room_count(&self, namespace: &Namespace) -> Done<u64> { forward!(self.room_count(namespace)) }
    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Done<Page<MemberRecord>> { forward!(self.members(room, page)) }
    async fn member_count(&self, room: &RoomKey) -> Done<u64> { forward!(self.member_count(room)) }
}
