//! Reading clients, and what the application notes about them.

use roomwire_core::{
    Channel, ClientId, DisconnectReason, Error, ErrorCode, Metadata, NodeMessage, NodeProcess, NodeSummary, Page,
    PageRequest, ToClientId, WebSocketClient,
};

use super::WebSocketService;
use crate::{Client, limits, node::Deadline, task};

impl WebSocketService {
    /// One client with its rooms, wherever in the cluster it is connected.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn client(&self, client: impl ToClientId) -> Result<WebSocketClient, Error> {
        let key = self.client_key(client.to_client_id()?);
        self.node.bounded(self.node.store.client(&key)).await?.ok_or_else(|| ErrorCode::ClientNotFound.into())
    }

    /// The handle of a client that is connected to this node; none when it is elsewhere or gone.
    #[must_use]
    pub fn local_client(&self, client: &ClientId) -> Option<Client> {
        self.namespace.client(client)
    }

    /// A page of the clients of this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn clients(&self, page: &PageRequest) -> Result<Page<WebSocketClient>, Error> {
        Ok(self.node.bounded(self.node.store.clients(self.namespace_name(), page)).await?)
    }

    /// How many clients this namespace has, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn client_count(&self) -> Result<u64, Error> {
        Ok(self.node.bounded(self.node.store.client_count(self.namespace_name())).await?)
    }

    /// The nodes of the cluster, with how many clients each has in all namespaces, as the shared state knows them. A
    /// node that is lost is listed until it is cleaned up.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn nodes(&self) -> Result<Vec<NodeSummary>, Error> {
        Ok(self.node.bounded(self.node.store.nodes()).await?)
    }

    /// How many clients of this namespace are connected to this node. Asks no store.
    #[must_use]
    pub fn local_client_count(&self) -> usize {
        self.namespace.client_count()
    }

    /// Replaces the application's notes about a client of this node.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` when they are larger than `limits.metadata`, `CLIENT_NOT_FOUND` when it is gone,
    /// `STATE_UNAVAILABLE`; then the notes are as before.
    ///
    /// # Cancellation
    /// The change runs to its end, also when the future is dropped.
    pub async fn set_client_metadata(&self, client: &Client, metadata: Metadata) -> Result<(), Error> {
        limits::notes(&self.config().limits, &metadata, 0)?;
        task::to_the_end(self.node.clone().set_client_metadata(client.clone(), metadata)).await
    }

    /// The other process that holds a client's connection.
    pub(super) async fn locate_elsewhere(&self, until: Deadline, client: &ClientId) -> Result<NodeProcess, Error> {
        let key = self.client_key(client.clone());
        let incarnation = self.node.call(until, self.node.store.locate(&key)).await?;
        let process =
            incarnation.map(|incarnation| incarnation.process()).filter(|process| *process != self.node.process);
        process.ok_or_else(|| ErrorCode::ClientNotFound.into())
    }

    pub(super) async fn disconnect_for(&self, client: ClientId, reason: DisconnectReason) -> Result<(), Error> {
        if self.node.disconnect_local(&self.namespace, &client, reason) {
            return Ok(());
        }
        let until = self.node.deadline();
        let process = self.locate_elsewhere(until, &client).await?;
        let message = NodeMessage::Disconnect { namespace: self.namespace_name().clone(), client, reason };
        self.tell(until, process, message).await
    }

    /// Tells one other process something.
    pub(super) async fn tell(&self, until: Deadline, process: NodeProcess, message: NodeMessage) -> Result<(), Error> {
        let channel = Channel::Node(process);
        Ok(self.node.call(until, self.node.backplane.publish(&channel, self.node.envelope(message)?)).await?)
    }
}
