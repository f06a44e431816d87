//! The connections of a test server: queues in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Conflation, Delivery, DisconnectReason, LocalDelivery, Namespace,
    OutboundEvent, Payload, Undeliverable,
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
    /// `None` once the client missed a message: nothing may follow a gap.
    outgoing: Mutex<Option<Outgoing>>,
    acks: Mutex<HashMap<AckId, oneshot::Sender<Payload>>>,
    next_ack: AtomicI64,
}

/// The unread messages.
#[derive(Debug)]
struct Outgoing {
    queue: mpsc::Sender<Received>,
    /// Conflated values, while the queue is full.
    conflated: VecDeque<(Arc<Conflation>, Received)>,
}

impl Outgoing {
    /// Queues conflated values, as far as there is room.
    fn refill(&mut self) {
        while !self.conflated.is_empty()
            && let Ok(place) = self.queue.try_reserve()
            && let Some((_, received)) = self.conflated.pop_front()
        {
            place.send(received);
        }
    }

    fn send(&mut self, received: Received) -> Result<(), Undeliverable> {
        self.refill();
        self.queue.try_send(received).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Undeliverable::BufferFull,
            mpsc::error::TrySendError::Closed(_) => Undeliverable::Gone,
        })
    }

    fn send_latest(&mut self, conflation: &Arc<Conflation>, received: Received) -> Result<(), Undeliverable> {
        match self.conflated.iter_mut().find(|(queued, _)| queued == conflation) {
            Some((_, older)) => *older = received,
            None => self.conflated.push_back((conflation.clone(), received)),
        }
        self.refill();
        if self.conflated.len() > Conflation::HELD {
            self.conflated.pop_front();
        }
        if self.queue.is_closed() { Err(Undeliverable::Gone) } else { Ok(()) }
    }
}

impl Connection {
    pub(super) fn new(session: Session, queue: mpsc::Sender<Received>) -> Self {
        Self {
            session,
            outgoing: Mutex::new(Some(Outgoing { queue, conflated: VecDeque::new() })),
            acks: Mutex::default(),
            next_ack: AtomicI64::new(0),
        }
    }

    /// Registers an acknowledgement.
    pub(super) fn expect_ack(&self) -> (AckId, oneshot::Receiver<Payload>) {
        let ack = AckId(self.next_ack.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.acks.lock().insert(ack, sender);
        (ack, receiver)
    }

    /// The client read something: there may be room for conflated values.
    pub(super) fn was_read(&self) {
        if let Some(outgoing) = self.outgoing.lock().as_mut() {
            outgoing.refill();
        }
    }

    fn send(&self, received: Received, conflation: Option<&Arc<Conflation>>) -> Result<(), Undeliverable> {
        let mut place = self.outgoing.lock();
        let Some(outgoing) = place.as_mut() else { return Err(Undeliverable::Gone) };
        let sent = match conflation {
            Some(conflation) => outgoing.send_latest(conflation, received),
            None => outgoing.send(received),
        };
        if sent.is_err() {
            *place = None;
        }
        sent
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

    /// Closes a connection. Does not affect a later one with the same client id.
    pub(super) fn close(&self, connection: &Arc<Connection>, reason: DisconnectReason) {
        let mut all = self.0.lock();
        let client = connection.session.client().key();
        if all.get(client).is_some_and(|present| Arc::ptr_eq(present, connection)) {
            all.remove(client);
        }
        drop(all);
        connection.close(reason);
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
            match self
                .get(&key)
                .and_then(|connection| connection.send(Received::new(event, None), event.conflation.as_ref()))
            {
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
        let asked = self.get(client).and_then(|connection| connection.send(Received::new(event, Some(sender)), None));
        if let Err(problem) = asked {
            return Answer::Undelivered(problem);
        }
        let answer = async {
            match answer.await {
                Ok(payload) => Answer::Acknowledged(payload),
                // Read and discarded: a client that never acknowledges.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Answer::TimedOut)
    }

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        if let Ok(connection) = self.get(client) {
            self.close(&connection, reason);
        }
    }
}
