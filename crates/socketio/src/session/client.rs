//! One client of a session, for the service.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientTransport, DisconnectReason, Namespace, OutboundEvent, Payload, Undeliverable,
    packet::EncodedPacket,
};
use tokio::sync::oneshot;

use super::{Inner, Session};
use crate::outbox::{Outbox, Recipient};

/// A client in one namespace of a session: the only way to send to it.
pub(crate) struct SocketClient {
    id: ClientId,
    namespace: Namespace,
    /// Weak: the session holds its clients.
    session: Weak<Inner>,
    outbox: Arc<Outbox>,
    recipient: Arc<Recipient>,
    /// The acknowledgements that are waited for. `None` once the client has disconnected.
    acks: Mutex<Option<HashMap<AckId, oneshot::Sender<Payload>>>>,
    /// Whether reading from the session is paused for it.
    reading: AtomicU8,
}

const OPEN: u8 = 0;
const PAUSED: u8 = 1;
/// It has disconnected: its events do not hold up the session's other clients.
const CLOSED: u8 = 2;

impl SocketClient {
    pub(crate) fn new(id: ClientId, namespace: Namespace, session: &Session) -> Self {
        Self {
            id,
            namespace,
            session: Arc::downgrade(session.inner()),
            outbox: session.inner().outbox.clone(),
            recipient: Arc::default(),
            acks: Mutex::new(Some(HashMap::new())),
            reading: AtomicU8::new(OPEN),
        }
    }

    pub(crate) fn id(&self) -> &ClientId {
        &self.id
    }

    pub(crate) fn namespace(&self) -> &str {
        self.namespace.as_str()
    }

    pub(crate) fn recipient(&self) -> &Arc<Recipient> {
        &self.recipient
    }

    /// The client acknowledged an event. An unknown acknowledgement is ignored: nothing waits for it any more.
    pub(crate) fn acknowledged(&self, id: AckId, payload: Payload) {
        let waiting = self.acks.lock().as_mut().and_then(|acks| acks.remove(&id));
        if let Some(waiting) = waiting {
            // The caller may have stopped waiting.
            let _ = waiting.send(payload);
        }
    }

    /// Drops what is queued for it.
    pub(crate) fn discard_queued(&self) {
        self.outbox.discard(&self.recipient);
    }

    /// Sends nothing more. Nothing waits for its acknowledgements, and the session does not wait for its events.
    pub(crate) fn closed(&self) {
        self.recipient.close();
        *self.acks.lock() = None;
        if self.reading.swap(CLOSED, Ordering::AcqRel) == PAUSED {
            self.resume_session();
        }
    }

    fn resume_session(&self) {
        if let Some(session) = self.session()
            && session.inner().read_gate.resume()
        {
            // Its pong may have waited too.
            session.note_activity();
            self.outbox.wake_transport();
        }
    }

    fn change_reading(&self, from: u8, to: u8) -> bool {
        self.reading.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn session(&self) -> Option<Session> {
        self.session.upgrade().map(Session::from)
    }
}

#[async_trait]
impl ClientTransport for SocketClient {
    fn send(&self, event: &OutboundEvent) -> Result<(), Undeliverable> {
        self.outbox.send(&self.recipient, event.packet(&self.namespace), event.conflation.as_ref())
    }

    fn acknowledge(&self, ack: AckId, payload: &Payload) -> Result<(), Undeliverable> {
        self.outbox.send(&self.recipient, &EncodedPacket::ack(self.namespace(), ack, payload), None)
    }

    async fn emit_with_ack(&self, event: &OutboundEvent, timeout: Duration) -> Answer {
        let Some(session) = self.session.upgrade() else { return Answer::Undelivered(Undeliverable::Gone) };
        let id = AckId(session.next_ack.fetch_add(1, Ordering::Relaxed));
        drop(session);
        let (sender, acknowledged) = oneshot::channel();
        match self.acks.lock().as_mut() {
            Some(acks) => acks.insert(id, sender),
            None => return Answer::Undelivered(Undeliverable::Gone),
        };
        let _waiting = WaitingForAck { client: self, id };
        let packet = EncodedPacket::event(self.namespace(), Some(id), &event.name, &event.payload);
        if let Err(problem) = self.outbox.send(&self.recipient, &packet, None) {
            return Answer::Undelivered(problem);
        }
        match tokio::time::timeout(timeout, acknowledged).await {
            Ok(Ok(payload)) => Answer::Acknowledged(payload),
            Ok(Err(_)) => Answer::Undelivered(Undeliverable::Gone),
            Err(_) => Answer::TimedOut,
        }
    }

    fn above_high_watermark(&self) -> bool {
        self.outbox.above_high_watermark()
    }

    async fn drained(&self) {
        self.outbox.below_high_watermark().await;
    }

    fn pause(&self) {
        let Some(session) = self.session.upgrade() else { return };
        // Counted first: the client may close at any moment, and undoes only what was counted.
        session.read_gate.pause();
        if !self.change_reading(OPEN, PAUSED) {
            self.resume_session();
        }
    }

    fn resume(&self) {
        if self.change_reading(PAUSED, OPEN) {
            self.resume_session();
        }
    }

    fn disconnect(&self, reason: DisconnectReason) {
        if let Some(session) = self.session() {
            session.disconnect(self, reason);
        }
    }
}

/// Forgets an acknowledgement when nothing waits for it any more.
struct WaitingForAck<'a> {
    client: &'a SocketClient,
    id: AckId,
}

impl Drop for WaitingForAck<'_> {
    fn drop(&mut self) {
        if let Some(acks) = self.client.acks.lock().as_mut() {
            acks.remove(&self.id);
        }
    }
}

impl fmt::Debug for SocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketClient").field("id", &self.id).finish_non_exhaustive()
    }
}
