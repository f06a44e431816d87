//! Acknowledgements that clients of other nodes have not sent yet.

use std::collections::HashMap;

use parking_lot::Mutex;
use roomwire_core::{ClientId, Payload};
use tokio::sync::mpsc;

/// One acknowledgement from another node. No payload if the client did not acknowledge there.
pub(crate) type RemoteAck = (ClientId, Option<Payload>);

/// The acknowledgements that this node waits for.
#[derive(Debug, Default)]
pub(crate) struct PendingAcks(Mutex<HashMap<u64, mpsc::UnboundedSender<RemoteAck>>>);

/// A request for acknowledgements, closed when dropped.
#[derive(Debug)]
pub(crate) struct PendingAck<'a> {
    pub(crate) id: u64,
    pub(crate) responses: mpsc::UnboundedReceiver<RemoteAck>,
    open: &'a PendingAcks,
}

impl PendingAcks {
    /// Opens a request. The number of responses is bounded by the number of clients in it.
    pub(crate) fn open(&self) -> PendingAck<'_> {
        let id = rand::random();
        let (sender, responses) = mpsc::unbounded_channel();
        self.0.lock().insert(id, sender);
        PendingAck { id, responses, open: self }
    }

    /// Passes a response to the caller that waits for it. A late response is dropped.
    pub(super) fn respond(&self, request: u64, client: ClientId, payload: Option<Payload>) {
        if let Some(caller) = self.0.lock().get(&request) {
            // The caller may have been dropped meanwhile.
            let _ = caller.send((client, payload));
        }
    }
}

impl Drop for PendingAck<'_> {
    fn drop(&mut self) {
        self.open.0.lock().remove(&self.id);
    }
}
