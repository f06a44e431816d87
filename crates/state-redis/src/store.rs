//! The port [`StateStore`]: forwards each method to its module.

use std::time::Duration;

use async_trait::async_trait;
use roomwire_core::{
    ClientKey, DeletedRoom, DeletionId, Incarnation, JoinOutcome, LeaseStatus, LiveClient, Member, Metadata, Namespace,
    NewClient, NewRoom, NodeSummary, Page, PageRequest, ReapOutcome, RemovedByOthers, RestoredDifferently, Revocation,
    RoomChange, RoomKey, RoomSummary, RoomUid, StateError, StateStore, StoredClient, Timestamp, UserId,
    WebSocketClient, WebSocketRoom,
};

use crate::RedisState;

/// Each script has a response within the configured timeout. A call that runs several in sequence, such as a page over
/// many partitions, or that waits for another change of the same client, may take longer. A single script is atomic; on
/// a Redis Cluster, a call on a client and a room in different partitions is two concurrent scripts.
#[async_trait]
impl StateStore for RedisState {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn begin_lease(&self, incarnation: &Incarnation, duration: Duration) -> Result<(), StateError> {
        self.shared.begin(incarnation, duration).await
    }

    async fn renew_lease(&self, incarnation: &Incarnation, duration: Duration) -> Result<LeaseStatus, StateError> {
        self.shared.renew(incarnation, duration).await
    }

    async fn end_lease(&self, incarnation: &Incarnation) -> Result<(), StateError> {
        self.shared.end(incarnation).await
    }

    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError> {
        self.shared.reap(by, dead, limit).await
    }

    async fn removed_by_others(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> Result<RemovedByOthers, StateError> {
        self.shared.removed_by_others(incarnation, client, rooms).await
    }

    async fn stored_clients(
        &self,
        incarnation: &Incarnation,
        page: &PageRequest,
    ) -> Result<Page<StoredClient>, StateError> {
        self.shared.stored_clients(incarnation, page).await
    }

    async fn repair(
        &self,
        incarnation: &Incarnation,
        lease: Duration,
        every: Duration,
        namespaces: &[Namespace],
    ) -> Result<ReapOutcome, StateError> {
        self.shared.repair(incarnation, lease, every, namespaces).await
    }

    async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError> {
        self.shared.nodes().await
    }

    async fn connect(&self, incarnation: &Incarnation, client: &NewClient) -> Result<(), StateError> {
        self.shared.connect(incarnation, client).await
    }

    async fn disconnect(&self, incarnation: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError> {
        self.shared.disconnect(incarnation, client).await
    }

    async fn restore(
        &self,
        incarnation: &Incarnation,
        clients: &[LiveClient],
    ) -> Result<Vec<RestoredDifferently>, StateError> {
        self.shared.restore(incarnation, clients).await
    }

    async fn set_client_metadata(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        self.shared.set_client_metadata(incarnation, client, metadata).await
    }

    async fn touch(&self, incarnation: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError> {
        self.shared.touch(incarnation, seen).await
    }

    async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError> {
        self.shared.client(client).await
    }

    async fn locate(&self, client: &ClientKey) -> Result<Option<Incarnation>, StateError> {
        self.shared.locate(client).await
    }

    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<WebSocketClient>, StateError> {
        self.shared.client_page(namespace, page).await
    }

    async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        self.shared.client_count(namespace).await
    }

    async fn user_clients(
        &self,
        namespace: &Namespace,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError> {
        self.shared.user_client_page(namespace, user, page).await
    }

    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Result<u64, StateError> {
        self.shared.user_client_count(namespace, user).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StateError> {
        self.shared.revoke(revocation).await
    }

    async fn revocations(&self, page: &PageRequest) -> Result<Page<Revocation>, StateError> {
        self.shared.revocation_page(page).await
    }

    async fn join(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<JoinOutcome, StateError> {
        self.shared.join(incarnation, client, room).await
    }

    async fn leave(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<bool, StateError> {
        self.shared.leave(incarnation, client, room).await
    }

    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError> {
        self.shared.create_room(room, new).await
    }

    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError> {
        self.shared.change_room(room, change).await
    }

    async fn delete_room(&self, room: &RoomKey, deletion: DeletionId) -> Result<Option<DeletedRoom>, StateError> {
        self.shared.delete_room(room, deletion, false).await
    }

    async fn resolve_deletion(&self, room: &RoomKey, deletion: DeletionId) -> Result<Option<DeletedRoom>, StateError> {
        self.shared.delete_room(room, deletion, true).await
    }

    async fn room(&self, room: &RoomKey) -> Result<Option<WebSocketRoom>, StateError> {
        self.shared.room(room).await
    }

    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<RoomSummary>, StateError> {
        self.shared.room_page(namespace, page).await
    }

    async fn room_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        self.shared.room_count(namespace).await
    }

    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Result<Page<Member>, StateError> {
        self.shared.member_page(room, page).await
    }

    async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError> {
        self.shared.member_count(room).await
    }
}
