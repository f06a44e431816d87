//! Changes of a client's metadata.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, Metadata, StateError};

use super::Node;
use crate::local::Client;

impl Node {
    /// Replaces the metadata of a client: in the store, then in this node's memory. After a failure the old metadata
    /// applies, in the store as soon as it answers.
    pub(crate) async fn set_client_metadata(self: Arc<Self>, client: Client, metadata: Metadata) -> Result<(), Error> {
        let until = self.backend.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        if !client.is_connected() {
            return Err(ErrorCode::ClientNotFound.into());
        }
        let incarnation = until.turn(self.incarnation.lock()).await?;
        match self
            .backend
            .retrying(until, || self.backend.store.set_client_metadata(&incarnation, client.key(), &metadata))
            .await
        {
            Ok(()) => {
                client.known().metadata = metadata;
                Ok(())
            }
            Err(error) => {
                // The store may have the new metadata nevertheless.
                if error.is_uncertain() && client.doubt_metadata(true) {
                    self.write_metadata_later(client.clone());
                }
                Err(error.into())
            }
        }
    }

    /// Writes the metadata of a client to the store again.
    pub(crate) async fn write_metadata_again(&self, client: &Client) -> Result<(), StateError> {
        let until = self.backend.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        let incarnation = until.turn(self.incarnation.lock()).await?;
        let metadata = client.metadata();
        if client.is_connected() {
            match self
                .backend
                .call(until, self.backend.store.set_client_metadata(&incarnation, client.key(), &metadata))
                .await
            {
                // It is restored with its metadata.
                Ok(()) | Err(StateError::ClientNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        client.doubt_metadata(false);
        Ok(())
    }
}
