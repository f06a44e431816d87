//! A store with faults and random delays.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use roomwire_core::{
    ClientId, ClientKey, DeletedRoom, DeletionId, Incarnation, JoinOutcome, LeaseStatus, LiveClient, Member, Metadata,
    Namespace, NewClient, NewRoom, NodeSummary, Page, PageRequest, ReapOutcome, RemovedByOthers, RestoredDifferently,
    Revocation, RoomChange, RoomKey, RoomSummary, RoomUid, StateError, StateStore, StoredClient, Timestamp, UserId,
    WebSocketClient, WebSocketRoom,
};

use crate::{
    events::Subject,
    faults::{Faults, Side, forward},
    random::Random,
};

/// The store of one node.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: RwLock<Arc<dyn StateStore>>,
    random: Random,
    faults: Faults,
    /// The latest incarnation of the node.
    current: Mutex<Option<Incarnation>>,
    /// Registered clients, with the times of each call and its answer.
    registrations: Mutex<Vec<(ClientKey, u64, u64)>>,
    /// When the lease ended, or may have: from the first time to the second.
    fences: Mutex<Vec<(u64, u64)>>,
    behind: AtomicBool,
    /// Clients and memberships that a join or a restore began without an answer.
    unanswered_joins: Mutex<Vec<Subject>>,
    /// Clients of which a membership or all ended, and the answer was lost.
    unanswered_ends: Mutex<BTreeSet<ClientId>>,
    /// The number of clean-ups of other nodes without an answer.
    unanswered_reaps: AtomicUsize,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn StateStore>, random: Random) -> Arc<Self> {
        Arc::new(Self {
            inner: RwLock::new(inner),
            faults: Faults::new(random.clone()),
            random,
            current: Mutex::default(),
            registrations: Mutex::default(),
            fences: Mutex::default(),
            behind: AtomicBool::new(false),
            unanswered_joins: Mutex::default(),
            unanswered_ends: Mutex::default(),
            unanswered_reaps: AtomicUsize::new(0),
        })
    }

    /// The inner store, without faults.
    pub(crate) fn inner(&self) -> Arc<dyn StateStore> {
        self.inner.read().clone()
    }

    /// Replaces the inner store by an empty one.
    pub(crate) fn replace(&self, inner: Arc<dyn StateStore>) {
        *self.inner.write() = inner;
    }

    /// Makes the next lease renewal report lost writes.
    pub(crate) fn fall_behind(&self) {
        self.behind.store(true, Ordering::Relaxed);
    }

    /// Records that the lease may end from now on.
    pub(crate) fn note_fence(&self) {
        let now = self.random.tick();
        self.fences.lock().push((now, now));
    }

    /// Ends the lease of the node, as if it had expired.
    pub(crate) async fn fence(&self) {
        let current = self.current.lock().clone();
        if let Some(current) = current {
            let begun = self.random.tick();
            self.inner().end_lease(&current).await.expect("ends");
            self.fences.lock().push((begun, self.random.tick()));
        }
    }

    /// When the client was last registered.
    pub(crate) fn registered_at(&self, client: &ClientKey) -> u64 {
        let registrations = self.registrations.lock();
        registrations.iter().rev().find(|(key, ..)| key == client).map(|(_, _, at)| *at).unwrap_or_default()
    }

    /// When the lease began to end, each time with the clients that were registered until it had ended.
    pub(crate) fn fences(&self) -> Vec<(u64, BTreeMap<ClientKey, u64>)> {
        let registrations = self.registrations.lock();
        let before = |ended: u64| {
            let before = registrations.iter().filter(|(_, begun, _)| *begun < ended);
            before.map(|(client, _, at)| (client.clone(), *at)).collect()
        };
        self.fences.lock().iter().map(|(begun, ended)| (*begun, before(*ended))).collect()
    }

    /// The registered clients.
    pub(crate) fn registered(&self) -> Vec<ClientId> {
        self.registrations.lock().iter().map(|(client, ..)| client.client.clone()).collect()
    }

    /// The clients and memberships that a join or a restore began without an answer.
    pub(crate) fn unanswered_joins(&self) -> Vec<Subject> {
        self.unanswered_joins.lock().clone()
    }

    /// The clients with ends that this node does not know yet.
    pub(crate) fn unanswered_ends(&self) -> BTreeSet<ClientId> {
        self.unanswered_ends.lock().clone()
    }

    /// Whether this node waits for the answer of a clean-up. The ends in it are lost when the node is killed.
    pub(crate) fn is_reaping(&self) -> bool {
        self.unanswered_reaps.load(Ordering::Relaxed) > 0
    }

    fn answered_join(&self, membership: &Subject) {
        let mut unanswered = self.unanswered_joins.lock();
        if let Some(at) = unanswered.iter().position(|join| join == membership) {
            unanswered.swap_remove(at);
        }
    }

    /// Clears the records of a round.
    pub(crate) fn forget(&self) {
        self.unanswered_joins.lock().clear();
        self.unanswered_ends.lock().clear();
        self.registrations.lock().clear();
        self.fences.lock().clear();
    }
}

impl Deref for FaultyStore {
    type Target = Faults;

    fn deref(&self) -> &Faults {
        &self.faults
    }
}

type Done<T> = Result<T, StateError>;

#[async_trait]
impl StateStore for FaultyStore {
    fn name(&self) -> &'static str {
        self.inner().name()
    }

    async fn begin_lease(&self, incarnation: &Incarnation, duration: Duration) -> Done<()> {
        let begun = forward!(self.begin_lease(incarnation, duration));
        if begun.is_ok() {
            *self.current.lock() = Some(incarnation.clone());
        }
        begun
    }

    async fn renew_lease(&self, incarnation: &Incarnation, duration: Duration) -> Done<LeaseStatus> {
        let mut status: LeaseStatus = forward!(self.renew_lease(incarnation, duration))?;
        status.behind |= self.behind.swap(false, Ordering::Relaxed);
        Ok(status)
    }

    async fn connect(&self, incarnation: &Incarnation, client: &NewClient) -> Done<()> {
        self.faults.pass(Side::Before, "connect").await?;
        let begun = self.random.tick();
        let connected = self.inner().connect(incarnation, client).await;
        self.random.note(|| format!("  {incarnation} connects {}: {connected:?}", client.key.client));
        if connected.is_ok() {
            self.registrations.lock().push((client.key.clone(), begun, self.random.tick()));
        }
        self.faults.pass(Side::After, "connect").await?;
        connected
    }

    async fn end_lease(&self, incarnation: &Incarnation) -> Done<()> {
        forward!(self.end_lease(incarnation))
    }

    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Done<ReapOutcome> {
        // An answer that is lost is kept for the next call: that is the store's to do.
        self.faults.pass(Side::Before, "reap").await?;
        self.unanswered_reaps.fetch_add(1, Ordering::Relaxed);
        let outcome = self.inner().reap(by, dead, limit).await;
        self.unanswered_reaps.fetch_sub(1, Ordering::Relaxed);
        self.random.note(|| format!("  {by} reaped {dead}: {outcome:?}"));
        outcome
    }

    async fn removed_by_others(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> Done<RemovedByOthers> {
        self.unanswered_ends.lock().insert(client.client.clone());
        let removed = forward!(self.removed_by_others(incarnation, client, rooms));
        self.unanswered_ends.lock().remove(&client.client);
        removed
    }

    async fn stored_clients(&self, incarnation: &Incarnation, page: &PageRequest) -> Done<Page<StoredClient>> {
        forward!(self.stored_clients(incarnation, page))
    }

    async fn nodes(&self) -> Done<Vec<NodeSummary>> {
        forward!(self.nodes())
    }

    async fn disconnect(&self, incarnation: &Incarnation, client: &ClientKey) -> Done<Vec<RoomKey>> {
        self.faults.pass(Side::Before, "disconnect").await?;
        self.unanswered_ends.lock().insert(client.client.clone());
        let outcome = self.inner().disconnect(incarnation, client).await;
        self.faults.pass(Side::After, "disconnect").await?;
        self.unanswered_ends.lock().remove(&client.client);
        self.random.note(|| format!("  {incarnation} disconnected {}: {outcome:?}", client.client));
        outcome
    }

    async fn restore(&self, incarnation: &Incarnation, clients: &[LiveClient]) -> Done<Vec<RestoredDifferently>> {
        self.random.note(|| format!("  {incarnation} restores {clients:?}"));
        self.faults.pass(Side::Before, "restore").await?;
        let outcome = self.inner().restore(incarnation, clients).await;
        let before = self.unanswered_joins.lock().len();
        for LiveClient { client, rooms } in clients {
            let rooms = rooms.iter().map(|(room, _)| (client.key.client.clone(), Some(room.room.clone())));
            let rooms = rooms.chain([(client.key.client.clone(), None)]);
            self.unanswered_joins.lock().extend(rooms);
        }
        let put_back = self.unanswered_joins.lock()[before..].to_vec();
        self.faults.pass(Side::After, "restore").await?;
        put_back.iter().for_each(|membership| self.answered_join(membership));
        self.random.note(|| format!("  {incarnation} restored: {outcome:?}"));
        outcome
    }

    async fn set_client_metadata(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Done<()> {
        forward!(self.set_client_metadata(incarnation, client, metadata))
    }

    async fn touch(&self, incarnation: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Done<()> {
        forward!(self.touch(incarnation, seen))
    }

    async fn client(&self, client: &ClientKey) -> Done<Option<WebSocketClient>> {
        forward!(self.client(client))
    }

    async fn locate(&self, client: &ClientKey) -> Done<Option<Incarnation>> {
        forward!(self.locate(client))
    }

    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Done<Page<WebSocketClient>> {
        forward!(self.clients(namespace, page))
    }

    async fn client_count(&self, namespace: &Namespace) -> Done<u64> {
        forward!(self.client_count(namespace))
    }

    async fn user_clients(
        &self,
        namespace: &Namespace,
        user: &UserId,
        page: &PageRequest,
    ) -> Done<Page<WebSocketClient>> {
        forward!(self.user_clients(namespace, user, page))
    }

    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Done<u64> {
        forward!(self.user_client_count(namespace, user))
    }

    async fn revoke(&self, revocation: &Revocation) -> Done<()> {
        forward!(self.revoke(revocation))
    }

    async fn revocations(&self, page: &PageRequest) -> Done<Page<Revocation>> {
        forward!(self.revocations(page))
    }

    async fn join(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Done<JoinOutcome> {
        self.faults.pass(Side::Before, "join").await?;
        let outcome = self.inner().join(incarnation, client, room).await;
        let began = matches!(&outcome, Ok(JoinOutcome { newly_joined: true, .. }));
        let begun = began.then(|| (client.client.clone(), Some(room.room.clone())));
        self.unanswered_joins.lock().extend(begun.clone());
        self.faults.pass(Side::After, "join").await?;
        begun.iter().for_each(|begun| self.answered_join(begun));
        self.random.note(|| format!("  {incarnation} joined {} to {}: {outcome:?}", client.client, room.room));
        outcome
    }

    async fn leave(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Done<bool> {
        self.faults.pass(Side::Before, "leave").await?;
        self.unanswered_ends.lock().insert(client.client.clone());
        let outcome = self.inner().leave(incarnation, client, room).await;
        self.faults.pass(Side::After, "leave").await?;
        self.unanswered_ends.lock().remove(&client.client);
        self.random.note(|| format!("  {incarnation} took {} out of {}: {outcome:?}", client.client, room.room));
        outcome
    }

    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Done<WebSocketRoom> {
        forward!(self.create_room(room, new))
    }

    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Done<WebSocketRoom> {
        forward!(self.change_room(room, change))
    }

    async fn delete_room(&self, room: &RoomKey, deletion: DeletionId) -> Done<Option<DeletedRoom>> {
        let outcome = forward!(self.delete_room(room, deletion));
        self.random.note(|| format!("  {} deleted: {outcome:?}", room.room));
        outcome
    }

    async fn resolve_deletion(&self, room: &RoomKey, deletion: DeletionId) -> Done<Option<DeletedRoom>> {
        let outcome = forward!(self.resolve_deletion(room, deletion));
        self.random.note(|| format!("  {} resolved: {outcome:?}", room.room));
        outcome
    }

    async fn room(&self, room: &RoomKey) -> Done<Option<WebSocketRoom>> {
        forward!(self.room(room))
    }

    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Done<Page<RoomSummary>> {
        forward!(self.rooms(namespace, page))
    }

    async fn room_count(&self, namespace: &Namespace) -> Done<u64> {
        forward!(self.room_count(namespace))
    }

    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Done<Page<Member>> {
        forward!(self.members(room, page))
    }

    async fn member_count(&self, room: &RoomKey) -> Done<u64> {
        forward!(self.member_count(room))
    }
}
