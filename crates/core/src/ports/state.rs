//! The port that stores clients, rooms and memberships.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use super::{
    DeletedRoom, DeletionId, JoinOutcome, LeaseStatus, Member, NewRoom, NodeSummary, Page, PageRequest, ReapOutcome,
    RemovedByOthers, RestoredDifferently, RoomChange, RoomSummary, RoomUid, StateError, StoredClient,
};
use crate::{
    ClientKey, Incarnation, Metadata, Namespace, Revocation, RoomKey, Timestamp, UserId, WebSocketClient, WebSocketRoom,
};

/// A client that has just connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClient {
    /// The client's key.
    pub key: ClientKey,
    /// The user, if the client is authenticated.
    pub user: Option<UserId>,
    /// The application's metadata about it.
    pub metadata: Metadata,
    /// When it connected.
    pub connected_at: Timestamp,
}

/// A client that is connected to the calling node, with its memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveClient {
    /// The client as it was registered, with its current metadata.
    pub client: NewClient,
    /// The rooms it is a member of.
    pub rooms: Vec<(RoomKey, RoomUid)>,
}

/// The authoritative store of clients, rooms and memberships.
///
/// # Rules for every method
///
/// * **One namespace.** A client is a member of rooms of its own namespace only; in a room of another it is not found.
/// * **Atomic.** Each call happens at one instant, or not at all. Two calls on the same room or the same
///   client never interleave, from whichever node they come.
/// * **Fenced.** A method that takes an incarnation (`incarnation`) fails with [`StateError::Fenced`] and writes
///   nothing if that incarnation holds no lease: it never began one, ended it, or was reaped. A lease that ran out but
///   was not reaped yet is still held. An incarnation begins once and never begins again after its end.
/// * **Idempotent** where documented: repeating a call after [`StateError::Unavailable`] is harmless and reports the
///   current state.
/// * **Cancellation.** If the future is dropped, the call may or may not have taken effect.
/// * **Deadline.** A call returns within the backend's operation timeout; it never waits indefinitely.
/// * Broadcasts do not read the store: the service calls none of these methods to send a message.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// A short name for logs and metrics, such as `memory`.
    fn name(&self) -> &'static str;

    /// Begins the lease of an incarnation. Everything written under it lives until the lease is ended, or ran out and
    /// was reaped. Idempotent while the lease is held.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if the incarnation ended or was reaped.
    async fn begin_lease(&self, incarnation: &Incarnation, duration: Duration) -> Result<(), StateError>;

    /// Renews the lease for another `duration` from now and returns the incarnations with an expired lease. Every
    /// renewing node gets an expired incarnation until nothing of it is left, except the incarnation itself.
    /// Idempotent.
    async fn renew_lease(&self, incarnation: &Incarnation, duration: Duration) -> Result<LeaseStatus, StateError>;

    /// Ends the lease of a node that shuts down gracefully. What it has not removed itself is then reported as expired
    /// to the next node that renews. Idempotent; no error if there is no lease.
    async fn end_lease(&self, incarnation: &Incarnation) -> Result<(), StateError>;

    /// Removes at most `limit` memberships, and the client records, of an incarnation with an expired or ended lease.
    ///
    /// The first step fences the incarnation permanently. Several nodes may reap the same incarnation concurrently:
    /// each membership and each client is reported to exactly one of them. Entries that another incarnation has
    /// registered meanwhile are neither removed nor reported. An outcome that is not `finished` requires another step.
    /// An incarnation that still has its lease, or that never began, is not touched and reported as finished. `by` must
    /// hold a lease, like every writer; `limit` is at least 1.
    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError>;

    /// Returns which of these memberships of a client, and whether the client itself, other callers removed while they
    /// belonged to this incarnation: by [`reap`](Self::reap) of the incarnation, or by
    /// [`delete_room`](Self::delete_room) of the room with that uid. The caller of those methods reports these
    /// removals; the incarnation itself reports all others.
    ///
    /// Does not include removals by the incarnation itself, also by a call with a lost answer, data that the store
    /// lost, or entries that moved to another incarnation by [`connect`](Self::connect) or [`restore`](Self::restore).
    /// The store keeps this information for a day after a cleanup and for ten minutes after a deletion. A read: it
    /// needs no lease.
    async fn removed_by_others(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> Result<RemovedByOthers, StateError>;

    /// Checks the stored data for damage by another program or a person, and repairs it as far as possible without the
    /// nodes. Each node calls it every `every`; a store may do the work for all of them in the call of one. Returns
    /// memberships and clients that it removed because they belonged to no incarnation: only the caller reports their
    /// end.
    ///
    /// `namespaces` are those that the caller knows. A store that only its nodes can reach does nothing.
    async fn repair(
        &self,
        incarnation: &Incarnation,
        lease: Duration,
        every: Duration,
        namespaces: &[Namespace],
    ) -> Result<ReapOutcome, StateError> {
        let _ = (incarnation, lease, every, namespaces);
        Ok(ReapOutcome { finished: true, ..ReapOutcome::default() })
    }

    /// Returns a page of the clients and memberships that the store has under an incarnation, so that a node can
    /// compare them with its own. One client may be spread over several items and pages; see [`StoredClient`]. The
    /// pages contain nothing of another incarnation, and nothing that ended before the page was requested. An item that
    /// is added, removed or changed while the pages are read may be present or missing, so a caller that finds a
    /// difference reads again before acting on it.
    ///
    /// A read: it needs no lease. For an incarnation that was cleaned up completely or never began, returns one empty
    /// page without a next.
    async fn stored_clients(
        &self,
        incarnation: &Incarnation,
        page: &PageRequest,
    ) -> Result<Page<StoredClient>, StateError>;

    /// Returns every node that has a lease or entries in the store, sorted by name, each once. The list is not paged,
    /// because a cluster has few nodes.
    async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError>;

    /// Registers a client. Idempotent: a client that is already registered is replaced. It keeps its memberships under
    /// this incarnation and loses those under another; these end without being reported.
    async fn connect(&self, incarnation: &Incarnation, client: &NewClient) -> Result<(), StateError>;

    /// Removes a client and all its memberships; returns the rooms it was a member of, sorted. After a successful call
    /// none of them is left, including those that an earlier call without an answer missed. Idempotent: removes and
    /// returns nothing if the client does not belong to this incarnation.
    async fn disconnect(&self, incarnation: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError>;

    /// Restores clients and memberships that are alive on this node, as given. Capacity and closed rooms are not
    /// checked, because these clients are members already. A missing room is created with the given uid, as if by a
    /// join. A membership under another incarnation that is not given ends as in [`connect`](Self::connect); a
    /// membership under this incarnation stays. Rooms of another namespace than the client's are ignored. Idempotent.
    ///
    /// A membership in a room with a uid that was [deleted](Self::delete_room) is not restored: the node has not heard
    /// of the deletion yet. The store remembers a deletion for ten minutes. Returns these memberships, and those in
    /// rooms that have another uid by now.
    async fn restore(
        &self,
        incarnation: &Incarnation,
        clients: &[LiveClient],
    ) -> Result<Vec<RestoredDifferently>, StateError>;

    /// Replaces the application's metadata of a client.
    ///
    /// # Errors
    /// [`StateError::ClientNotFound`] if the client does not belong to this incarnation.
    async fn set_client_metadata(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError>;

    /// Stores when clients were last active. Ignores clients of another incarnation, and times before the stored one.
    /// Idempotent.
    async fn touch(&self, incarnation: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError>;

    /// One client with its rooms.
    async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError>;

    /// Returns the incarnation that registered a client: that of the process that holds its connection.
    async fn locate(&self, client: &ClientKey) -> Result<Option<Incarnation>, StateError>;

    /// A page of the clients of a namespace.
    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<WebSocketClient>, StateError>;

    /// The number of clients in a namespace.
    async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError>;

    /// Returns a page of the clients of one user in a namespace, on all nodes.
    ///
    /// The list is updated in the same step that registers or removes a client: it contains exactly the clients of the
    /// namespace with a record that names the user. A client of a lost node is listed until it is reaped, as
    /// everywhere. The store keeps nothing for a user without clients.
    async fn user_clients(
        &self,
        namespace: &Namespace,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError>;

    /// The number of clients of one user in a namespace.
    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Result<u64, StateError>;

    /// Stores a revocation until `until` by the store's clock; an expired revocation is not stored.
    /// Revocations of one subject are merged: the latest `revoked_at` and the latest `until` count. Idempotent.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StateError>;

    /// A page of the revocations that are in force by the store's clock.
    async fn revocations(&self, page: &PageRequest) -> Result<Page<Revocation>, StateError>;

    /// Makes a client a member of a room. Creates the room if it does not exist.
    ///
    /// Checks and joins in one step: the client must belong to this incarnation, and the room must be open and not full
    /// unless the client is a member already. Of N concurrent joins for C free places exactly min(N, C) succeed. No
    /// join succeeds after a close returned. Idempotent.
    ///
    /// # Errors
    /// [`StateError::RoomClosed`] (checked first), [`StateError::RoomFull`], [`StateError::ClientNotFound`],
    /// [`StateError::OutOfMemory`].
    async fn join(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<JoinOutcome, StateError>;

    /// Ends a membership; returns false if there was none of this incarnation. When the last membership of a room ends,
    /// in whatever way, the room is removed, unless it is closed, or was created by name with
    /// [`NewRoom::keep_when_empty`] true. Idempotent.
    async fn leave(&self, incarnation: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<bool, StateError>;

    /// Creates a room by name. The room exists until it is deleted or, with [`NewRoom::keep_when_empty`] false, until its
    /// last member has left. Whatever restores its settings restores that too.
    ///
    /// # Errors
    /// [`StateError::RoomExists`] if the room exists already, also if a join created it.
    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError>;

    /// Changes a room's settings. [`RoomChange::Close`] creates a missing room as closed, so that no client can join
    /// after it returned; such a room does not count as created by name. [`RoomChange::Open`] keeps a room without
    /// members; the room is removed when the last of its next members leaves. Idempotent.
    ///
    /// # Errors
    /// [`StateError::RoomNotFound`] for the other changes.
    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError>;

    /// Deletes a room with all its memberships. Returns `None` if it does not exist. For ten minutes a call that
    /// repeats its `deletion`, because the answer was lost, gets the answer and deletes nothing else.
    async fn delete_room(&self, room: &RoomKey, deletion: DeletionId) -> Result<Option<DeletedRoom>, StateError>;

    /// Resolves a deletion that got no answer. Returns the answer if it took place. Returns `None` if it did not, and
    /// prevents it from taking place later. Known for ten minutes. Idempotent.
    async fn resolve_deletion(&self, room: &RoomKey, deletion: DeletionId) -> Result<Option<DeletedRoom>, StateError>;

    /// One room with its members.
    async fn room(&self, room: &RoomKey) -> Result<Option<WebSocketRoom>, StateError>;

    /// A page of the rooms of a namespace.
    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<RoomSummary>, StateError>;

    /// The number of rooms in a namespace.
    async fn room_count(&self, namespace: &Namespace) -> Result<u64, StateError>;

    /// A page of the members of a room; empty if the room does not exist.
    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Result<Page<Member>, StateError>;

    /// The number of members of a room; zero if the room does not exist.
    async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError>;
}
