//! Connecting and disconnecting clients.

use std::{fmt, net::IpAddr, sync::Arc};

use http::HeaderMap;
use roomwire_core::{
    ClientId, ClientTransport, DisconnectReason, Error, Identity, Metadata, NewClient, Payload, RoomId,
};

use super::WebSocketService;
use crate::{Client, limits, local::ClientInit, task};

/// What is known about a client when it connects.
#[derive(Clone)]
pub struct Handshake {
    /// The client's `socket.id`. Unique within its namespace, across the cluster. May be used again for the next
    /// connection of the same client on the same node, which begins when the former has ended.
    pub client: ClientId,
    /// The handshake's auth payload (`auth` in JavaScript).
    pub auth: Payload,
    /// The headers of the request that opened its connection.
    pub headers: HeaderMap,
    /// The query of that request, without `?`.
    pub query: String,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The origin of its page, if the browser sent one.
    pub origin: Option<String>,
    /// The identity, if the creator of the handshake established it. Otherwise the service's authenticator is called.
    pub identity: Option<Identity>,
    /// The client's initial metadata.
    pub metadata: Metadata,
}

impl Handshake {
    /// A handshake of an unknown user without an auth payload.
    #[must_use]
    pub fn new(client: ClientId) -> Self {
        Self {
            client,
            auth: Payload::default(),
            headers: HeaderMap::new(),
            query: String::new(),
            address: None,
            origin: None,
            identity: None,
            metadata: Metadata::new(),
        }
    }

    /// A handshake with an established identity.
    #[must_use]
    pub fn identified(client: ClientId, identity: Identity) -> Self {
        Self { identity: Some(identity), ..Self::new(client) }
    }
}

impl WebSocketService {
    /// Authenticates a client, registers it and activates it. For servers; the adapters do it through
    /// [`Dispatcher::admit`](crate::Dispatcher::admit).
    ///
    /// # Errors
    /// The authenticator's error, usually `UNAUTHORIZED`, or `TIMEOUT` if it does not answer within `auth.timeout`, or
    /// if a client with this id remains connected; `SHUTTING_DOWN`, or `STATE_UNAVAILABLE` if the store did not answer;
    /// `INVALID_PAYLOAD` if the auth payload is nested deeper than `limits.depth`, `LIMIT_EXCEEDED` if its metadata is
    /// larger than `limits.metadata`.
    ///
    /// # Cancellation
    /// A dropped call may leave the client registered until its id is registered again or the node stops.
    pub async fn handle_connection(
        &self,
        handshake: Handshake,
        transport: Arc<dyn ClientTransport>,
    ) -> Result<Client, Error> {
        let (handshake, identity) = self.identify(handshake).await?;
        let client = self.register(handshake, identity, transport).await?;
        self.node.activate(&self.namespace, &client);
        Ok(client)
    }

    /// The span of a connection, from the headers of its handshake: its parent is their `traceparent` if there is a
    /// [`TraceContext`](crate::TraceContext). For servers: call [`Dispatcher::admit`](crate::Dispatcher::admit) in it, and
    /// the spans of the connection's events are its children. Disabled if no subscriber wants it.
    #[must_use]
    pub fn connection_span(&self, headers: &HeaderMap) -> tracing::Span {
        self.node.connection_span(headers)
    }

    /// Removes a client from all rooms and deregisters it. Returns the rooms it was in. The second call for the same
    /// client does nothing.
    ///
    /// Waits for a join of the client in flight, and for the store no longer than `state.timeout`. Always succeeds: if
    /// the store is unavailable, it is updated later.
    pub async fn handle_disconnect(&self, client: &Client, reason: DisconnectReason) -> Vec<RoomId> {
        let (node, namespace) = (self.node.clone(), self.of_client(client).namespace);
        let limit = self.node.started().state.timeout;
        task::to_the_end_or(limit, |gone| node.deregister(namespace, client.clone(), reason, gone)).await
    }

    /// Disconnects a client, wherever in the cluster it is connected. Returns when the request was sent;
    /// [`ServiceEvent::ClientDisconnected`](crate::ServiceEvent::ClientDisconnected) reports the end. A client that is
    /// disconnected this way does not reconnect automatically.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`; `STATE_UNAVAILABLE` if it is not connected here and the store did not answer.
    pub async fn disconnect_client(&self, client: impl roomwire_core::ToClientId) -> Result<(), Error> {
        self.disconnect_for(client.to_client_id()?, DisconnectReason::DisconnectedByServer).await
    }

    /// For a client with an established identity.
    pub(crate) async fn register(
        &self,
        handshake: Handshake,
        identity: Arc<Identity>,
        transport: Arc<dyn ClientTransport>,
    ) -> Result<Client, Error> {
        limits::notes(&self.node.config().limits, &handshake.metadata, 0)?;
        let new = NewClient {
            key: self.client_key(handshake.client),
            user: identity.user.clone(),
            metadata: handshake.metadata,
            connected_at: self.node.clock.now(),
        };
        self.node.register(&self.namespace, new, ClientInit { auth: handshake.auth, identity, transport }).await
    }
}

/// Omits everything that may be a secret.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("client", &self.client)
            .field("address", &self.address)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
