//! Periodic comparison of this node with its entries in the store, also after every event that may have separated them.
//!
//! Store and memory change one after the other, so most differences are changes in flight. A client is compared only if
//! its memberships did not change since before the store was read. One that is connecting or disconnecting is skipped.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use roomwire_core::{
    ClientKey, Escaped, Incarnation, PageRequest, RoomId, RoomKey, RoomUid, StateError, StoredClient, UserId,
};
use tokio::{
    sync::MutexGuard,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::local::{Client, Membership, NamespaceState};

/// Runs until the token is cancelled or the node is dropped, in its own task so that it never delays the heartbeat.
pub(super) fn spawn(node: &Arc<Node>, stop: CancellationToken) {
    let (compare_now, every, soon) =
        (node.compare_now.clone(), node.started().lease.reconcile, node.look_again_after());
    let node = Arc::downgrade(node);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut doubts = Doubts::default();
        let mut is_reconciled = true;
        loop {
            // With jitter, so that the nodes of a cluster do not compare simultaneously.
            let usual = every.mul_f64(rand::random_range(0.8..=1.2));
            let pause = if is_reconciled { usual } else { usual.min(soon) };
            // At once after a request.
            let _ = timeout(pause, compare_now.notified()).await;
            let Some(node) = node.upgrade() else { return };
            is_reconciled = node.reconcile(&mut doubts).await;
        }
    }));
}

/// Memberships that were missing in the store at the last comparison.
type Doubts = HashMap<ClientKey, HashMap<RoomId, Doubt>>;

#[derive(Debug)]
struct Doubt {
    uid: RoomUid,
    since: Instant,
}

/// The circumstances under which the store was read. The result counts only while they are the same.
#[derive(Debug)]
pub(super) struct View {
    pub(super) incarnation: Incarnation,
    restorations: u64,
    /// The number of gaps of the backplane. None during a gap.
    pub(super) gaps: Option<u64>,
}

/// A local client, as it was before the store was read.
#[derive(Clone, Debug)]
pub(super) struct ClientSnapshot {
    pub(super) namespace: Arc<NamespaceState>,
    pub(super) client: Client,
    turn: u64,
}

impl ClientSnapshot {
    /// Locks its memberships. None if they may have changed since.
    pub(super) fn lock_unchanged(&self) -> Option<MutexGuard<'_, u64>> {
        let turn = self.client.try_keep_membership()?;
        (*turn == self.turn && self.client.is_connected()).then_some(turn)
    }
}

/// The entries of one client in the store.
#[derive(Debug, Default)]
pub(super) struct StoredEntries {
    pub(super) registered: bool,
    user: Option<UserId>,
    /// The rooms that list it as a member.
    pub(super) rooms: BTreeSet<RoomKey>,
    /// The rooms in its own record.
    named: BTreeSet<RoomKey>,
    is_damaged: bool,
}

impl StoredEntries {
    fn add(&mut self, item: StoredClient) {
        self.registered |= item.registered;
        self.is_damaged |= item.is_damaged;
        self.user = self.user.take().or(item.user);
        self.rooms.extend(item.rooms);
        self.named.extend(item.named);
    }

    /// Whether parts of the client's entries are missing. A membership without any entry does not count: it may have
    /// ended.
    fn is_damaged(&self, client: &Client) -> bool {
        let is_unnamed = |membership: &Membership| {
            let room = client.room_key(&membership.room);
            self.rooms.contains(&room) && !self.named.contains(&room)
        };
        self.registered
            && (self.is_damaged || self.user.as_ref() != client.user() || client.known().rooms.iter().any(is_unnamed))
    }
}

/// The differences between this node and the store.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Local clients that are missing in the store.
    pub(super) lost: Vec<ClientSnapshot>,
    /// Local clients with a missing or unreadable part in the store.
    pub(super) damaged: Vec<ClientSnapshot>,
    /// Memberships of local clients that have been missing in the store for too long to be explained by a message in
    /// flight.
    pub(super) missing: Vec<(ClientSnapshot, Vec<Membership>)>,
    /// Memberships of local clients that only the store has.
    pub(super) extra: Vec<(ClientSnapshot, Vec<RoomKey>)>,
    /// Clients that only the store has.
    pub(super) strangers: Vec<(ClientKey, StoredEntries)>,
}

impl Node {
    /// Compares once and repairs differences. Returns false if it should run again soon.
    async fn reconcile(self: &Arc<Self>, doubts: &mut Doubts) -> bool {
        if self.lifecycle.is_shutting_down() {
            return true;
        }
        if self.is_incomplete() {
            // The heartbeat re-registers all clients first.
            self.backend.compare_soon();
            return true;
        }
        self.repair_store().await;
        self.backend.compare_revocations_soon();
        let view = self.view().await;
        let snapshots = self.snapshot_clients().await;
        let repaired = match self.read_stored(&view.incarnation).await {
            Ok(stored) => {
                let differences = self.compare(&view, snapshots, stored, doubts).await;
                self.repair(&view, differences).await
            }
            Err(error) => Err(error),
        };
        match repaired {
            Ok(is_current) => is_current && doubts.is_empty(),
            Err(error) => {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "this node could not be compared with the store, trying again");
                if matches!(error, StateError::Fenced) {
                    self.backend.beat_now.notify_one();
                }
                false
            }
        }
    }

    /// Makes the store check its data for damage, and reports the memberships that ended because of it. Takes time in
    /// proportion to the amount of data.
    async fn repair_store(&self) {
        let (incarnation, lease) = (self.incarnation.current(), self.started().lease.duration);
        let namespaces = Vec::from_iter(self.namespaces().iter().map(|namespace| namespace.name().clone()));
        // One node at a time does the check, in less than the interval of any of them.
        let every = self.started().lease.reconcile.mul_f64(0.75);
        match self.backend.store.repair(&incarnation, lease, every, &namespaces).await {
            Ok(removed) => {
                removed.departures.into_iter().for_each(|departure| self.report_departure(departure));
                removed.clients.into_iter().for_each(|client| self.report_lost(client));
            }
            Err(error) => {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "the store could not be repaired, trying again");
                if let StateError::Refused(refusal) = &error {
                    self.backend.note_refusal(refusal);
                }
            }
        }
    }

    /// How long a membership may be missing in the store before it is more than a message in flight: as long as a node
    /// may be cut off without losing its lease.
    pub(crate) fn look_again_after(&self) -> std::time::Duration {
        self.started().lease.duration
    }

    async fn view(&self) -> View {
        let health = self.backend.health();
        // Waits for a re-registration.
        let incarnation = self.incarnation.lock().await;
        let gaps = health.backplane.available.then(|| self.backend.gaps());
        View { incarnation: incarnation.clone(), restorations: self.restorations(), gaps }
    }

    /// Whether the view is current, for a caller that has locked this incarnation.
    pub(super) fn is_current(&self, view: &View, incarnation: &Incarnation) -> bool {
        *incarnation == view.incarnation
            && self.restorations() == view.restorations
            && !self.is_incomplete()
            && !self.lifecycle.is_shutting_down()
    }

    /// The local clients without a change of memberships in progress.
    async fn snapshot_clients(&self) -> Vec<ClientSnapshot> {
        let mut snapshots = Vec::new();
        for namespace in self.namespaces() {
            for client in namespace.clients() {
                let turn = client.try_keep_membership().map(|turn| *turn);
                if let Some(turn) = turn {
                    snapshots.push(ClientSnapshot { namespace: namespace.clone(), client, turn });
                }
                tokio::task::coop::consume_budget().await;
            }
        }
        snapshots
    }

    /// Everything the store has under an incarnation.
    async fn read_stored(&self, incarnation: &Incarnation) -> Result<BTreeMap<ClientKey, StoredEntries>, StateError> {
        let mut stored: BTreeMap<ClientKey, StoredEntries> = BTreeMap::new();
        let mut page = PageRequest::first(PageRequest::MAX_LIMIT);
        loop {
            let read = self.backend.bounded(self.backend.store.stored_clients(incarnation, &page)).await?;
            for item in read.items {
                stored.entry(item.key.clone()).or_default().add(item);
            }
            match read.next {
                Some(next) => page = PageRequest::after(next, PageRequest::MAX_LIMIT),
                None => return Ok(stored),
            }
        }
    }

    async fn compare(
        &self,
        view: &View,
        snapshots: Vec<ClientSnapshot>,
        mut stored: BTreeMap<ClientKey, StoredEntries>,
        doubts: &mut Doubts,
    ) -> Differences {
        let mut differences = Differences::default();
        let mut before = std::mem::take(doubts);
        for here in snapshots {
            tokio::task::coop::consume_budget().await;
            let key = here.client.key();
            let (there, doubted) = (stored.remove(key).unwrap_or_default(), before.remove(key).unwrap_or_default());
            let Some(turn) = here.lock_unchanged() else {
                if !doubted.is_empty() {
                    doubts.insert(key.clone(), doubted);
                }
                continue;
            };
            let (missing, extra) = difference(view, &here.client, &there);
            let is_damaged = there.is_damaged(&here.client);
            drop(turn);
            if !extra.is_empty() {
                differences.extra.push((here.clone(), extra));
            }
            if !there.registered || is_damaged {
                let list = if is_damaged { &mut differences.damaged } else { &mut differences.lost };
                list.push(here);
                continue;
            }
            let (certain, doubtful) = self.doubt(missing, doubted);
            if !doubtful.is_empty() {
                doubts.insert(here.client.key().clone(), doubtful);
            }
            if !certain.is_empty() {
                differences.missing.push((here, certain));
            }
        }
        // They include clients that are connected here and were busy; the repair distinguishes them.
        differences.strangers.extend(stored);
        differences
    }

    /// The memberships that have been missing in the store for too long, and all that are missing now.
    fn doubt(
        &self,
        missing: Vec<Membership>,
        mut before: HashMap<RoomId, Doubt>,
    ) -> (Vec<Membership>, HashMap<RoomId, Doubt>) {
        let (mut certain, mut doubtful) = (Vec::new(), HashMap::new());
        for membership in missing {
            let known = before.remove(&membership.room).filter(|doubt| doubt.uid == membership.uid);
            let doubt = known.unwrap_or_else(|| Doubt { uid: membership.uid, since: Instant::now() });
            if doubt.since.elapsed() >= self.look_again_after() {
                certain.push(membership.clone());
            }
            // Includes what is being repaired, until a comparison confirms the repair.
            doubtful.insert(membership.room, doubt);
        }
        (certain, doubtful)
    }
}

/// The differences of one client in both directions. Memberships known on both sides were not deleted in any earlier
/// gap.
fn difference(view: &View, client: &Client, there: &StoredEntries) -> (Vec<Membership>, Vec<RoomKey>) {
    let mut known = client.known();
    let mut missing = Vec::new();
    for membership in &mut known.rooms {
        if !there.rooms.contains(&client.room_key(&membership.room)) {
            missing.push(membership.clone());
        } else if let Some(gaps) = view.gaps {
            membership.gaps = membership.gaps.max(gaps);
        }
    }
    let extra = there.rooms.union(&there.named).filter(|room| !known.is_in(&room.room)).cloned();
    (missing, extra.collect())
}
