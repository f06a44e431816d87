//! The connections of one node.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, LocalDelivery, Namespace, OutboundEvent, Payload,
    Undeliverable,
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
        session: Session,
        registered: u64,
        random: Random,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            place,
            node,
            session,
            registered,
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
#[derive(Debug)]
pub(crate) struct Connections {
    random: Random,
    by_id: Mutex<BTreeMap<ClientId, Arc<Connection>>>,
}

impl Connections {
    pub(crate) fn new(random: Random) -> Arc<Self> {
        Arc::new(Self { random, by_id: Mutex::default() })
    }

    pub(crate) fn add(&self, connection: &Arc<Connection>) {
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

    fn get(&self, client: &ClientId) -> Result<Arc<Connection>, Undeliverable> {
        self.by_id.lock().get(client).cloned().ok_or(Undeliverable::Gone)
    }
}

#[async_trait]
impl LocalDelivery for Connections {
    fn deliver(&self, _: &Namespace, clients: &mut dyn Iterator<Item = &ClientId>, event: &OutboundEvent) -> Delivery {
        let number = event.payload.decode().ok();
        let mut delivery = Delivery::default();
        for client in clients {
            match self.get(client).and_then(|connection| connection.receive(number)) {
                Ok(()) => delivery.queued += 1,
                Err(problem) => delivery.failed.push((client.clone(), problem)),
            }
        }
        delivery
    }

    fn acknowledge(&self, client: &ClientKey, AckId(ack): AckId, payload: &Payload) -> Result<(), Undeliverable> {
        let connection = self.get(&client.client)?;
        connection.receive(None)?;
        match connection.waiting.lock().remove(&ack) {
            Some(waiting) => drop(waiting.send(payload.clone())),
            None => drop(connection.misdirected.lock().insert(ack)),
        }
        Ok(())
    }

    /// The client acknowledges with the number of its connection and the question.
    async fn ask(&self, client: &ClientKey, event: &OutboundEvent, timeout: Duration) -> Answer {
        let asked = self.get(&client.client).and_then(|connection| connection.receive(None).map(|()| connection));
        let connection = match asked {
            Ok(connection) => connection,
            Err(problem) => return Answer::Undelivered(problem),
        };
        self.random.yield_randomly("ask").await;
        if !connection.is_open() {
            tokio::time::sleep(timeout).await;
            return Answer::TimedOut;
        }
        let question: u64 = event.payload.decode().expect("a number");
        Answer::Acknowledged(Payload::encode(&[connection.number, question]).expect("can be encoded"))
    }

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        let Ok(connection) = self.get(&client.client) else { return };
        connection.close(reason);
        self.remove(&connection);
    }
}
