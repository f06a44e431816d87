//! Clients whose identity holds for a time only, and what becomes of them when it is over.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{
    DisconnectReason, Error, ErrorCode, EventName, Identity, OutboundEvent, Payload, Printable, Timestamp,
};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::Client;

/// How long a wait may be: the machine's clock may be set while it lasts.
const AT_MOST: Duration = Duration::from_millis(500);

/// The clients of this node whose identity will expire, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    ends: Mutex<BTreeMap<(Timestamp, usize), Client>>,
    changed: Notify,
}

impl Expiries {
    /// Ends the client's stay when its identity expires; one that is gone already is left alone.
    pub(crate) fn watch(&self, client: &Client) {
        let mut ends = self.ends.lock();
        self.insert(&mut ends, client);
    }

    /// Gives the client a newer identity, which must be of the same user.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED` when the one it has is over: its stay ends.
    pub(crate) fn renew(&self, client: &Client, identity: Arc<Identity>, now: Timestamp) -> Result<(), Error> {
        let mut ends = self.ends.lock();
        // Under the lock: whoever ends its stay has taken it out before.
        let before = client.identity();
        if before.is_expired(now) {
            return Err(ErrorCode::TokenExpired.into());
        }
        remove(&mut ends, client, &before);
        client.set_identity(identity);
        self.insert(&mut ends, client);
        Ok(())
    }

    /// The client is gone.
    pub(crate) fn forget(&self, client: &Client) {
        remove(&mut self.ends.lock(), client, &client.identity());
    }

    fn insert(&self, ends: &mut BTreeMap<(Timestamp, usize), Client>, client: &Client) {
        let Some(end) = client.identity().expires_at.filter(|_| client.is_connected()) else { return };
        let is_next = ends.first_key_value().is_none_or(|((first, _), _)| end < *first);
        ends.insert((end, client.serial()), client.clone());
        if is_next {
            self.changed.notify_one();
        }
    }

    /// Takes out those whose time is over, and says when the next one's is.
    fn due(&self, now: Timestamp) -> (Vec<Client>, Option<Timestamp>) {
        let mut ends = self.ends.lock();
        let mut due = Vec::new();
        while let Some(first) = ends.first_entry().filter(|first| first.key().0 <= now) {
            due.push(first.remove());
        }
        (due, ends.first_key_value().map(|((end, _), _)| *end))
    }
}

fn remove(ends: &mut BTreeMap<(Timestamp, usize), Client>, client: &Client, identity: &Identity) {
    if let Some(end) = identity.expires_at {
        ends.remove(&(end, client.serial()));
    }
}

/// Runs until the token is cancelled or the node is gone.
pub(super) fn spawn(node: &Arc<Node>, stop: CancellationToken) {
    let (expiries, node) = (node.expiries.clone(), Arc::downgrade(node));
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            let Some(wait) = end_those_due(&node, &expiries) else { return };
            match wait {
                // Whichever comes first.
                Some(wait) => drop(timeout(wait, expiries.changed.notified()).await),
                None => expiries.changed.notified().await,
            }
        }
    }));
}

/// How long to wait for the next one, when there is one; none when the node is gone.
fn end_those_due(node: &Weak<Node>, expiries: &Expiries) -> Option<Option<Duration>> {
    let node = node.upgrade()?;
    let now = node.clock.now();
    let (due, next) = expiries.due(now);
    for client in due {
        node.token_expired(&client);
    }
    let wait = |next: Timestamp| Duration::from_millis(next.as_millis().saturating_sub(now.as_millis()));
    Some(next.map(|next| wait(next).min(AT_MOST)))
}

impl Node {
    /// Tells the client why, and disconnects it.
    fn token_expired(&self, client: &Client) {
        tracing::debug!(target: "roomwire", client = %Printable(client.id()), "disconnected: its token has expired");
        if let Ok(payload) = Payload::encode(&Error::new(ErrorCode::TokenExpired)) {
            let event = OutboundEvent::new(EventName::ERROR, payload);
            let namespace = self.namespace(client.namespace());
            // A client that is gone need not be told.
            let _ = self.deliver_to_client(&namespace, client.id(), &event);
        }
        self.disconnect_here(client, DisconnectReason::TokenExpired);
    }
}
