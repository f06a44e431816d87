//! The application's notes about a client change.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, Metadata, StateError};

use crate::{client::Client, node::Node};

impl Node {
    /// Replaces the notes about a client: in the store, then in this node's memory. After a failure they are as before,
    /// in the store as soon as it answers.
    pub(crate) async fn set_client_metadata(self: Arc<Self>, client: Client, metadata: Metadata) -> Result<(), Error> {
        let until = self.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        if !client.is_connected() {
            return Err(ErrorCode::ClientNotFound.into());
        }
        let incarnation = until.turn(self.incarnation.hold()).await?;
        match self.retrying(until, || self.store.set_client_metadata(&incarnation, client.key(), &metadata)).await {
            Ok(()) => {
                client.known().metadata = metadata;
                Ok(())
            }
            Err(error) => {
                // The store may have the new notes all the same.
                if error.is_uncertain() && client.doubt_metadata(true) {
                    self.write_metadata_later(client.clone());
                }
                Err(error.into())
            }
        }
    }

    /// Tells the store the notes about a client once more.
    pub(crate) async fn write_metadata_again(&self, client: &Client) -> Result<(), StateError> {
        let until = self.deadline();
        let _membership = until.turn(client.change_membership()).await?;
        let incarnation = until.turn(self.incarnation.hold()).await?;
        let metadata = client.metadata();
        if client.is_connected() {
            match self.call(until, self.store.set_client_metadata(&incarnation, client.key(), &metadata)).await {
                // It is put back with its notes.
                Ok(()) | Err(StateError::ClientNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        client.doubt_metadata(false);
        Ok(())
    }
}
