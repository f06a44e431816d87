//! Clients that come and go.

use roomwire_core::{ClientId, DisconnectReason, Error, Metadata, NewClient, Payload, RoomId, UserId};

use super::WebSocketService;
use crate::{Client, bounds, task};

/// What is known about a client when it connects.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The id it will see as `socket.id`. Unique within its namespace, across the cluster.
    pub client: ClientId,
    /// What it sent along (`auth` in JavaScript).
    pub auth: Payload,
    /// Who it is, when that was established.
    pub user: Option<UserId>,
    /// What the application notes about it from the start.
    pub metadata: Metadata,
}

impl Handshake {
    /// A handshake of an unknown user that sent nothing along.
    #[must_use]
    pub fn new(client: ClientId) -> Self {
        Self { client, auth: Payload::default(), user: None, metadata: Metadata::new() }
    }
}

impl WebSocketService {
    /// Registers a client and lets it take part. Servers call it; the adapters do it through
    /// [`Dispatcher::admit`](crate::Dispatcher::admit).
    ///
    /// # Errors
    /// `SHUTTING_DOWN`, or `STATE_UNAVAILABLE` when the store did not answer; `INVALID_PAYLOAD` when what it sent along is
    /// nested deeper than `limits.depth`, `LIMIT_EXCEEDED` when its metadata is larger than `limits.metadata`.
    ///
    /// # Cancellation
    /// A dropped call may leave the client registered until its id is registered again or the node stops.
    pub async fn handle_connection(&self, handshake: Handshake) -> Result<Client, Error> {
        let client = self.register(handshake).await?;
        self.node.welcome(&self.namespace, &client);
        Ok(client)
    }

    /// Takes a client out of all rooms and forgets it; returns the rooms it was in. The second call for
    /// the same client does nothing.
    ///
    /// Waits for a join of the client that is on its way, and for the store no longer than `state.timeout`. Always
    /// succeeds: when the store is away, it is told later.
    pub async fn handle_disconnect(&self, client: &Client, reason: DisconnectReason) -> Vec<RoomId> {
        let (node, namespace) = (self.node.clone(), self.of_client(client).namespace);
        let limit = self.config().state.timeout;
        task::to_the_end_or(limit, |gone| node.farewell(namespace, client.clone(), reason, gone)).await
    }

    /// Disconnects a client, wherever in the cluster it is connected. Returns when the order was given;
    /// [`ServiceEvent::ClientDisconnected`](crate::ServiceEvent::ClientDisconnected) tells when it is gone.
    /// A client that is disconnected so does not connect again by itself.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`; `STATE_UNAVAILABLE` when it is not here and the store did not answer.
    pub async fn disconnect_client(&self, client: impl roomwire_core::ToClientId) -> Result<(), Error> {
        self.disconnect_for(client.to_client_id()?, DisconnectReason::DisconnectedByServer).await
    }

    pub(crate) async fn register(&self, handshake: Handshake) -> Result<Client, Error> {
        bounds::depth(&self.config().limits, &handshake.auth)?;
        bounds::notes(&self.config().limits, &handshake.metadata, 0)?;
        let new = NewClient {
            key: self.client_key(handshake.client),
            user: handshake.user,
            metadata: handshake.metadata,
            connected_at: self.node.clock.now(),
        };
        self.node.register(&self.namespace, new, handshake.auth).await
    }
}
