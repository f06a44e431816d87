//! The façade: the operations of the service, one short method a use case.

mod acknowledgement;
mod authentication;
mod broadcast;
mod builder;
mod clients;
mod connection;
mod direct;
mod follow;
mod reload;
mod rooms;
mod shutdown;
mod users;

use std::{fmt, sync::Arc};

use roomwire_core::{
    ClientKey, Error, EventName, IntoPayload, Namespace, NodeId, OutboundEvent, RoomKey, ToRoom, WebSocketConfig,
};

pub use acknowledgement::RoomAnswers;
pub use builder::WebSocketServiceBuilder;
pub use connection::Handshake;

use crate::{Health, Readiness, RefusalLog, events::ServiceEvents, limits, local::NamespaceState, node::Node};

/// Rooms, clients and messages of one namespace.
///
/// A handle: cheap to clone, usable from handlers, HTTP endpoints and background tasks alike. All handles of one
/// [`builder`](Self::builder) share one state; [`namespace`](Self::namespace) returns the handle for another namespace
/// of the same service.
///
/// # Ordering
/// Messages of one task to one client or room arrive in the order of the calls. All members of a room that are
/// connected to one node see its messages in the same order.
///
/// # Deadlines
/// Calls of the store and of other nodes take no longer than `state.timeout`, including retries; then the result is
/// `STATE_UNAVAILABLE`, and the operation may or may not have been performed. A list that is read in pages has this
/// timeout for each page.
///
/// # Refusals
/// Each method that may fail with `STATE_UNAVAILABLE` fails with `STATE_REFUSED` if the store or the backplane is
/// reachable and refuses the operation: a permission is missing, or a key has another type than this service writes.
/// [`health`](Self::health) names the operation, and the log has the backend's own words.
///
/// # Cancellation
/// Methods that change memberships complete also if their future is dropped, so that store and node never disagree.
/// Dropping the future of any other method stops it.
///
/// # Example
/// ```
/// use roomwire_service::{WebSocketConfig, WebSocketService};
/// use roomwire_state_memory::MemoryState;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), roomwire_service::Error> {
/// let service = WebSocketService::builder(WebSocketConfig::default())
///     .state(MemoryState::new())
///     .build()
///     .await?;
/// service.broadcast_to_room("lobby", "announcement", &"Doors open").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WebSocketService {
    pub(crate) node: Arc<Node>,
    pub(crate) namespace: Arc<NamespaceState>,
}

impl WebSocketService {
    /// Begins to build a service.
    #[must_use]
    pub fn builder(config: WebSocketConfig) -> WebSocketServiceBuilder {
        WebSocketServiceBuilder::new(config)
    }

    /// The handle for another namespace of this service.
    ///
    /// # Errors
    /// `INVALID_NAME` when the name breaks the rules for namespaces.
    pub fn namespace(&self, namespace: &str) -> Result<Self, Error> {
        Ok(self.in_namespace(&Namespace::new(namespace)?))
    }

    /// The name of this handle's namespace.
    #[must_use]
    pub fn namespace_name(&self) -> &Namespace {
        self.namespace.name()
    }

    /// The configuration in force: the one that this service was built with, until another is
    /// [reloaded](Self::reload). The returned one never changes: call this again for the current values.
    #[must_use]
    pub fn config(&self) -> Arc<WebSocketConfig> {
        self.node.configuration.full()
    }

    /// The name of this node in the cluster.
    #[must_use]
    pub fn node_id(&self) -> &NodeId {
        &self.node.id
    }

    /// The events about clients and rooms from now on, in every namespace, as far as this node caused them.
    #[must_use]
    pub fn events(&self) -> ServiceEvents {
        self.node.events.read()
    }

    /// Whether this node can reach the shared state and the other nodes. Makes no call: it is the latest observation,
    /// at most one heartbeat old. [`ServiceEvent`](crate::ServiceEvent) reports each change.
    #[must_use]
    pub fn health(&self) -> Health {
        self.node.backend.health()
    }

    /// Whether this node should get new clients, for the readiness check of a load balancer. Makes no call.
    ///
    /// It is not ready while it drains or shuts down, and when the state or the other nodes have been out of reach for
    /// longer than `health.outageLimit`.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of(&self.node)
    }

    /// The name of the state backend, such as `memory` or `redis`.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        self.node.backend.store.name()
    }

    /// Whether clients are authenticated. Without an authenticator every client is accepted, as a guest.
    #[must_use]
    pub fn has_authenticator(&self) -> bool {
        self.node.auth_hooks.authenticator.is_some()
    }

    /// The log of refusals. For authors of servers: report the refusals of the server itself there.
    #[must_use]
    pub fn refusal_log(&self) -> &Arc<RefusalLog> {
        &self.node.refusals
    }

    /// Marks this service as mounted on a server. For authors of servers: the adapters do it when they mount a service,
    /// so that a service has one server.
    ///
    /// # Errors
    /// `INTERNAL` if it is mounted already.
    pub fn attach_server(&self) -> Result<(), Error> {
        self.node.lifecycle.attach_server()
    }

    pub(crate) fn in_namespace(&self, namespace: &Namespace) -> Self {
        Self { node: self.node.clone(), namespace: self.node.namespace(namespace) }
    }

    fn room_key(&self, room: impl ToRoom) -> Result<RoomKey, Error> {
        Ok(RoomKey::new(self.namespace_name().clone(), room.to_room()?))
    }

    /// An event with its arguments encoded, once.
    fn outbound(&self, event: &str, data: impl IntoPayload) -> Result<OutboundEvent, Error> {
        let (name, payload) = (EventName::new(event)?, data.into_payload()?);
        limits::attachments(&self.node.config().limits, &payload)?;
        Ok(OutboundEvent::new(name, payload))
    }

    fn client_key(&self, client: roomwire_core::ClientId) -> ClientKey {
        ClientKey::new(self.namespace_name().clone(), client)
    }
}

impl fmt::Debug for WebSocketService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketService")
            .field("node", &self.node.id)
            .field("namespace", self.namespace_name())
            .finish_non_exhaustive()
    }
}
