//! The subscriptions of this node, restored after every change of connections and servers.

mod hub;

use std::sync::Arc;

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use roomwire_core::{BackplaneEvent, Channel, StateError};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::timeout_at,
};

use self::hub::{Hub, Order};
use crate::{frame::Origin, state::Shared};

/// One node's subscriptions.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    shared: Arc<Shared>,
    origin: Origin,
    phase: Mutex<Phase>,
}

#[derive(Debug)]
enum Phase {
    New,
    Open(UnboundedSender<Order>),
    Closed,
}

/// Closes a partially opened backplane.
struct Attempt<'a> {
    phase: &'a Mutex<Phase>,
    succeeded: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut phase = self.phase.lock();
        if !self.succeeded && matches!(*phase, Phase::Open(_)) {
            *phase = Phase::New;
        }
    }
}

impl Subscriptions {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, origin: rand::random(), phase: Mutex::new(Phase::New) }
    }

    /// Identifies this node's own messages.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Opens with these channels. A failed or cancelled attempt leaves nothing open and may be retried.
    pub(crate) async fn open(&self, first: &[Channel]) -> Result<UnboundedReceiver<BackplaneEvent>, StateError> {
        let (events, incoming) = unbounded_channel();
        {
            let mut phase = self.phase.lock();
            if !matches!(*phase, Phase::New) {
                return Err(StateError::unavailable("the backplane of this node was opened before"));
            }
            let (orders, received) = unbounded_channel();
            tokio::spawn(Hub::new(self.shared.clone(), self.origin, events).run(received));
            *phase = Phase::Open(orders);
        }
        let mut attempt = Attempt { phase: &self.phase, succeeded: false };
        try_join_all(first.iter().map(|channel| self.begin(channel))).await?;
        attempt.succeeded = true;
        Ok(incoming)
    }

    /// Returns when the server has confirmed or refused.
    pub(crate) async fn begin(&self, channel: &Channel) -> Result<(), StateError> {
        let (name, slot) = self.shared.router.keys.channel(channel);
        let (confirm, confirmed) = oneshot::channel();
        self.order(Order::Subscribe { name, slot, confirm })?;
        match timeout_at(self.shared.router.deadline(), confirmed).await {
            Ok(Ok(answer)) => answer.map_err(StateError::Refused),
            Ok(Err(_)) => Err(StateError::unavailable("the backplane of this node was closed")),
            Err(_) => Err(StateError::unavailable("SSUBSCRIBE: Redis did not confirm in time")),
        }
    }

    /// Delivers nothing more of the channel; the server is notified without waiting for it.
    pub(crate) fn end(&self, channel: &Channel) {
        let (name, _) = self.shared.router.keys.channel(channel);
        if let Channel::Room(room) = channel {
            self.shared.rooms.forget(room);
        }
        // Without an open backplane there is no subscription.
        let _ = self.order(Order::Unsubscribe { name });
    }

    pub(crate) fn close(&self) {
        *self.phase.lock() = Phase::Closed;
    }

    fn order(&self, order: Order) -> Result<(), StateError> {
        let not_open = || StateError::unavailable("the backplane of this node is not open");
        match &*self.phase.lock() {
            Phase::Open(orders) => orders.send(order).map_err(|_| not_open()),
            Phase::New | Phase::Closed => Err(not_open()),
        }
    }
}
