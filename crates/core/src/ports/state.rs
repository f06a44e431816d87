//! The port behind which the truth about clients, rooms and members is kept.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use super::{
    DeletedRoom, HeldClient, JoinOutcome, LeaseStatus, MemberRecord, NewRoom, NodeSummary, Page, PageRequest,
    ReapOutcome, RoomChange, RoomSummary, RoomUid, StateError,
};
use crate::{
    ClientKey, Incarnation, Metadata, Namespace, NodeId, Revocation, RoomKey, Timestamp, UserId, WebSocketClient,
    WebSocketRoom,
};

/// A client that has just connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClient {
    /// Which client.
    pub key: ClientKey,
    /// Who it is, when that is known.
    pub user: Option<UserId>,
    /// What the application notes about it.
    pub metadata: Metadata,
    /// When it connected.
    pub connected_at: Timestamp,
}

/// A client that is connected to the asking node right now, with its memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveClient {
    /// The client as it was registered, with its present metadata.
    pub client: NewClient,
    /// The rooms it is a member of.
    pub rooms: Vec<(RoomKey, RoomUid)>,
}

/// The truth about who is where.
///
/// # Rules for every method
///
/// * **One namespace.** A client is a member of rooms of its own namespace only; in a room of another it
///   is not found.
/// * **Atomic.** Each call happens at one instant, or not at all. Two calls on the same room or the same
///   client never interleave, from whichever node they come.
/// * **Fenced.** A method that takes a `life` refuses with [`StateError::Fenced`], and writes nothing, when
///   that life holds no lease: it never began one, ended it, or was reaped. A lease that ran out but was
///   not reaped yet is still held. A life begins once: what is over stays over.
/// * **Idempotent** where the text says so: repeating a call after [`StateError::Unavailable`] does no
///   harm and reports the state as it is now.
/// * **Cancellation.** Dropping the future leaves it open whether the call happened.
/// * **Deadline.** A call returns within the backend's operation timeout; it never waits for ever.
/// * Nothing is read on the way of a message: the service calls none of this to broadcast.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// A short name for logs and metrics, such as `memory`.
    fn name(&self) -> &'static str;

    /// Begins the lease of a life. Everything written under it lives until the lease is ended, or ran
    /// out and was reaped. Idempotent while the lease is held.
    ///
    /// # Errors
    /// [`StateError::Fenced`] when the life ended or was reaped.
    async fn begin_lease(&self, life: &Incarnation, duration: Duration) -> Result<(), StateError>;

    /// Keeps the lease for another `duration` from now and tells whose lease ran out. Every node that renews
    /// is told, until nothing is left of that life; nobody is told of its own. Idempotent.
    async fn renew_lease(&self, life: &Incarnation, duration: Duration) -> Result<LeaseStatus, StateError>;

    /// Ends the lease of a node that stops in good order. What it has not removed itself is then
    /// reported as expired to the next node that renews. Idempotent; no error when there is no lease.
    async fn end_lease(&self, life: &Incarnation) -> Result<(), StateError>;

    /// Removes at most `limit` memberships, and the client records, of a life whose lease ran out or
    /// ended.
    ///
    /// The first step fences the life for ever. Several nodes may reap the same life at once: each
    /// membership and each client is reported to exactly one of them. What another life registered
    /// anew meanwhile is neither removed nor reported. An outcome that is not `finished` wants another
    /// step. A life whose lease did not run out, and one that never began, is left alone and reported as
    /// finished. `by` must hold a lease, as every writer; `limit` is at least 1.
    async fn reap(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError>;

    /// A page of what the store holds under a life: clients and memberships, so that a node can compare it with its
    /// own. One client may be spread over several items and pages; see [`HeldClient`]. Nothing of another life is
    /// among them, and nothing that ended before the page was asked for. What comes, goes or changes while the pages
    /// are read may be on one or missing, so whoever finds a difference looks again before acting on it.
    ///
    /// A read: it needs no lease. A life of which nothing is left, and one that never began, holds nothing: one
    /// empty page without a next.
    async fn held(&self, life: &Incarnation, page: &PageRequest) -> Result<Page<HeldClient>, StateError>;

    /// Every node that holds a lease, and those of which something is left, sorted by name, each once. A whole list: a
    /// cluster has no more nodes than a person can name.
    async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError>;

    /// Registers a client. Idempotent: a client that is registered already is replaced, keeps the
    /// memberships that it has under this life, and no membership that it had under another; those end
    /// without being reported to anybody.
    async fn connect(&self, life: &Incarnation, client: &NewClient) -> Result<(), StateError>;

    /// Removes a client and all its memberships; returns the rooms it was a member of, sorted.
    /// Idempotent: removes nothing, and returns nothing, when the client is not this life's.
    async fn disconnect(&self, life: &Incarnation, client: &ClientKey) -> Result<Vec<RoomKey>, StateError>;

    /// Puts clients and memberships back that are alive on this node, as they are given. Neither
    /// capacity nor closing is asked, because these members are in already; a room that is missing
    /// comes into being with the given life, as if by a join. What a client was a member of under another
    /// life and is not given ends as in [`connect`](Self::connect); what it joined under this life stays.
    /// Rooms of another namespace than the client's are passed over. Idempotent.
    async fn restore(&self, life: &Incarnation, clients: &[LiveClient]) -> Result<(), StateError>;

    /// Replaces the application's notes about a client.
    ///
    /// # Errors
    /// [`StateError::ClientNotFound`] when the client is not this life's.
    async fn set_client_metadata(
        &self,
        life: &Incarnation,
        client: &ClientKey,
        metadata: &Metadata,
    ) -> Result<(), StateError>;

    /// Notes when clients were last active. Clients that are not this life's are passed over, and so is a
    /// moment before the one that is noted already. Idempotent.
    async fn touch(&self, life: &Incarnation, seen: &[(ClientKey, Timestamp)]) -> Result<(), StateError>;

    /// One client with its rooms.
    async fn client(&self, client: &ClientKey) -> Result<Option<WebSocketClient>, StateError>;

    /// The node that holds a client's connection.
    async fn locate(&self, client: &ClientKey) -> Result<Option<NodeId>, StateError>;

    /// A page of the clients of a namespace.
    async fn clients(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<WebSocketClient>, StateError>;

    /// How many clients a namespace has.
    async fn client_count(&self, namespace: &Namespace) -> Result<u64, StateError>;

    /// A page of the clients of one user in a namespace, on whichever nodes they are.
    ///
    /// Who is listed is decided in the step that registers or removes a client: a user's clients are those of the
    /// namespace whose record names the user, no more and no fewer. One whose node is lost is listed until it is cleaned
    /// up, as everywhere. Of a user without clients nothing is kept.
    async fn user_clients(
        &self,
        namespace: &Namespace,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<WebSocketClient>, StateError>;

    /// How many clients one user has in a namespace.
    async fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> Result<u64, StateError>;

    /// Remembers that access was taken back, until `until` by the store's clock; one whose time is over already is not
    /// kept. Of one subject there is one revocation: the later `revoked_at` and the later `until` of all count.
    /// Idempotent.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StateError>;

    /// A page of the revocations that are in force by the store's clock.
    async fn revocations(&self, page: &PageRequest) -> Result<Page<Revocation>, StateError>;

    /// Makes a client a member of a room, which comes into being when it does not exist.
    ///
    /// In one step: the client must be this life's, the room open and not full, unless the client is a
    /// member already. Of N joins that race for C free places exactly min(N, C) succeed, and after a
    /// close returned none does. Idempotent.
    ///
    /// # Errors
    /// [`StateError::RoomClosed`] (asked first), [`StateError::RoomFull`], [`StateError::ClientNotFound`],
    /// [`StateError::OutOfMemory`].
    async fn join(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<JoinOutcome, StateError>;

    /// Ends a membership; false when there was none of this life's. However its last membership ends, a
    /// room ceases to exist with it, unless it was created by name or is closed. Idempotent.
    async fn leave(&self, life: &Incarnation, client: &ClientKey, room: &RoomKey) -> Result<bool, StateError>;

    /// Creates a room by name; it exists until it is deleted.
    ///
    /// # Errors
    /// [`StateError::RoomExists`] when there is one already, also one that came into being by a join.
    async fn create_room(&self, room: &RoomKey, new: &NewRoom) -> Result<WebSocketRoom, StateError>;

    /// Changes a room's settings. [`RoomChange::Close`] creates a room that does not exist, closed, so
    /// that nobody can join after it returned; that does not count as created by name.
    /// [`RoomChange::Open`] leaves a room without members there, until its next last member is gone.
    /// Idempotent.
    ///
    /// # Errors
    /// [`StateError::RoomNotFound`] for the other changes.
    async fn change_room(&self, room: &RoomKey, change: &RoomChange) -> Result<WebSocketRoom, StateError>;

    /// Deletes a room with all its memberships; none when it does not exist.
    async fn delete_room(&self, room: &RoomKey) -> Result<Option<DeletedRoom>, StateError>;

    /// One room with its members.
    async fn room(&self, room: &RoomKey) -> Result<Option<WebSocketRoom>, StateError>;

    /// A page of the rooms of a namespace.
    async fn rooms(&self, namespace: &Namespace, page: &PageRequest) -> Result<Page<RoomSummary>, StateError>;

    /// How many rooms a namespace has.
    async fn room_count(&self, namespace: &Namespace) -> Result<u64, StateError>;

    /// A page of the members of a room; empty when the room does not exist.
    async fn members(&self, room: &RoomKey, page: &PageRequest) -> Result<Page<MemberRecord>, StateError>;

    /// How many members a room has; zero when it does not exist.
    async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError>;
}
