//! Comparing this node with what the store holds of it, now and then and after everything that may have parted them.
//!
//! What the store is told and what this node remembers change one after the other, so most differences are no faults
//! but something on its way. A client is looked at only when nobody was changing its memberships from before the store
//! was read until now; one that comes or goes, not at all.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use roomwire_core::{ClientKey, Incarnation, PageRequest, Printable, RoomId, RoomKey, RoomUid, StateError};
use tokio::{
    sync::MutexGuard,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::{
    client::{Client, Membership},
    membership::NamespaceState,
};

/// Runs until the token is cancelled or the node is gone. A task of its own: it never delays the heartbeat.
pub(super) fn spawn(node: &Arc<Node>, stop: CancellationToken) {
    let (compare_now, every, soon) = (node.compare_now.clone(), node.config.lease.reconcile, node.look_again_after());
    let node = Arc::downgrade(node);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut doubts = Doubts::default();
        let mut is_settled = true;
        loop {
            // By chance, so that the nodes of a cluster do not ask all at once.
            let usual = every.mul_f64(rand::random_range(0.8..=1.2));
            let pause = if is_settled { usual } else { usual.min(soon) };
            // Whichever comes first.
            let _ = timeout(pause, compare_now.notified()).await;
            let Some(node) = node.upgrade() else { return };
            is_settled = node.reconcile(&mut doubts).await;
        }
    }));
}

/// Memberships that the store did not hold when it was looked at last.
type Doubts = HashMap<ClientKey, HashMap<RoomId, Doubt>>;

#[derive(Debug)]
struct Doubt {
    uid: RoomUid,
    since: Instant,
}

/// Under which circumstances the store was read. What was seen counts only as long as they are the same.
#[derive(Debug)]
pub(super) struct View {
    pub(super) life: Incarnation,
    restorations: u64,
    /// How many gaps the backplane had; none when it has one right now.
    pub(super) gaps: Option<u64>,
}

/// A client that takes part here, as it was before the store was read.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) namespace: Arc<NamespaceState>,
    pub(super) client: Client,
    turn: u64,
}

impl Settled {
    /// Keeps its memberships as they are; none when they may have changed since.
    pub(super) fn keep(&self) -> Option<MutexGuard<'_, u64>> {
        let turn = self.client.try_keep_membership()?;
        (*turn == self.turn && self.client.is_connected()).then_some(turn)
    }
}

/// What the store holds of one client.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) registered: bool,
    pub(super) rooms: HashSet<RoomKey>,
}

/// In what this node and the store differ.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Clients here that the store does not know.
    pub(super) lost: Vec<Settled>,
    /// Memberships of clients here that the store has not held for so long that nobody is about to say why.
    pub(super) missing: Vec<(Settled, Vec<Membership>)>,
    /// Memberships of clients here that only the store knows.
    pub(super) extra: Vec<(Settled, Vec<RoomKey>)>,
    /// Clients that only the store knows.
    pub(super) strangers: Vec<(ClientKey, Held)>,
}

impl Node {
    /// Compares once and mends what differs; false when it is to be done again soon.
    async fn reconcile(self: &Arc<Self>, doubts: &mut Doubts) -> bool {
        if self.is_shutting_down() {
            return true;
        }
        if self.is_incomplete() {
            // The heartbeat puts everybody back first.
            self.compare_soon();
            return true;
        }
        let view = self.view().await;
        let settled = self.settled_clients().await;
        let mended = match self.read_held(&view.life).await {
            Ok(held) => {
                let differences = self.compare(&view, settled, held, doubts).await;
                self.mend(&view, differences).await
            }
            Err(error) => Err(error),
        };
        match mended {
            Ok(is_current) => is_current && doubts.is_empty(),
            Err(error) => {
                tracing::debug!(target: "roomwire", error = %Printable(&error), "this node could not be compared with the store, trying again");
                if matches!(error, StateError::Fenced) {
                    self.beat_now.notify_one();
                }
                false
            }
        }
    }

    /// How long a membership may be missing from the store before that is taken for more than news on their way: as
    /// long as a node may be cut off without being taken for lost.
    pub(crate) fn look_again_after(&self) -> std::time::Duration {
        self.config.lease.duration
    }

    async fn view(&self) -> View {
        let health = self.health();
        // Waits for who puts clients back.
        let life = self.life.hold().await;
        let gaps = health.backplane.available.then(|| self.gaps());
        View { life: life.clone(), restorations: self.restorations(), gaps }
    }

    /// Whether what was seen still counts, for who holds this life.
    pub(super) fn is_current(&self, view: &View, life: &Incarnation) -> bool {
        *life == view.life
            && self.restorations() == view.restorations
            && !self.is_incomplete()
            && !self.is_shutting_down()
    }

    /// The clients here whose memberships nobody is changing.
    async fn settled_clients(&self) -> Vec<Settled> {
        let mut settled = Vec::new();
        for namespace in self.namespaces() {
            for client in namespace.clients() {
                let turn = client.try_keep_membership().map(|turn| *turn);
                if let Some(turn) = turn {
                    settled.push(Settled { namespace: namespace.clone(), client, turn });
                }
                tokio::task::coop::consume_budget().await;
            }
        }
        settled
    }

    /// All that the store holds under a life.
    async fn read_held(&self, life: &Incarnation) -> Result<HashMap<ClientKey, Held>, StateError> {
        let mut held: HashMap<ClientKey, Held> = HashMap::new();
        let mut page = PageRequest::first(PageRequest::MAX_LIMIT);
        loop {
            let read = self.bounded(self.store.held(life, &page)).await?;
            for item in read.items {
                let known = held.entry(item.key).or_default();
                known.registered |= item.registered;
                known.rooms.extend(item.rooms);
            }
            match read.next {
                Some(next) => page = PageRequest::after(next, PageRequest::MAX_LIMIT),
                None => return Ok(held),
            }
        }
    }

    async fn compare(
        &self,
        view: &View,
        settled: Vec<Settled>,
        mut held: HashMap<ClientKey, Held>,
        doubts: &mut Doubts,
    ) -> Differences {
        let mut differences = Differences::default();
        let mut before = std::mem::take(doubts);
        for here in settled {
            tokio::task::coop::consume_budget().await;
            let key = here.client.key();
            let (there, doubted) = (held.remove(key).unwrap_or_default(), before.remove(key).unwrap_or_default());
            let Some(turn) = here.keep() else {
                if !doubted.is_empty() {
                    doubts.insert(key.clone(), doubted);
                }
                continue;
            };
            let (missing, extra) = difference(view, &here.client, &there.rooms);
            drop(turn);
            if !extra.is_empty() {
                differences.extra.push((here.clone(), extra));
            }
            if !there.registered {
                differences.lost.push(here);
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
        // Clients that are here and were busy are among them; they are told apart when it comes to mending.
        differences.strangers.extend(held);
        differences
    }

    /// Which memberships the store has not held for long; and what is remembered of all that it does not hold.
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
            // Also what is mended now, until it is seen to be.
            doubtful.insert(membership.room, doubt);
        }
        (certain, doubtful)
    }
}

/// What is known here of a client and not there, and there and not here. What is known on both sides was not deleted
/// in any gap before.
fn difference(view: &View, client: &Client, there: &HashSet<RoomKey>) -> (Vec<Membership>, Vec<RoomKey>) {
    let mut known = client.known();
    let mut missing = Vec::new();
    for membership in &mut known.rooms {
        if !there.contains(&client.room_key(&membership.room)) {
            missing.push(membership.clone());
        } else if let Some(gaps) = view.gaps {
            membership.gaps = membership.gaps.max(gaps);
        }
    }
    let extra = there.iter().filter(|room| !known.is_in(&room.room)).cloned();
    (missing, extra.collect())
}
