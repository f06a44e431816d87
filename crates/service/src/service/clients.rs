//! Reading clients, and what the application notes about them.

use roomwire_core::{
    Channel, ClientId, DisconnectReason, Error, ErrorCode, Metadata, NodeId, NodeMessage, Page, PageRequest,
    ToClientId, WebSocketClient,
};

use super::WebSocketService;
use crate::Client;

impl WebSocketService {
    /// One client with its rooms, wherever in the cluster it is connected.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn client(&self, client: impl ToClientId) -> Result<WebSocketClient, Error> {
        let key = self.client_key(client.to_client_id()?);
        self.node.store.client(&key).await?.ok_or_else(|| ErrorCode::ClientNotFound.into())
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
        Ok(self.node.store.clients(self.namespace_name(), page).await?)
    }

    /// How many clients this namespace has, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn client_count(&self) -> Result<u64, Error> {
        Ok(self.node.store.client_count(self.namespace_name()).await?)
    }

    /// How many clients of this namespace are connected to this node. Asks no store.
    #[must_use]
    pub fn local_client_count(&self) -> usize {
        self.namespace.client_count()
    }

    /// Replaces the application's notes about a client of this node.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND` when it is gone, `STATE_UNAVAILABLE`; then the notes are as before.
    pub async fn set_client_metadata(&self, client: &Client, metadata: Metadata) -> Result<(), Error> {
        let _membership = client.change_membership().await;
        if !client.is_connected() {
            return Err(ErrorCode::ClientNotFound.into());
        }
        let life = self.node.life.hold().await;
        self.node.retrying(|| self.node.store.set_client_metadata(&life, client.key(), &metadata)).await?;
        client.known().metadata = metadata;
        Ok(())
    }

    /// The other node that holds a client's connection.
    pub(super) async fn locate_elsewhere(&self, client: &ClientId) -> Result<NodeId, Error> {
        let node = self.node.store.locate(&self.client_key(client.clone())).await?;
        node.filter(|node| *node != self.node.id).ok_or_else(|| ErrorCode::ClientNotFound.into())
    }

    pub(super) async fn disconnect_for(&self, client: ClientId, reason: DisconnectReason) -> Result<(), Error> {
        if self.node.disconnect_local(&self.namespace, &client, reason) {
            return Ok(());
        }
        let node = self.locate_elsewhere(&client).await?;
        let message = NodeMessage::Disconnect { namespace: self.namespace_name().clone(), client, reason };
        self.tell(node, message).await
    }

    /// Tells one other node something.
    pub(super) async fn tell(&self, node: NodeId, message: NodeMessage) -> Result<(), Error> {
        Ok(self.node.backplane.publish(&Channel::Node(node), self.node.envelope(message)?).await?)
    }
}
