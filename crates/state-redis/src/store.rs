//! The port [`StateStore`]: which file carries each method out.

use std::time::Duration;

use async_trait::async_trait;
use roomwire_core::{
    ClientKey, DeletedRoom, HeldClient, Incarnation, JoinOutcome, LeaseStatus, LiveClient, MemberRecord, Metadata,
    Namespace, NewClient, NewRoom, NodeId, NodeSummary, Page, PageRequest, ReapOutcome, Revocation, RoomChange,
    RoomKey, RoomSummary, StateError, StateStore, Timestamp, UserId, WebSocketClient, WebSocketRoom,
};

use crate::RedisState;

/// Each script has an answer within the configured timeout; a call that takes several one after the other, such as a page
/// over many partitions, or that waits for another change of the same client, may take longer. What runs as one script
/// happens at one instant; on a Redis Cluster, a call on a client and a room in different partitions is two scripts at the
/// same time.
#[async_trait]
impl StateStore for RedisState {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn begin_lease(&self, life: &Incarnation, duration: Duration) -> Result<(), StateError> {
        self.shared.begin(life, duration).await
    }

    async fn renew_lease(&self, life: &Incarnation, duration: Duration) -> Result<LeaseStatus, StateError> {
        self.shared.renew(life, duration).await
    }

    async fn end_lease(&self, life: &Incarnation) -> Result<(), StateError> {
        self.shared.end(life).await
    }

    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError> {
        self.shared.reap(by, dead, limit).await
    }

    async fn held(&self, life: &Incarnation, page: &PageRequest) -> Result<Page<HeldClient>, StateError> {
        self.shared.held(life, page).await
    }

    async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError> {
        self.shared.nodes().await
    }

    async fn connect(&self, life: &Incarnation, client: &NewClient) -> Result<(), StateError> {
        self.shared.connect(life, client).await
    }

    async fn disconnect(&self, life: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError> {
        self.shared.disconnect(life, client).await
    }

    async fn restore(&self, life: &Incarnation, clients: &[LiveClient]) -> Result<(), StateError> {
        self.shared.restore(life, clients).await
    }

    async fn set_client_metadata(
        &self,
        life: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        self.shared.set_client_metadata(life, client, metadata).await
    }

    async fn touch(&self, life: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError> {
        self.shared.touch(life, seen).await
    }

    async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError> {
        self.shared.client(client).await
    }

    async fn locate(&self, client: &ClientKey) -> Result<Option<NodeId>, StateError> {
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

    async fn join(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<JoinOutcome, StateError> {
        self.shared.join(life, client, room).await
    }

    async fn leave(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<bool, StateError> {
        self.shared.leave(life, client, room).await
    }

    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError> {
        self.shared.create_room(room, new).await
    }

    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError> {
        self.shared.change_room(room, change).await
    }

    async fn delete_room(&self, room: &RoomKey) -> Result<Option<DeletedRoom>, StateError> {
        self.shared.delete_room(room).await
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

    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Result<Page<MemberRecord>, StateError> {
        self.shared.member_page(room, page).await
    }

    async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError> {
        self.shared.member_count(room).await
    }
}
