//! A store with a timer around each call.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use roomwire_core::{
    ClientKey, DeletedRoom, DeletionId, Incarnation, JoinOutcome, LeaseStatus, LiveClient, Member, Metadata, Namespace,
    NewClient, NewRoom, NodeSummary, Page, PageRequest, ReapOutcome, RemovedByOthers, RestoredDifferently, Revocation,
    RoomChange, RoomKey, RoomSummary, RoomUid, StateError, StateStore, StoredClient, Timestamp, UserId,
    WebSocketClient, WebSocketRoom,
};

use super::timed_call::TimedCalls;

/// Measures the calls of a store.
#[derive(Debug)]
pub(super) struct TimedStore {
    store: Arc<dyn StateStore>,
    calls: TimedCalls,
}

impl TimedStore {
    pub(super) fn new(store: Arc<dyn StateStore>, calls: TimedCalls) -> Self {
        Self { store, calls }
    }
}

/// Forwards these methods, timed, and lists their names.
macro_rules! timed {
    ($(async fn $name:ident($($arg:ident: $ty:ty),*) -> $answer:ty;)*) => {
        /// The methods of the store.
        pub(super) const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        #[async_trait]
        impl StateStore for TimedStore {
            fn name(&self) -> &'static str {
                self.store.name()
            }

            $(async fn $name(&self, $($arg: $ty),*) -> Result<$answer, StateError> {
                self.calls.time(stringify!($name), self.store.$name($($arg),*)).await
            })*
        }
    };
}

timed! {
    async fn join(incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> JoinOutcome;
    async fn leave(incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> bool;
    async fn connect(incarnation: &Incarnation, client: &NewClient) -> ();
    async fn disconnect(incarnation: &Incarnation, client: &ClientKey) -> Vec<RoomKey>;
    async fn locate(client: &ClientKey) -> Option<Incarnation>;
    async fn touch(incarnation: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> ();
    async fn begin_lease(incarnation: &Incarnation, duration: Duration) -> ();
    async fn renew_lease(incarnation: &Incarnation, duration: Duration) -> LeaseStatus;
    async fn end_lease(incarnation: &Incarnation) -> ();
    async fn reap(by: &Incarnation, dead: &Incarnation, limit: usize) -> ReapOutcome;
    async fn removed_by_others(
        incarnation: &Incarnation, client: &ClientKey, rooms: &[(RoomKey, RoomUid)]
    ) -> RemovedByOthers;
    async fn repair(
        incarnation: &Incarnation, lease: Duration, every: Duration, namespaces: &[Namespace]
    ) -> ReapOutcome;
    async fn restore(incarnation: &Incarnation, clients: &[LiveClient]) -> Vec<RestoredDifferently>;
    async fn stored_clients(incarnation: &Incarnation, page: &PageRequest) -> Page<StoredClient>;
    async fn nodes() -> Vec<NodeSummary>;
    async fn set_client_metadata(incarnation: &Incarnation, client: &ClientKey, metadata: &Metadata) -> ();
    async fn client(client: &ClientKey) -> Option<WebSocketClient>;
    async fn clients(namespace: &Namespace, page: &PageRequest) -> Page<WebSocketClient>;
    async fn client_count(namespace: &Namespace) -> u64;
    async fn user_clients(namespace: &Namespace, user: &UserId, page: &PageRequest) -> Page<WebSocketClient>;
    async fn user_client_count(namespace: &Namespace, user: &UserId) -> u64;
    async fn revoke(revocation: &Revocation) -> ();
    async fn revocations(page: &PageRequest) -> Page<Revocation>;
    async fn create_room(room: &RoomKey, new: &NewRoom) -> WebSocketRoom;
    async fn change_room(room: &RoomKey, change: &RoomChange) -> WebSocketRoom;
    async fn delete_room(room: &RoomKey, deletion: DeletionId) -> Option<DeletedRoom>;
    async fn resolve_deletion(room: &RoomKey, deletion: DeletionId) -> Option<DeletedRoom>;
    async fn room(room: &RoomKey) -> Option<WebSocketRoom>;
    async fn rooms(namespace: &Namespace, page: &PageRequest) -> Page<RoomSummary>;
    async fn room_count(namespace: &Namespace) -> u64;
    async fn members(room: &RoomKey, page: &PageRequest) -> Page<Member>;
    async fn member_count(room: &RoomKey) -> u64;
}
