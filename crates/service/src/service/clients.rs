//! Reading clients, and changing their metadata.

use roomwire_core::{
    Channel, ClientId, DisconnectReason, Error, ErrorCode, Metadata, NodeMessage, NodeProcess, NodeSummary, Page,
    PageRequest, ToClientId, WebSocketClient,
};

use super::WebSocketService;
use crate::{Client, backend::Deadline, limits, task};

impl WebSocketService {
    /// One client with its rooms, wherever in the cluster it is connected.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn client(&self, client: impl ToClientId) -> Result<WebSocketClient, Error> {
        let key = self.client_key(client.to_client_id()?);
        self.node
            .backend
            .bounded(self.node.backend.store.client(&key))
            .await?
            .ok_or_else(|| ErrorCode::ClientNotFound.into())
    }

    /// The handle of a client that is connected to this node. `None` if it is connected elsewhere or has disconnected.
    #[must_use]
    pub fn local_client(&self, client: &ClientId) -> Option<Client> {
        self.namespace.client(client)
    }

    /// A page of the clients of this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn clients(&self, page: &PageRequest) -> Result<Page<WebSocketClient>, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.clients(self.namespace_name(), page)).await?)
    }

    /// The number of clients in this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn client_count(&self) -> Result<u64, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.client_count(self.namespace_name())).await?)
    }

    /// The nodes of the cluster, each with the number of its clients in all namespaces, as the shared state knows them.
    /// A lost node is listed until it is cleaned up.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn nodes(&self) -> Result<Vec<NodeSummary>, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.nodes()).await?)
    }

    /// The number of clients in this namespace on this node. Makes no store call.
    #[must_use]
    pub fn local_client_count(&self) -> usize {
        self.namespace.client_count()
    }

    /// Replaces the metadata of a client of this node.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` if it is larger than `limits.metadata`, `CLIENT_NOT_FOUND` if the client has disconnected,
    /// `STATE_UNAVAILABLE`; then the old metadata applies.
    ///
    /// # Cancellation
    /// The change completes, also if the future is dropped.
    pub async fn set_client_metadata(&self, client: &Client, metadata: Metadata) -> Result<(), Error> {
        limits::notes(&self.node.config().limits, &metadata, 0)?;
        task::to_the_end(self.node.clone().set_client_metadata(client.clone(), metadata)).await
    }

    /// The process that holds a client's connection, if it is another one.
    pub(super) async fn locate_elsewhere(&self, until: Deadline, client: &ClientId) -> Result<NodeProcess, Error> {
        let key = self.client_key(client.clone());
        let incarnation = self.node.backend.call(until, self.node.backend.store.locate(&key)).await?;
        let process =
            incarnation.map(|incarnation| incarnation.process()).filter(|process| *process != self.node.process);
        process.ok_or_else(|| ErrorCode::ClientNotFound.into())
    }

    pub(super) async fn disconnect_for(&self, client: ClientId, reason: DisconnectReason) -> Result<(), Error> {
        if self.node.disconnect_local(&self.namespace, &client, reason) {
            return Ok(());
        }
        let until = self.node.backend.deadline();
        let process = self.locate_elsewhere(until, &client).await?;
        let message = NodeMessage::Disconnect { namespace: self.namespace_name().clone(), client, reason };
        self.tell(until, process, message).await
    }

    /// Sends a message to one other process.
    pub(super) async fn tell(&self, until: Deadline, process: NodeProcess, message: NodeMessage) -> Result<(), Error> {
        let channel = Channel::Node(process);
        Ok(self
            .node
            .backend
            .call(until, self.node.backend.backplane.publish(&channel, self.node.envelope(message)?))
            .await?)
    }
}
