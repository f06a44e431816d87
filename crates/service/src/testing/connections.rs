//! The connections of a test server: queues in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, LocalDelivery, Namespace, OutboundEvent, Payload,
    Undeliverable,
};
use tokio::sync::{mpsc, oneshot};

use super::Received;
use crate::Session;

/// All connections of a test server.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<ClientKey, Arc<Connection>>>);

/// One connection: what the client has not read yet, and which acknowledgements it waits for.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) session: Session,
    /// None once the client missed a message: nothing may follow a gap.
    outgoing: Mutex<Option<mpsc::Sender<Received>>>,
    acks: Mutex<HashMap<AckId, oneshot::Sender<Payload>>>,
    next_ack: AtomicI64,
}

impl Connection {
    pub(super) fn new(session: Session, outgoing: mpsc::Sender<Received>) -> Self {
        Self { session, outgoing: Mutex::new(Some(outgoing)), acks: Mutex::default(), next_ack: AtomicI64::new(0) }
    }

    /// Prepares for an acknowledgement.
    pub(super) fn expect_ack(&self) -> (AckId, oneshot::Receiver<Payload>) {
        let ack = AckId(self.next_ack.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.acks.lock().insert(ack, sender);
        (ack, receiver)
    }

    fn send(&self, received: Received) -> Result<(), Undeliverable> {
        let mut outgoing = self.outgoing.lock();
        let Some(sender) = outgoing.as_ref() else { return Err(Undeliverable::Gone) };
        sender.try_send(received).map_err(|error| {
            *outgoing = None;
            match error {
                mpsc::error::TrySendError::Full(_) => Undeliverable::BufferFull,
                mpsc::error::TrySendError::Closed(_) => Undeliverable::Gone,
            }
        })
    }

    fn close(&self, reason: DisconnectReason) {
        *self.outgoing.lock() = None;
        self.acks.lock().clear();
        self.session.closed(reason);
    }
}

impl Connections {
    pub(super) fn add(&self, connection: Arc<Connection>) {
        self.0.lock().insert(connection.session.client().key().clone(), connection);
    }

    pub(super) fn close(&self, client: &ClientKey, reason: DisconnectReason) {
        let connection = self.0.lock().remove(client);
        if let Some(connection) = connection {
            connection.close(reason);
        }
    }

    fn get(&self, client: &ClientKey) -> Result<Arc<Connection>, Undeliverable> {
        self.0.lock().get(client).cloned().ok_or(Undeliverable::Gone)
    }
}

#[async_trait]
impl LocalDelivery for Connections {
    fn deliver(
        &self,
        namespace: &Namespace,
        clients: &mut dyn Iterator<Item = &ClientId>,
        event: &OutboundEvent,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        for client in clients {
            let key = ClientKey::new(namespace.clone(), client.clone());
            match self.get(&key).and_then(|connection| connection.send(Received::new(event, None))) {
                Ok(()) => delivery.queued += 1,
                Err(problem) => delivery.failed.push((client.clone(), problem)),
            }
        }
        delivery
    }

    fn acknowledge(&self, client: &ClientKey, ack: AckId, payload: &Payload) -> Result<(), Undeliverable> {
        let waiting = self.get(client)?.acks.lock().remove(&ack);
        if let Some(waiting) = waiting {
            // The test may have stopped waiting.
            let _ = waiting.send(payload.clone());
        }
        Ok(())
    }

    async fn ask(&self, client: &ClientKey, event: &OutboundEvent, timeout: Duration) -> Answer {
        let (sender, answer) = oneshot::channel();
        let asked = self.get(client).and_then(|connection| connection.send(Received::new(event, Some(sender))));
        if let Err(problem) = asked {
            return Answer::Undelivered(problem);
        }
        let answer = async {
            match answer.await {
                Ok(payload) => Answer::Acknowledged(payload),
                // Read and thrown away: a client that never acknowledges.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Answer::TimedOut)
    }

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        self.close(client, reason);
    }
}
