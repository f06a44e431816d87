//! The port [`StateStore`]: each method is one step of the state, under its lock.

use std::time::Duration;

use async_trait::async_trait;
use roomwire_core::{
    ClientKey, DeletedRoom, DeletionId, Incarnation, JoinOutcome, LeaseStatus, LiveClient, Member, Metadata, Namespace,
    NewClient, NewRoom, NodeSummary, Page, PageRequest, ReapOutcome, RemovedByOthers, RestoredDifferently, Revocation,
    RoomChange, RoomKey, RoomSummary, RoomUid, StateError, StateStore, StoredClient, Timestamp, UserId,
    WebSocketClient, WebSocketRoom,
};

use crate::MemoryState;

/// No method ever waits or fails with [`StateError::Unavailable`] or [`StateError::OutOfMemory`], and
/// dropping a future before its first poll is the only way to cancel a call.
#[async_trait]
impl StateStore for MemoryState {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn begin_lease(&self, incarnation: &Incarnation, duration: Duration) -> Result<(), StateError> {
        self.shared.state().incarnations.begin(incarnation, self.shared.lease_now(), duration)
    }

    async fn renew_lease(&self, incarnation: &Incarnation, duration: Duration) -> Result<LeaseStatus, StateError> {
        self.shared.state().incarnations.renew(incarnation, self.shared.lease_now(), duration)
    }

    async fn end_lease(&self, incarnation: &Incarnation) -> Result<(), StateError> {
        self.shared.state().incarnations.end(incarnation);
        Ok(())
    }

    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError> {
        self.shared.state().reap(by, dead, limit, self.shared.now(), self.shared.lease_now())
    }

    async fn removed_by_others(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> Result<RemovedByOthers, StateError> {
        Ok(self.shared.state().removals.of(incarnation, client, rooms))
    }

    async fn stored_clients(
        &self,
        incarnation: &Incarnation,
        page: &PageRequest,
    ) -> Result<Page<StoredClient>, StateError> {
        Ok(self.shared.state().stored_clients(incarnation, page))
    }

    async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError> {
        Ok(self.shared.state().nodes())
    }

    async fn connect(&self, incarnation: &Incarnation, client: &NewClient) -> Result<(), StateError> {
        self.shared.state().connect(incarnation, client, self.shared.now())
    }

    async fn disconnect(&self, incarnation: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError> {
        self.shared.state().disconnect(incarnation, client, self.shared.now())
    }

    async fn restore(
        &self,
        incarnation: &Incarnation,
        clients: &[LiveClient],
    ) -> Result<Vec<RestoredDifferently>, StateError> {
        self.shared.state().restore(incarnation, clients, self.shared.now())
    }

    async fn set_client_metadata(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError> {
        self.shared.state().set_client_metadata(incarnation, client, metadata)
    }

    async fn touch(&self, incarnation: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError> {
        self.shared.state().touch(incarnation, seen)
    }

    async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError> {
        Ok(self.shared.state().client(client))
    }

    async fn locate(&self, client: &ClientKey) -> Result<Option<Incarnation>, StateError> {
        Ok(self.shared.state().locate(client))
    }

    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<WebSocketClient>, StateError> {
        Ok(self.shared.state().client_page(namespace, page))
    }

    async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        Ok(self.shared.state().clients.count(namespace))
    }

    async fn user_clients(
        &self,
        namespace: &Namespace,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError> {
        Ok(self.shared.state().user_client_page(namespace, user, page))
    }

    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Result<u64, StateError> {
        Ok(self.shared.state().user_client_count(namespace, user))
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StateError> {
        self.shared.state().revocations.add(revocation, self.shared.now());
        Ok(())
    }

    async fn revocations(&self, page: &PageRequest) -> Result<Page<Revocation>, StateError> {
        Ok(self.shared.state().revocations.page(page, self.shared.now()))
    }

    async fn join(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<JoinOutcome, StateError> {
        self.shared.state().join(incarnation, client, room, self.shared.now())
    }

    async fn leave(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<bool, StateError> {
        self.shared.state().leave(incarnation, client, room, self.shared.now())
    }

    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError> {
        self.shared.state().create_room(room, new, self.shared.now())
    }

    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError> {
        self.shared.state().change_room(room, change, self.shared.now())
    }

    async fn delete_room(&self, room: &RoomKey, deletion: DeletionId) -> Result<Option<DeletedRoom>, StateError> {
        Ok(self.shared.state().delete_room(room, deletion, self.shared.now()))
    }

    async fn resolve_deletion(&self, _: &RoomKey, deletion: DeletionId) -> Result<Option<DeletedRoom>, StateError> {
        Ok(self.shared.state().removals.resolve(deletion, self.shared.now()))
    }

    async fn room(&self, room: &RoomKey) -> Result<Option<WebSocketRoom>, StateError> {
        Ok(self.shared.state().room(room))
    }

    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<RoomSummary>, StateError> {
        Ok(self.shared.state().room_page(namespace, page))
    }

    async fn room_count(&self, namespace: &Namespace) -> Result<u64, StateError> {
        Ok(self.shared.state().rooms.count(namespace))
    }

    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Result<Page<Member>, StateError> {
        Ok(self.shared.state().member_page(room, page))
    }

    async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError> {
        Ok(self.shared.state().member_count(room))
    }
}
