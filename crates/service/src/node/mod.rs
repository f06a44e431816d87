//! One node: the state that all handles of a service share.

mod confirm_ends;
mod delivery;
mod expiry;
mod fan_in;
mod incarnation;
mod lease;
mod pending_acks;
mod pending_writes;
mod re_register;
mod reconcile;
mod repair;
mod revocations;
mod twins;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use roomwire_core::{
    Authenticator, Backplane, Clock, Envelope, Error, ErrorCode, Incarnation, LogThrottle, Namespace, NodeId,
    NodeMessage, NodeProcess, RoomPolicy, StateStore, WebSocketConfig,
};
use tokio::sync::Notify;

use self::{expiry::Expiries, pending_writes::PendingWrites, revocations::Revocations, twins::Twins};
pub(crate) use self::{incarnation::CurrentIncarnation, pending_acks::PendingAcks, pending_writes::EndedClient};
use crate::{
    RefusalLog,
    backend::{Backend, Deadline},
    events::EventBus,
    local::NamespaceState,
};

/// The state of one process, shared by every handle of its service.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: Arc<WebSocketConfig>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) id: NodeId,
    /// Distinguishes this process from others with the same node id.
    pub(crate) process: NodeProcess,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) incarnation: CurrentIncarnation,
    pub(crate) events: EventBus,
    pub(crate) refusals: Arc<RefusalLog>,
    /// Identifies clients. Without one, all clients are anonymous.
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    /// Decides what clients may do.
    pub(crate) policy: Arc<dyn RoomPolicy>,
    pub(crate) expiries: Arc<Expiries>,
    revocations: Revocations,
    pub(crate) pending_acks: PendingAcks,
    pending_writes: PendingWrites,
    twins: Twins,
    /// Limits warnings about damaged client records.
    damage_log: Mutex<LogThrottle>,
    /// Requests a comparison of this node with the store now.
    compare_now: Arc<Notify>,
    /// The number of re-registrations of all clients, including one in progress.
    restorations: AtomicU64,
    /// Whether a server holds its connections.
    is_mounted: AtomicBool,
    namespaces: RwLock<BTreeMap<Namespace, Arc<NamespaceState>>>,
    /// Sessions that are being admitted, are connected, or still run a handler.
    sessions: AtomicUsize,
    shutting_down: AtomicBool,
    /// Set while clients of the current incarnation may be missing in the store.
    incomplete: AtomicBool,
    /// Whether the last attempt to re-register them failed, which was logged.
    restore_failed: AtomicBool,
    /// Incarnations with a lost lease, until everything that ended with them is reported.
    lost_incarnations: Mutex<Vec<Incarnation>>,
    /// Locked during their cleanup.
    cleaning_up: tokio::sync::Mutex<()>,
    /// The runtime for the work of clients. Sessions may be dropped by a thread outside of it.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// The application's hooks for clients: authentication and authorization.
#[derive(Debug)]
pub(crate) struct AuthHooks {
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
        auth_hooks: AuthHooks,
    ) -> Self {
        let incarnation = CurrentIncarnation::begin(id.clone());
        let config = Arc::new(config);
        let backend = Backend::new(config.clone(), store, backplane, clock.clone());
        Self {
            config,
            id,
            process: incarnation.current().process(),
            clock,
            incarnation,
            events: backend.events.clone(),
            refusals: backend.refusals.clone(),
            backend: Arc::new(backend),
            authenticator: auth_hooks.authenticator,
            policy: auth_hooks.policy,
            expiries: Arc::default(),
            revocations: Revocations::default(),
            pending_acks: PendingAcks::default(),
            pending_writes: PendingWrites::default(),
            twins: Twins::default(),
            damage_log: Mutex::default(),
            compare_now: Arc::default(),
            restorations: AtomicU64::new(0),
            is_mounted: AtomicBool::new(false),
            namespaces: RwLock::default(),
            sessions: AtomicUsize::new(0),
            shutting_down: AtomicBool::new(false),
            incomplete: AtomicBool::new(false),
            restore_failed: AtomicBool::new(false),
            lost_incarnations: Mutex::default(),
            cleaning_up: tokio::sync::Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
        }
    }

    /// Begins the lease, opens the backplane and starts the background work. Retries as `retryConfig` says if the
    /// backend is not available yet.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), Error> {
        self.backend.check_payload_limit()?;
        let until = Deadline::within(self.config.retry_config.timeout);
        // One attempt may have to connect first. No attempt uses the whole time: the next may reach another server.
        let one_try = || Deadline::within(self.config.state.connect_timeout + self.config.state.timeout);
        let incarnation = self.incarnation.current();
        let lasts = self.config.lease.duration;
        self.backend
            .retrying_at_start(until, || {
                self.backend.call(one_try(), self.backend.store.begin_lease(&incarnation, lasts))
            })
            .await?;
        let incoming = self
            .backend
            .retrying_at_start(until, || self.backend.call(one_try(), self.backend.backplane.open(&self.process)))
            .await?;
        fan_in::spawn(Arc::downgrade(self), incoming, self.backend.stop.clone());
        self.announce().await;
        // After the subscription to other nodes, before the first client is admitted.
        self.backend.retrying_at_start(until, || self.load_revocations()).await?;
        expiry::spawn(self, self.backend.stop.clone());
        lease::spawn(self, self.backend.stop.clone());
        reconcile::spawn(self, self.backend.stop.clone());
        Ok(())
    }

    /// The local state of a namespace, created at the first use.
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

    /// Marks the service as mounted on a server.
    pub(crate) fn attach_server(&self) -> Result<(), Error> {
        if self.is_mounted.swap(true, Ordering::Relaxed) {
            return Err(Error::internal("this service is mounted already; build a second one for a second server"));
        }
        Ok(())
    }

    /// Rejects work that must not begin during shutdown.
    pub(crate) fn check_running(&self) -> Result<(), Error> {
        if self.is_shutting_down() || !self.config.enabled { Err(ErrorCode::ShuttingDown.into()) } else { Ok(()) }
    }

    // Sequentially consistent, this flag and the number of sessions: a session is either counted before the flag is
    // set, or sees it.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::SeqCst)
    }

    /// Rejects new clients from now on. Returns false if it did so already.
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
        self.backend.stop.cancel();
        self.refusals.flush_all();
    }

    /// A message to other nodes, as bytes.
    pub(crate) fn envelope(&self, message: NodeMessage) -> Result<bytes::Bytes, Error> {
        let envelope = Envelope { from: self.incarnation.current(), message };
        envelope.encode().map_err(|error| match error {
            roomwire_core::EnvelopeError::TooLarge(_) => Error::new(ErrorCode::PayloadTooLarge).with_source(error),
            _ => Error::internal(error),
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.backend.stop.cancel();
    }
}
