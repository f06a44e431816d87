//! One node: what all handles of a service share.

mod deadline;
mod delivery;
mod expiry;
mod fan_in;
mod healing;
mod lease;
mod life;
mod mending;
mod questions;
mod reconcile;
mod retry;
mod revocations;
mod settlement;
mod vigilance;

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use roomwire_core::{
    Authenticator, Backplane, Clock, Envelope, Error, ErrorCode, Incarnation, LocalDelivery, Namespace, NodeId,
    NodeMessage, RoomPolicy, StateStore, WebSocketConfig,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{deadline::Deadline, life::Life, questions::Questions, settlement::Debt};
use self::{expiry::Expiries, revocations::Revocations, settlement::Settlement, vigilance::Vigilance};
use crate::{
    events::EventBus,
    membership::{NamespaceState, Pace},
};

/// What one process knows and holds, shared by every handle of its service.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: WebSocketConfig,
    pub(crate) id: NodeId,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) backplane: Arc<dyn Backplane>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) life: Life,
    pub(crate) events: EventBus,
    /// Who decides who clients are; nobody does when absent.
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    /// Who decides what clients may do.
    pub(crate) policy: Arc<dyn RoomPolicy>,
    pub(crate) expiries: Arc<Expiries>,
    revocations: Revocations,
    pub(crate) questions: Questions,
    /// How fast each client may join and leave.
    pub(crate) pace: Arc<Pace>,
    settlement: Settlement,
    vigilance: Vigilance,
    /// Asks for a heartbeat at once.
    beat_now: Arc<Notify>,
    /// Asks for a comparison of this node with the store at once.
    compare_now: Arc<Notify>,
    /// How often clients were put back all together, or began to be.
    restorations: AtomicU64,
    delivery: OnceLock<Arc<dyn LocalDelivery>>,
    namespaces: RwLock<HashMap<Namespace, Arc<NamespaceState>>>,
    /// Clients that are being admitted, or are here, or whose last handler has not returned yet.
    sessions: AtomicUsize,
    shutting_down: AtomicBool,
    /// Set while the store may not hold all clients of this node's present life.
    incomplete: AtomicBool,
    /// Whether the last attempt to put them back failed, which was logged.
    restore_failed: AtomicBool,
    /// Lives of this node that others took for lost, until all is reported that ended with them.
    lost_lives: Mutex<Vec<Incarnation>>,
    /// Where clients' work runs. Their sessions may be dropped by a thread that is not part of it.
    pub(crate) runtime: tokio::runtime::Handle,
    /// Ends the background tasks: cancelled when the service stops or its last handle is dropped.
    pub(crate) stop: CancellationToken,
}

/// Who decides what clients may do, and who they are.
#[derive(Debug)]
pub(crate) struct Gates {
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) policy: Arc<dyn RoomPolicy>,
}

impl Node {
    pub(crate) fn new(
        config: WebSocketConfig,
        id: NodeId,
        store: Arc<dyn StateStore>,
        backplane: Arc<dyn Backplane>,
        clock: Arc<dyn Clock>,
        gates: Gates,
    ) -> Self {
        let life = Life::begin(id.clone());
        let vigilance = Vigilance::begin(&*clock);
        let pace = Arc::new(Pace::new(&config.limits));
        Self {
            config,
            id,
            store,
            backplane,
            clock,
            life,
            events: EventBus::default(),
            authenticator: gates.authenticator,
            policy: gates.policy,
            expiries: Arc::default(),
            revocations: Revocations::default(),
            questions: Questions::default(),
            pace,
            settlement: Settlement::default(),
            vigilance,
            beat_now: Arc::default(),
            compare_now: Arc::default(),
            restorations: AtomicU64::new(0),
            delivery: OnceLock::new(),
            namespaces: RwLock::default(),
            sessions: AtomicUsize::new(0),
            shutting_down: AtomicBool::new(false),
            incomplete: AtomicBool::new(false),
            restore_failed: AtomicBool::new(false),
            lost_lives: Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
            stop: CancellationToken::new(),
        }
    }

    /// Begins the lease, opens the backplane and starts the background work. Waits for a backend that comes up later,
    /// as `retryConfig` says.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), Error> {
        let until = Deadline::within(self.config.retry_config.timeout);
        // One try may have to connect first. None takes all the time: the next may find another server.
        let one_try = || Deadline::within(self.config.state.connect_timeout + self.config.state.timeout);
        let life = self.life.current();
        let lasts = self.config.lease.duration;
        self.retrying(until, || self.call(one_try(), self.store.begin_lease(&life, lasts))).await?;
        let incoming = self.retrying(until, || self.call(one_try(), self.backplane.open(&self.id))).await?;
        fan_in::spawn(Arc::downgrade(self), incoming, self.stop.clone());
        // After the others are heard, and before anybody is admitted.
        self.retrying(until, || self.load_revocations()).await?;
        expiry::spawn(self, self.stop.clone());
        lease::spawn(self, self.stop.clone());
        reconcile::spawn(self, self.stop.clone());
        Ok(())
    }

    /// What this node knows about a namespace; made at the first use of its name.
    pub(crate) fn namespace(&self, namespace: &Namespace) -> Arc<NamespaceState> {
        if let Some(known) = self.namespaces.read().get(namespace) {
            return known.clone();
        }
        let mut namespaces = self.namespaces.write();
        namespaces.entry(namespace.clone()).or_insert_with(|| Arc::new(NamespaceState::new(namespace.clone()))).clone()
    }

    pub(crate) fn namespaces(&self) -> Vec<Arc<NamespaceState>> {
        self.namespaces.read().values().cloned().collect()
    }

    /// Connects the service to the server that holds its connections.
    pub(crate) fn attach(&self, delivery: Arc<dyn LocalDelivery>) -> Result<(), Error> {
        self.delivery
            .set(delivery)
            .map_err(|_| Error::internal("this service is mounted already; build a second one for a second server"))
    }

    /// Refuses work that must not begin any more.
    pub(crate) fn check_running(&self) -> Result<(), Error> {
        if self.is_shutting_down() || !self.config.enabled { Err(ErrorCode::ShuttingDown.into()) } else { Ok(()) }
    }

    // Sequentially consistent, this flag and the number of sessions: a session is either counted before the flag is
    // set, or sees it.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::SeqCst)
    }

    /// Refuses new clients from now on; false when that was said before.
    pub(crate) fn begin_shutdown(&self) -> bool {
        !self.shutting_down.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }

    pub(crate) fn session_begins(&self) {
        self.sessions.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn session_ends(&self) {
        self.sessions.fetch_sub(1, Ordering::SeqCst);
    }

    /// Ends the background work.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// A message to other nodes, as bytes.
    pub(crate) fn envelope(&self, message: NodeMessage) -> Result<bytes::Bytes, Error> {
        let envelope = Envelope { from: self.life.current(), message };
        envelope.encode().map_err(|error| match error {
            roomwire_core::EnvelopeError::TooLarge(_) => Error::new(ErrorCode::PayloadTooLarge).with_source(error),
            _ => Error::internal(error),
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
