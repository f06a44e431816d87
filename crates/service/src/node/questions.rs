//! Questions to clients of other nodes whose answers are still on their way.

use std::collections::HashMap;

use parking_lot::Mutex;
use roomwire_core::{ClientId, Payload};
use tokio::sync::mpsc;

/// One answer from another node; no payload when the client did not answer there.
pub(crate) type RemoteAnswer = (ClientId, Option<Payload>);

/// The open questions of this node.
#[derive(Debug, Default)]
pub(crate) struct Questions(Mutex<HashMap<u64, mpsc::UnboundedSender<RemoteAnswer>>>);

/// An open question; it is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) id: u64,
    pub(crate) answers: mpsc::UnboundedReceiver<RemoteAnswer>,
    open: &'a Questions,
}

impl Questions {
    /// Opens a question. The number of answers is bounded by the number of clients that are asked.
    pub(crate) fn open(&self) -> Question<'_> {
        let id = rand::random();
        let (sender, answers) = mpsc::unbounded_channel();
        self.0.lock().insert(id, sender);
        Question { id, answers, open: self }
    }

    /// Hands an answer to whoever asked; an answer that comes too late is dropped.
    pub(super) fn answered(&self, question: u64, client: ClientId, answer: Option<Payload>) {
        if let Some(asker) = self.0.lock().get(&question) {
            // The asker may have gone away in between.
            let _ = asker.send((client, answer));
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.open.0.lock().remove(&self.id);
    }
}
