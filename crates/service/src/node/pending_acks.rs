//! Acknowledgements that clients of other nodes have not sent yet.

use std::collections::HashMap;

use parking_lot::Mutex;
use roomwire_core::{ClientId, Payload};
use tokio::sync::mpsc;

/// One acknowledgement from another node. No payload if the client did not acknowledge there.
pub(crate) type RemoteAnswer = (ClientId, Option<Payload>);

/// The acknowledgements that this node waits for.
#[derive(Debug, Default)]
pub(crate) struct PendingAcks(Mutex<HashMap<u64, mpsc::UnboundedSender<RemoteAnswer>>>);

/// A request for acknowledgements, closed when dropped.
#[derive(Debug)]
pub(crate) struct PendingAck<'a> {
    pub(crate) id: u64,
    pub(crate) answers: mpsc::UnboundedReceiver<RemoteAnswer>,
    open: &'a PendingAcks,
}

impl PendingAcks {
    /// Opens a request. The number of answers is bounded by the number of clients in it.
    pub(crate) fn open(&self) -> PendingAck<'_> {
        let id = rand::random();
        let (sender, answers) = mpsc::unbounded_channel();
        self.0.lock().insert(id, sender);
        PendingAck { id, answers, open: self }
    }

    /// Passes an answer to the caller that waits for it. A late answer is dropped.
    pub(super) fn answered(&self, question: u64, client: ClientId, answer: Option<Payload>) {
        if let Some(asker) = self.0.lock().get(&question) {
            // The caller may have been dropped meanwhile.
            let _ = asker.send((client, answer));
        }
    }
}

impl Drop for PendingAck<'_> {
    fn drop(&mut self) {
        self.open.0.lock().remove(&self.id);
    }
}
