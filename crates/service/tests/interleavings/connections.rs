//! The connections of one node.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientTransport, DisconnectReason, OutboundEvent, Payload, Undeliverable,
};
use roomwire_service::{Client, Incoming, Session};
use tokio::sync::oneshot;

use crate::random::Random;

/// A connection of a client. A client that reconnects has a new one.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Unique in the episode.
    pub(crate) number: u64,
    /// The place of its node in the cluster.
    pub(crate) place: usize,
    /// The number of its node: a restarted node has the same place and another number.
    pub(crate) node: u64,
    pub(crate) session: Session,
    /// When the store registered it.
    pub(crate) registered: u64,
    transport: Arc<Transport>,
    random: Random,
    fixture: Mutex<Fixture>,
    opened: OnceLock<u64>,
    closed: OnceLock<(u64, DisconnectReason)>,
    received: Mutex<Vec<u64>>,
    /// Pending acknowledgements, by id.
    waiting: Mutex<BTreeMap<i64, oneshot::Sender<Payload>>>,
    /// Acknowledgements without a pending request.
    misdirected: Mutex<BTreeSet<i64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fixture {
    /// Before CONNECT was sent.
    Waiting,
    Open,
    Cut,
}

impl Connection {
    pub(crate) fn new(
        number: u64,
        (place, node): (usize, u64),
        (session, transport): (Session, Arc<Transport>),
        registered: u64,
        random: Random,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            place,
            node,
            session,
            registered,
            transport,
            random,
            fixture: Mutex::new(Fixture::Waiting),
            opened: OnceLock::new(),
            closed: OnceLock::new(),
            received: Mutex::default(),
            waiting: Mutex::default(),
            misdirected: Mutex::default(),
        })
    }

    pub(crate) fn client(&self) -> &Client {
        self.session.client()
    }

    pub(crate) fn id(&self) -> &ClientId {
        self.client().id()
    }

    /// Sends CONNECT: the session opens.
    pub(crate) fn open(&self) {
        {
            let mut fixture = self.fixture.lock();
            if *fixture == Fixture::Waiting {
                *fixture = Fixture::Open;
            }
        }
        self.opened.get_or_init(|| self.random.tick());
        self.random.note(|| format!("{} {} opens at {}", self.number, self.id(), self.place));
        self.session.opened();
    }

    pub(crate) fn opened(&self) -> Option<u64> {
        self.opened.get().copied()
    }

    /// When and why it was closed.
    pub(crate) fn closed(&self) -> Option<(u64, DisconnectReason)> {
        self.closed.get().copied()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened.get().is_some() && self.closed.get().is_none()
    }

    /// Stops delivery and marks the connection as closed. The session is not told.
    pub(crate) fn cut_off(&self, reason: DisconnectReason) {
        *self.fixture.lock() = Fixture::Cut;
        self.closed.get_or_init(|| (self.random.tick(), reason));
        self.waiting.lock().clear();
        self.random.note(|| format!("{} {} closes: {reason}", self.number, self.id()));
    }

    fn close(&self, reason: DisconnectReason) {
        self.cut_off(reason);
        self.session.closed(reason);
    }

    /// Emits an event. The receiver gets the acknowledgement, or an error when none was requested or the connection
    /// ends.
    pub(crate) fn emit(
        &self,
        event: &str,
        data: &impl serde::Serialize,
        wants_ack: bool,
    ) -> oneshot::Receiver<Payload> {
        let (sender, receiver) = oneshot::channel();
        let ack = wants_ack.then(|| AckId(self.random.tick().cast_signed()));
        if let Some(AckId(ack)) = ack
            && self.closed.get().is_none()
        {
            self.waiting.lock().insert(ack, sender);
        }
        let payload = Payload::encode(data).expect("can be encoded");
        self.session.receive(Incoming { name: event.into(), payload, ack });
        receiver
    }

    /// The numbers of the received messages, in order.
    pub(crate) fn received(&self) -> Vec<u64> {
        self.received.lock().clone()
    }

    pub(crate) fn forget_received(&self) {
        self.received.lock().clear();
    }

    /// Acknowledgements of events that another connection sent.
    pub(crate) fn misdirected(&self) -> Vec<i64> {
        self.misdirected.lock().iter().copied().collect()
    }

    fn receive(&self, number: Option<u64>) -> Result<(), Undeliverable> {
        if *self.fixture.lock() != Fixture::Open {
            return Err(Undeliverable::Gone);
        }
        self.received.lock().extend(number);
        Ok(())
    }
}

/// The connections of one node, by their clients' ids.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    by_id: Mutex<BTreeMap<ClientId, Arc<Connection>>>,
}

impl Connections {
    pub(crate) fn add(self: &Arc<Self>, connection: &Arc<Connection>) {
        connection.transport.0.get_or_init(|| (Arc::downgrade(self), Arc::downgrade(connection)));
        self.by_id.lock().insert(connection.id().clone(), connection.clone());
    }

    /// Removes a connection, unless another one has replaced it.
    fn remove(&self, connection: &Arc<Connection>) {
        let mut by_id = self.by_id.lock();
        if by_id.get(connection.id()).is_some_and(|present| Arc::ptr_eq(present, connection)) {
            by_id.remove(connection.id());
        }
    }

    /// Ends a connection as the client or the network does.
    pub(crate) fn end(&self, connection: &Arc<Connection>, reason: DisconnectReason) {
        connection.cut_off(reason);
        self.remove(connection);
        connection.session.closed(reason);
    }

    /// All connections.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.by_id.lock().values().cloned().collect()
    }
}

/// How the service reaches a connection, once that was added to those of its node. The connection owns it.
#[derive(Debug, Default)]
pub(crate) struct Transport(OnceLock<(Weak<Connections>, Weak<Connection>)>);

impl Transport {
    fn connection(&self) -> Result<Arc<Connection>, Undeliverable> {
        self.0.get().and_then(|(_, connection)| connection.upgrade()).ok_or(Undeliverable::Gone)
    }
}

#[async_trait]
impl ClientTransport for Transport {
    fn send(&self, event: &OutboundEvent) -> Result<(), Undeliverable> {
        self.connection()?.receive(event.payload.decode().ok())
    }

    fn acknowledge(&self, AckId(ack): AckId, payload: &Payload) -> Result<(), Undeliverable> {
        let connection = self.connection()?;
        connection.receive(None)?;
        match connection.waiting.lock().remove(&ack) {
            Some(waiting) => drop(waiting.send(payload.clone())),
            None => drop(connection.misdirected.lock().insert(ack)),
        }
        Ok(())
    }

    /// The client acknowledges with the number of its connection and the question.
    async fn emit_with_ack(&self, event: &OutboundEvent, timeout: Duration) -> Answer {
        let asked = self.connection().and_then(|connection| connection.receive(None).map(|()| connection));
        let connection = match asked {
            Ok(connection) => connection,
            Err(problem) => return Answer::Undelivered(problem),
        };
        connection.random.yield_randomly("ask").await;
        if !connection.is_open() {
            tokio::time::sleep(timeout).await;
            return Answer::TimedOut;
        }
        let question: u64 = event.payload.decode().expect("a number");
        Answer::Acknowledged(Payload::encode(&[connection.number, question]).expect("can be encoded"))
    }

    fn disconnect(&self, reason: DisconnectReason) {
        let Some((connections, connection)) = self.0.get() else { return };
        let Some(connection) = connection.upgrade() else { return };
        connection.close(reason);
        if let Some(connections) = connections.upgrade() {
            connections.remove(&connection);
        }
    }
}
