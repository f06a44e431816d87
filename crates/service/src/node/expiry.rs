//! Disconnects clients when their identity expires.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{
    DisconnectReason, Error, ErrorCode, Escaped, EventName, Identity, OutboundEvent, Payload, Timestamp,
};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::Client;

/// The longest wait: the system clock may be changed meanwhile.
const AT_MOST: Duration = Duration::from_millis(500);

/// The clients of this node with an identity that expires, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    ends: Mutex<BTreeMap<(Timestamp, usize), Client>>,
    changed: Notify,
}

impl Expiries {
    /// Disconnects the client when its identity expires. Does nothing if it is disconnected already.
    pub(crate) fn watch(&self, client: &Client) {
        let mut ends = self.ends.lock();
        self.insert(&mut ends, client);
    }

    /// Gives the client a newer identity, which must be of the same user.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED` if the current identity has expired: the client is being disconnected.
    pub(crate) fn renew(&self, client: &Client, identity: Arc<Identity>, now: Timestamp) -> Result<(), Error> {
        let mut ends = self.ends.lock();
        // Under the lock: a client that is being disconnected was removed before.
        let before = client.identity();
        if before.is_expired(now) || !remove(&mut ends, client, &before) {
            return Err(ErrorCode::TokenExpired.into());
        }
        client.set_identity(identity);
        self.insert(&mut ends, client);
        Ok(())
    }

    /// Removes a client that has disconnected.
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

    /// Removes the expired clients. Returns them, and the time of the next expiry.
    fn due(&self, now: Timestamp) -> (Vec<Client>, Option<Timestamp>) {
        let mut ends = self.ends.lock();
        let mut due = Vec::new();
        while let Some(first) = ends.first_entry().filter(|first| first.key().0 <= now) {
            due.push(first.remove());
        }
        (due, ends.first_key_value().map(|((end, _), _)| *end))
    }
}

/// Returns false if its expiry is not listed: the client is disconnected, or about to be.
fn remove(ends: &mut BTreeMap<(Timestamp, usize), Client>, client: &Client, identity: &Identity) -> bool {
    identity.expires_at.is_none_or(|end| ends.remove(&(end, client.serial())).is_some())
}

/// Runs until the token is cancelled or the node is dropped.
pub(super) fn spawn(node: &Arc<Node>, stop: CancellationToken) {
    let (expiries, node) = (node.expiries.clone(), Arc::downgrade(node));
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            let Some(wait) = end_those_due(&node, &expiries) else { return };
            match wait {
                // Until the next expiry, or until the list changes.
                Some(wait) => drop(timeout(wait, expiries.changed.notified()).await),
                None => expiries.changed.notified().await,
            }
        }
    }));
}

/// The time until the next expiry, if there is one. `None` if the node was dropped.
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
    /// Sends the reason to the client and disconnects it.
    fn token_expired(&self, client: &Client) {
        tracing::debug!(target: "roomwire", client = %Escaped(client.id()), "disconnected: its token has expired");
        if let Ok(payload) = Payload::encode(&Error::new(ErrorCode::TokenExpired)) {
            let event = OutboundEvent::new(EventName::ERROR, payload);
            // A client that has disconnected does not need it.
            let _ = self.deliver_to_client(client, &event);
        }
        self.disconnect_here(client, DisconnectReason::TokenExpired);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use roomwire_core::{ClientId, ErrorCode, Identity, Namespace, Timestamp, UserId};
    use roomwire_state_memory::MemoryState;

    use crate::{Gateway, Handshake, WebSocketConfig, WebSocketService, testing::TestServer};

    #[tokio::test]
    async fn an_identity_that_is_being_expired_cannot_be_renewed() {
        let builder = WebSocketService::builder(WebSocketConfig::default()).state(MemoryState::new());
        let service = builder.build().await.expect("builds");
        let server = TestServer::new(service.clone(), Gateway::new()).expect("mounts");
        let end = Timestamp::from_millis(u64::MAX);
        let identity = Identity { expires_at: Some(end), ..Identity::of(UserId::new("ada").expect("valid")) };
        let handshake = Handshake::identified(ClientId::new("c").expect("valid"), identity.clone());
        let client = server.connect_with(&Namespace::root(), handshake).await.expect("connects");
        let expiries = &service.node.expiries;
        let (due, _) = expiries.due(end);
        assert_eq!(due.len(), 1);
        let longer = Arc::new(Identity { expires_at: None, ..identity });
        let refused = expiries.renew(client.handle(), longer, Timestamp::from_millis(0)).expect_err("too late");
        assert_eq!(refused.code(), ErrorCode::TokenExpired);
    }
}
