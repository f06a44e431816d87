//! Writes that wait for the store or the other nodes: ends of memberships and clients, and deletions of rooms.
//!
//! Every end passes through here, also while the store is available. It is reported when the store has confirmed it and
//! no other node reports it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use roomwire_core::{
    ClientKey, DeletionId, DisconnectReason, Escaped, Incarnation, LeaveReason, RoomKey, RoomUid, StateError,
};

use super::Node;
use crate::local::{Client, Membership, WaitingDeletion};

/// The number of writes that are retried concurrently.
const AT_ONCE: usize = 16;

/// The number of failed joins and connects that may wait. The comparison of node and store repairs any beyond it.
const UNREPORTED: usize = 4096;

/// A membership that ended on this node.
#[derive(Clone, Debug)]
pub(super) struct EndedMembership {
    pub(super) room: RoomKey,
    /// `None` if no `Joined` needs a `Left`.
    pub(super) report: Option<LeftReport>,
}

/// Identifies the membership and says why it ended.
#[derive(Clone, Debug)]
pub(super) struct LeftReport {
    pub(super) uid: RoomUid,
    /// The incarnation of the membership in the store.
    pub(super) incarnation: Incarnation,
    pub(super) reason: LeaveReason,
    /// As [`Membership::is_in_doubt`].
    pub(super) is_in_doubt: bool,
}

/// A client that disconnected from this node.
#[derive(Clone, Debug)]
pub(crate) struct EndedClient {
    /// The incarnation of the client in the store.
    pub(crate) incarnation: Incarnation,
    pub(crate) reason: DisconnectReason,
    /// Whether its `ClientConnected` needs a `ClientDisconnected`.
    pub(crate) is_reported: bool,
}

/// The unconfirmed ends of one client.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientEnds {
    /// In the order of the ends.
    pub(super) left: Vec<EndedMembership>,
    pub(super) gone: Option<EndedClient>,
}

impl ClientEnds {
    fn is_empty(&self) -> bool {
        self.left.is_empty() && self.gone.is_none()
    }

    fn unreported(&self) -> usize {
        let left = self.left.iter().filter(|end| end.report.is_none()).count();
        left + usize::from(self.gone.as_ref().is_some_and(|gone| !gone.is_reported))
    }
}

/// One client with unconfirmed ends.
#[derive(Debug, Default)]
pub(super) struct PendingClient {
    pub(super) ends: Mutex<ClientEnds>,
    /// Locked during a request to the store: each answer belongs to one caller.
    pub(super) confirming: tokio::sync::Mutex<()>,
    /// Whether the heartbeat retries it.
    is_queued: AtomicBool,
}

/// A write that the heartbeat retries.
#[derive(Clone, Debug)]
enum Retry {
    /// The ends of a client.
    Client(ClientKey, Arc<PendingClient>),
    /// The metadata of a client.
    Metadata(Client),
    /// The store may have deleted a room.
    UnresolvedDeletion(RoomKey, DeletionId, Arc<WaitingDeletion>),
    /// This incarnation of the room was deleted, and the other nodes do not know yet.
    Deletion(RoomKey, RoomUid),
}

/// The result of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Later,
    Unanswered,
}

/// The unconfirmed writes of this node.
#[derive(Debug, Default)]
pub(super) struct PendingWrites {
    clients: Mutex<HashMap<ClientKey, Arc<PendingClient>>>,
    unreported: AtomicUsize,
    /// Oldest first.
    retries: Mutex<VecDeque<Retry>>,
    /// Locked during a flush.
    retrying: tokio::sync::Mutex<()>,
}

impl PendingWrites {
    pub(super) fn of(&self, client: &ClientKey) -> Option<Arc<PendingClient>> {
        self.clients.lock().get(client).cloned()
    }

    fn add(&self, client: &ClientKey, change: impl FnOnce(&mut ClientEnds)) {
        let mut clients = self.clients.lock();
        let pending = clients.entry(client.clone()).or_default();
        let mut ends = pending.ends.lock();
        let before = ends.unreported();
        change(&mut ends);
        self.unreported.fetch_add(ends.unreported().saturating_sub(before), Ordering::AcqRel);
    }

    /// Removes ends that are confirmed.
    pub(super) fn remove(&self, client: &ClientKey, pending: &PendingClient, change: impl FnOnce(&mut ClientEnds)) {
        let mut clients = self.clients.lock();
        let mut ends = pending.ends.lock();
        let before = ends.unreported();
        change(&mut ends);
        self.unreported.fetch_sub(before.saturating_sub(ends.unreported()), Ordering::AcqRel);
        // The client that now uses this id is another one.
        if ends.is_empty() && clients.get(client).is_some_and(|known| std::ptr::eq(&**known, pending)) {
            clients.remove(client);
        }
    }

    /// Removes the confirmed end of a membership. Returns false if it was removed before.
    pub(super) fn remove_left(&self, client: &ClientKey, pending: &PendingClient, room: &RoomKey) -> bool {
        let mut was_pending = false;
        self.remove(client, pending, |ends| {
            let count = ends.left.len();
            ends.left.retain(|left| left.room != *room);
            was_pending = ends.left.len() < count;
        });
        was_pending
    }

    fn first(&self, count: usize) -> Vec<Retry> {
        self.retries.lock().iter().take(count).cloned().collect()
    }

    /// Removes the first writes, which were tried, and re-queues those that are unfinished.
    fn tried(&self, first: Vec<Retry>, outcomes: &[Outcome]) {
        drop(self.retries.lock().drain(..first.len()));
        for (retry, outcome) in first.into_iter().zip(outcomes) {
            match retry {
                Retry::Client(client, pending) => {
                    pending.is_queued.store(false, Ordering::Release);
                    self.retry_later(&client, &pending);
                }
                other if *outcome != Outcome::Done => self.retries.lock().push_back(other),
                _ => {}
            }
        }
    }

    /// Queues a write for the next heartbeat.
    pub(super) fn retry_later(&self, client: &ClientKey, pending: &Arc<PendingClient>) {
        if !pending.ends.lock().is_empty() && !pending.is_queued.swap(true, Ordering::AcqRel) {
            self.retries.lock().push_back(Retry::Client(client.clone(), pending.clone()));
        }
    }
}

impl Node {
    /// Queues the end of a membership that the store had under this incarnation. Call [`Self::confirm_ends`] next.
    pub(crate) fn end_membership(
        &self,
        client: &ClientKey,
        membership: &Membership,
        incarnation: &Incarnation,
        reason: LeaveReason,
    ) {
        let end = ended(client, membership, incarnation, reason);
        self.pending_writes.add(client, |ends| ends.left.push(end));
    }

    /// Queues the end of a client and of the memberships that end with it. Call [`Self::confirm_ends`] next.
    pub(crate) fn end_client(&self, client: &ClientKey, end: EndedClient, memberships: &[Membership]) {
        let reason = LeaveReason::Disconnected(end.reason);
        let left = memberships.iter().map(|membership| ended(client, membership, &end.incarnation, reason));
        let left = Vec::from_iter(left);
        self.pending_writes.add(client, |ends| {
            ends.left.extend(left);
            ends.gone = Some(end);
        });
    }

    /// Queues the end of a membership that a failed join may have begun.
    pub(crate) fn end_failed_join(&self, client: &ClientKey, room: &RoomKey) {
        self.end_unconfirmed(client, |ends| {
            if ends.left.iter().all(|end| end.room != *room) {
                ends.left.push(EndedMembership { room: room.clone(), report: None });
            }
        });
    }

    /// Queues the removal of a client that a failed registration may have stored.
    pub(crate) fn end_failed_connect(&self, client: &ClientKey) {
        let reason = DisconnectReason::ConnectionLost;
        let incarnation = self.incarnation.current();
        self.end_unconfirmed(client, |ends| {
            let end = EndedClient { incarnation, reason, is_reported: false };
            ends.gone.get_or_insert(end);
        });
    }

    fn end_unconfirmed(&self, client: &ClientKey, change: impl FnOnce(&mut ClientEnds)) {
        if self.pending_writes.unreported.load(Ordering::Acquire) >= UNREPORTED {
            self.backend.compare_soon();
            return;
        }
        self.pending_writes.add(client, change);
        if let Some(pending) = self.pending_writes.of(client) {
            self.pending_writes.retry_later(client, &pending);
        }
    }

    /// Whether the end of this membership is unconfirmed.
    pub(crate) fn is_ending(&self, client: &ClientKey, room: &RoomKey) -> bool {
        let pending = self.pending_writes.of(client);
        pending.is_some_and(|pending| pending.ends.lock().left.iter().any(|end| end.room == *room))
    }

    /// Queues a message to the other nodes that this incarnation of the room was deleted.
    pub(crate) fn announce_deletion_later(&self, room: RoomKey, uid: RoomUid) {
        self.pending_writes.retries.lock().push_back(Retry::Deletion(room, uid));
    }

    /// Queues a request to the store for the outcome of a deletion.
    pub(crate) fn resolve_deletion_later(&self, room: RoomKey, deletion: DeletionId, waiting: WaitingDeletion) {
        self.pending_writes.retries.lock().push_back(Retry::UnresolvedDeletion(room, deletion, Arc::new(waiting)));
    }

    /// Queues a write of a client's metadata.
    pub(crate) fn write_metadata_later(&self, client: Client) {
        self.pending_writes.retries.lock().push_back(Retry::Metadata(client));
    }

    /// The number of clients and other changes that are queued.
    pub(super) fn pending_writes(&self) -> usize {
        self.pending_writes.retries.lock().len()
    }

    /// Retries everything that is queued now, in batches, until a batch gets no answer at all.
    pub(crate) async fn retry_pending_writes(self: &Arc<Self>) {
        let _retrying = self.pending_writes.retrying.lock().await;
        let mut waiting = self.pending_writes.retries.lock().len();
        while waiting > 0 {
            // They stay at the front until they were tried, also if this future is dropped.
            let batch = self.pending_writes.first(waiting.min(AT_ONCE));
            waiting -= batch.len();
            let outcomes = join_all(batch.iter().map(|retry| self.write_again(retry))).await;
            let is_away = outcomes.iter().all(|outcome| *outcome == Outcome::Unanswered);
            self.pending_writes.tried(batch, &outcomes);
            // If only a part of the store is unavailable, the others proceed.
            if is_away {
                return;
            }
        }
    }

    /// Retries until the queue is empty, for a node that shuts down. What is left at the end is lost.
    pub(crate) async fn finish_pending_writes(self: &Arc<Self>) {
        let finish = || async {
            self.retry_pending_writes().await;
            let is_done = self.pending_writes.retries.lock().is_empty();
            if is_done { Ok(()) } else { Err(StateError::unavailable("ends wait for the store")) }
        };
        if let Err(error) = self.backend.retrying(self.backend.deadline(), finish).await {
            tracing::debug!(target: "roomwire", error = %Escaped(&error), "not all ends were confirmed before the node stopped");
        }
    }

    async fn write_again(self: &Arc<Self>, retry: &Retry) -> Outcome {
        let (client, pending) = match retry {
            Retry::Client(client, pending) => (client, pending),
            Retry::Metadata(client) => return self.answered(self.write_metadata_again(client).await),
            Retry::UnresolvedDeletion(room, deletion, waiting) => {
                return self.answered(self.resolve_deletion(room, *deletion, waiting).await);
            }
            Retry::Deletion(room, uid) => {
                let announced = self.announce_deletion(room, *uid).await;
                // The store may have done it nevertheless.
                return if announced.is_ok() { Outcome::Done } else { Outcome::Later };
            }
        };
        let is_gone = pending.ends.lock().gone.is_some();
        let namespace = self.namespace(&client.namespace);
        let claim = if is_gone { namespace.client_ids.claim_absent(&client.client) } else { None };
        if is_gone && claim.is_none() {
            // Must not affect a client that connects with the same id now.
            return Outcome::Later;
        }
        self.answered(self.confirm_ends(client, self.backend.deadline()).await)
    }

    fn answered<T>(&self, answer: Result<T, StateError>) -> Outcome {
        match answer {
            Ok(_) => Outcome::Done,
            Err(error) => {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "state is still behind");
                Outcome::Unanswered
            }
        }
    }
}

fn ended(
    client: &ClientKey,
    membership: &Membership,
    incarnation: &Incarnation,
    reason: LeaveReason,
) -> EndedMembership {
    let (uid, is_in_doubt) = (membership.uid, membership.is_in_doubt);
    let report = LeftReport { uid, incarnation: incarnation.clone(), reason, is_in_doubt };
    EndedMembership {
        room: RoomKey::new(client.namespace.clone(), membership.room.clone()),
        report: membership.told.then_some(report),
    }
}
