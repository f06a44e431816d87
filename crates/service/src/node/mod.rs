//! One node: the state that all handles of a service share.

mod client_metadata;
mod configuration;
mod confirm_ends;
mod delete_room;
mod delivery;
mod expiry;
mod fan_in;
mod idle;
mod incarnation;
mod lease;
mod lifecycle;
mod pending_acks;
mod pending_writes;
mod re_register;
mod reconcile;
mod repair;
mod revocations;
mod traces;
mod twins;

use std::sync::Arc;

use arc_swap::Guard;
use parking_lot::Mutex;
use roomwire_core::{
    Authenticator, Backplane, Clock, Envelope, Error, ErrorCode, LogThrottle, Namespace, NodeId, NodeMessage,
    NodeProcess, RoomPolicy, StateStore, WebSocketConfig,
};
use tokio::sync::Notify;

use self::{
    configuration::Configuration, expiry::Expiries, idle::IdleCheck, lifecycle::Lifecycle,
    pending_writes::PendingWrites, re_register::ReRegistration, revocations::Revocations, twins::Twins,
};
pub(crate) use self::{incarnation::CurrentIncarnation, pending_acks::PendingAcks, pending_writes::EndedClient};
use crate::{
    RefusalLog, TraceContext,
    backend::{Backend, Deadline},
    events::EventBus,
    follow::Followers,
    local::{NamespaceState, Namespaces},
    metrics::Metrics,
};

/// The state of one process, shared by every handle of its service.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) configuration: Configuration,
    pub(crate) backend: Arc<Backend>,
    pub(crate) id: NodeId,
    /// Distinguishes this process from others with the same node id.
    pub(crate) process: NodeProcess,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) incarnation: CurrentIncarnation,
    pub(crate) events: EventBus,
    pub(crate) followers: Arc<Followers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) auth_hooks: AuthHooks,
    trace_context: Option<Arc<dyn TraceContext>>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) expiries: Arc<Expiries>,
    idle_check: IdleCheck,
    revocations: Revocations,
    pub(crate) pending_acks: PendingAcks,
    pending_writes: PendingWrites,
    twins: Twins,
    /// Limits warnings about damaged client records.
    damage_log: Mutex<LogThrottle>,
    /// Requests a comparison of this node with the store now.
    compare_now: Arc<Notify>,
    re_registration: ReRegistration,
    namespaces: Namespaces,
    /// The runtime for the work of clients. Sessions may be dropped by a thread outside of it.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// The application's hooks for clients: authentication and authorization.
#[derive(Debug)]
pub(crate) struct AuthHooks {
    /// Identifies clients. Without one, all clients are anonymous.
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    /// Decides what clients may do.
    pub(crate) policy: Arc<dyn RoomPolicy>,
}

impl Node {
    pub(crate) fn new(
        config: WebSocketConfig,
        id: NodeId,
        (store, backplane): (Arc<dyn StateStore>, Arc<dyn Backplane>),
        clock: Arc<dyn Clock>,
        auth_hooks: AuthHooks,
        trace_context: Option<Arc<dyn TraceContext>>,
    ) -> Self {
        let incarnation = CurrentIncarnation::begin(id.clone());
        let (lifecycle, config) = (Lifecycle::new(config.enabled), Arc::new(config));
        let backend = Backend::new(config.clone(), store, backplane, clock.clone());
        Self {
            configuration: Configuration::new(config),
            id,
            process: incarnation.current().process(),
            clock,
            incarnation,
            events: backend.events.clone(),
            followers: backend.followers.clone(),
            metrics: backend.metrics.clone(),
            refusals: backend.refusals.clone(),
            auth_hooks,
            trace_context,
            lifecycle,
            expiries: Arc::default(),
            idle_check: IdleCheck::default(),
            revocations: Revocations::default(),
            pending_acks: PendingAcks::default(),
            pending_writes: PendingWrites::default(),
            twins: Twins::default(),
            damage_log: Mutex::default(),
            compare_now: Arc::default(),
            re_registration: ReRegistration::default(),
            namespaces: Namespaces::new(backend.metrics.clone()),
            runtime: tokio::runtime::Handle::current(),
            backend: Arc::new(backend),
        }
    }

    /// Begins the lease, opens the backplane and starts the background work. Retries as `retryConfig` says if the
    /// backend is not available yet.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), Error> {
        self.backend.check_payload_limit(self.config().limits.payload)?;
        let until = Deadline::within(self.started().retry_config.timeout);
        // One attempt may have to connect first. No attempt uses the whole time: the next may reach another server.
        let one_try = || Deadline::within(self.started().state.connect_timeout + self.started().state.timeout);
        let incarnation = self.incarnation.current();
        let lasts = self.started().lease.duration;
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

    /// The configuration in force.
    pub(crate) fn config(&self) -> Guard<Arc<WebSocketConfig>> {
        self.configuration.load()
    }

    /// For the keys that need a restart.
    pub(crate) fn started(&self) -> &WebSocketConfig {
        &self.configuration.started
    }

    /// The local state of a namespace, created at the first use.
    pub(crate) fn namespace(&self, namespace: &Namespace) -> Arc<NamespaceState> {
        self.namespaces.get(namespace)
    }

    pub(crate) fn namespaces(&self) -> Vec<Arc<NamespaceState>> {
        self.namespaces.all()
    }

    /// Ends the background work.
    pub(crate) fn stop(&self) {
        self.backend.stop.cancel();
        self.followers.end();
        self.refusals.flush_all();
    }

    /// A message to other nodes, as bytes.
    pub(crate) fn envelope(&self, message: NodeMessage) -> Result<bytes::Bytes, Error> {
        let (from, trace) = (self.incarnation.current(), self.current_trace());
        let envelope = Envelope { from, sent_at: self.clock.now(), trace, message };
        envelope.encode().map_err(|error| match error {
            roomwire_core::EnvelopeError::TooLarge(_) => Error::new(ErrorCode::PayloadTooLarge).with_source(error),
            _ => Error::internal(error),
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.backend.stop.cancel();
        self.followers.end();
    }
}
