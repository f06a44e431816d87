//! The port [`StateStore`]: each method is one step of the world, under its lock.

use std::time::Duration;

use async_trait::async_trait;
use roomwire_core::{
    ClientKey, DeletedRoom, HeldClient, Incarnation, JoinOutcome, LeaseStatus, LiveClient, MemberRecord, Metadata,
    Namespace, NewClient, NewRoom, NodeId, NodeSummary, Page, PageRequest, ReapOutcome, Revocation, RoomChange,
    RoomKey, RoomSummary, StateError, StateStore, Timestamp, UserId, WebSocketClient, WebSocketRoom,
};

use crate::MemoryState;

/// No method ever waits or fails with [`StateError::Unavailable`] or [`StateError::OutOfMemory`], and
/// dropping a future before its first poll is the only way to cancel a call.
#[async_trait]
impl StateStore for MemoryState {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn begin_lease(&self, life: &Incarnation, duration: Duration) -> Result<(), StateError> {
        self.shared.world().lives.begin(life, self.shared.lease_now(), duration)
    }

    async fn renew_lease(&self, life: &Incarnation, duration: Duration) -> Result<LeaseStatus, StateError> {
        self.shared.world().lives.renew(life, self.shared.lease_now(), duration)
    }

    async fn end_lease(&self, life: &Incarnation) -> Result<(), StateError> {
        self.shared.world().lives.end(life);
        Ok(())
    }

    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError> {
        self.shared.world().reap(by, dead, limit, self.shared.now(), self.shared.lease_now())
    }

    async fn held(&self, life: &Incarnation, page: &PageRequest) -> Result<Page<HeldClient>, StateError> {
        Ok(self.shared.world().held_page(life, page))
    }

    async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError> {
        Ok(self.shared.world().nodes())
    }

    async fn connect(&self, life: &Incarnation, client: &NewClient) -> Result<(), StateError> {
        self.shared.world().connect(life, client, self.shared.now())
    }

    async fn disconnect(&self, life: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError> {
        self.shared.world().disconnect(life, client, self.shared.now())
    }

    async fn restore(&self, life: &Incarnation, clients: &[LiveClient]) -> Result<(), StateError> {
        self.shared.world().restore(life, clients, self.shared.now())
    }

    async fn set_client_metadata(
        &self,
        life: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        self.shared.world().set_client_metadata(life, client, metadata)
    }

    async fn touch(&self, life: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError> {
        self.shared.world().touch(life, seen)
    }

    async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError> {
        Ok(self.shared.world().client(client))
    }

    async fn locate(&self, client: &ClientKey) -> Result<Option<NodeId>, StateError> {
        Ok(self.shared.world().locate(client))
    }

    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<WebSocketClient>, StateError> {
        Ok(self.shared.world().client_page(namespace, page))
    }

    async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        Ok(self.shared.world().clients.count(namespace))
    }

    async fn user_clients(
        &self,
        namespace: &Namespace,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError> {
        Ok(self.shared.world().user_client_page(namespace, user, page))
    }

    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Result<u64, StateError> {
        Ok(self.shared.world().user_client_count(namespace, user))
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StateError> {
        self.shared.world().revocations.add(revocation, self.shared.now());
        Ok(())
    }

    async fn revocations(&self, page: &PageRequest) -> Result<Page<Revocation>, StateError> {
        Ok(self.shared.world().revocations.page(page, self.shared.now()))
    }

    async fn join(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<JoinOutcome, StateError> {
        self.shared.world().join(life, client, room, self.shared.now())
    }

    async fn leave(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<bool, StateError> {
        self.shared.world().leave(life, client, room, self.shared.now())
    }

    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError> {
        self.shared.world().create_room(room, new, self.shared.now())
    }

    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError> {
        self.shared.world().change_room(room, change, self.shared.now())
    }

    async fn delete_room(&self, room: &RoomKey) -> Result<Option<DeletedRoom>, StateError> {
        Ok(self.shared.world().delete_room(room))
    }

    async fn room(&self, room: &RoomKey) -> Result<Option<WebSocketRoom>, StateError> {
        Ok(self.shared.world().room(room))
    }

    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<RoomSummary>, StateError> {
        Ok(self.shared.world().room_page(namespace, page))
    }

    async fn room_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        Ok(self.shared.world().rooms.count(namespace))
    }

    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Result<Page<MemberRecord>, StateError> {
        Ok(self.shared.world().member_page(room, page))
    }

    async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError> {
        Ok(self.shared.world().member_count(room))
    }
}
