//! The connection of a test client: queues in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientTransport, Conflation, DisconnectReason, OutboundEvent, Payload, Undeliverable,
};
use tokio::sync::{mpsc, oneshot};

use super::Received;
use crate::Session;

/// One connection: a session and its transport.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) session: Session,
    transport: Arc<TestTransport>,
}

/// The events that a client has not read yet, and the acknowledgements it waits for.
#[derive(Debug, Default)]
pub(super) struct TestTransport {
    /// `None` before the connection is opened, and once the client missed a message: nothing may follow a gap.
    outgoing: Mutex<Option<Outgoing>>,
    /// `None` once the connection is closed.
    acks: Mutex<Option<HashMap<AckId, oneshot::Sender<Payload>>>>,
    next_ack: AtomicI64,
    /// The connection owns this transport.
    connection: OnceLock<Weak<Connection>>,
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
    /// Opens the transport and then the session.
    pub(super) fn open(session: Session, transport: Arc<TestTransport>, queue: mpsc::Sender<Received>) -> Arc<Self> {
        *transport.outgoing.lock() = Some(Outgoing { queue, conflated: VecDeque::new() });
        *transport.acks.lock() = Some(HashMap::new());
        let connection = Arc::new(Self { session, transport });
        connection.transport.connection.get_or_init(|| Arc::downgrade(&connection));
        connection.session.opened();
        connection
    }

    /// Registers an acknowledgement. The receiver gets an error when the connection is closed.
    pub(super) fn expect_ack(&self) -> (AckId, oneshot::Receiver<Payload>) {
        let ack = AckId(self.transport.next_ack.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        if let Some(acks) = self.transport.acks.lock().as_mut() {
            acks.insert(ack, sender);
        }
        (ack, receiver)
    }

    /// The client read something: there may be room for conflated values.
    pub(super) fn was_read(&self) {
        if let Some(outgoing) = self.transport.outgoing.lock().as_mut() {
            outgoing.refill();
        }
    }

    pub(super) fn close(&self, reason: DisconnectReason) {
        *self.transport.outgoing.lock() = None;
        *self.transport.acks.lock() = None;
        self.session.closed(reason);
    }
}

impl TestTransport {
    fn queue(&self, received: Received, conflation: Option<&Arc<Conflation>>) -> Result<(), Undeliverable> {
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
}

#[async_trait]
impl ClientTransport for TestTransport {
    fn send(&self, event: &OutboundEvent) -> Result<(), Undeliverable> {
        self.queue(Received::new(event, None), event.conflation.as_ref())
    }

    fn acknowledge(&self, ack: AckId, payload: &Payload) -> Result<(), Undeliverable> {
        let waiting = self.acks.lock().as_mut().ok_or(Undeliverable::Gone)?.remove(&ack);
        if let Some(waiting) = waiting {
            // The test may have stopped waiting.
            let _ = waiting.send(payload.clone());
        }
        Ok(())
    }

    async fn emit_with_ack(&self, event: &OutboundEvent, timeout: Duration) -> Answer {
        let (sender, answer) = oneshot::channel();
        if let Err(problem) = self.queue(Received::new(event, Some(sender)), None) {
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

    fn disconnect(&self, reason: DisconnectReason) {
        if let Some(connection) = self.connection.get().and_then(Weak::upgrade) {
            connection.close(reason);
        }
    }
}
