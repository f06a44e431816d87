//! A room as this node sees it: its own members, and the subscription they share.

use std::collections::HashMap;

use metrics::Gauge;
use parking_lot::Mutex;
use roomwire_core::{Channel, ClientId, Escaped, RoomKey, StateError, UserId};

use super::{Client, clients::for_each};
use crate::backend::{Backend, Deadline};

/// This node's members of a room.
#[derive(Debug)]
pub(crate) struct LocalRoom {
    key: RoomKey,
    members: Mutex<HashMap<ClientId, Client>>,
    /// Members of all rooms of this node.
    memberships: Gauge,
    /// Locked during subscribe and unsubscribe, so that the two never overlap.
    subscription: tokio::sync::Mutex<Subscription>,
}

/// The members of a room during a delivery.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a>(&'a HashMap<ClientId, Client>);

impl Members<'_> {
    /// Calls `deliver` for each of them except one.
    pub(crate) fn for_each(&self, except: Option<&ClientId>, deliver: impl FnMut(&Client)) {
        for_each(self.0, except, deliver);
    }

    pub(crate) fn has(&self, client: &ClientId) -> bool {
        self.0.contains_key(client)
    }

    /// Whether a client of this user is among them, besides one.
    pub(crate) fn has_user(&self, user: &UserId, except: Option<&ClientId>) -> bool {
        self.0.values().any(|member| member.user() == Some(user) && Some(member.id()) != except)
    }
}

#[derive(Debug, Default)]
struct Subscription {
    /// The use count: members, and clients about to become members.
    users: usize,
    in_force: bool,
    /// Set when the use count is zero and the room was removed from the namespace.
    retired: bool,
}

impl LocalRoom {
    pub(super) fn new(key: RoomKey, memberships: Gauge) -> Self {
        Self { key, members: Mutex::default(), memberships, subscription: tokio::sync::Mutex::default() }
    }

    pub(crate) fn key(&self) -> &RoomKey {
        &self.key
    }

    /// Calls `deliver` with the members, exclusive of joins, leaves and other deliveries: all members see all messages in
    /// one order. It must not wait and must not touch the room.
    pub(crate) fn with_members(&self, deliver: impl FnOnce(Members<'_>)) {
        deliver(Members(&self.members.lock()));
    }

    /// A copy of the members, sorted by id.
    pub(crate) fn members(&self) -> Vec<Client> {
        let mut members: Vec<Client> = self.members.lock().values().cloned().collect();
        members.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        members
    }

    pub(crate) fn add(&self, client: Client) {
        if self.members.lock().insert(client.id().clone(), client).is_none() {
            self.memberships.increment(1);
        }
    }

    pub(crate) fn remove(&self, client: &ClientId) -> bool {
        let was_member = self.members.lock().remove(client).is_some();
        if was_member {
            self.memberships.decrement(1);
        }
        was_member
    }

    /// Subscribes this node to the room, if necessary, and increments the use count; a single attempt. Returns false if
    /// the room was retired in the meantime: look it up again.
    pub(super) async fn enter(&self, backend: &Backend) -> Result<bool, StateError> {
        let mut subscription = self.subscription.lock().await;
        if subscription.retired {
            return Ok(false);
        }
        if !subscription.in_force {
            backend.backplane.subscribe(&Channel::Room(self.key.clone())).await?;
            subscription.in_force = true;
        }
        subscription.users += 1;
        Ok(true)
    }

    /// Decrements the use count. Returns true if it is zero: the room is retired and unsubscribed.
    pub(super) async fn exit(&self, backend: &Backend, until: Deadline) -> bool {
        let mut subscription = self.subscription.lock().await;
        subscription.users = subscription.users.saturating_sub(1);
        self.retire_unused(&mut subscription, backend, until).await
    }

    /// Undoes a failed `enter`. Returns true if the use count is zero and the room is retired.
    pub(super) async fn abandon(&self, backend: &Backend) -> bool {
        let mut subscription = self.subscription.lock().await;
        self.retire_unused(&mut subscription, backend, backend.deadline()).await
    }

    async fn retire_unused(&self, subscription: &mut Subscription, backend: &Backend, until: Deadline) -> bool {
        if subscription.users > 0 {
            return false;
        }
        let channel = Channel::Room(self.key.clone());
        if !std::mem::replace(&mut subscription.retired, true)
            && let Err(error) = backend.call(until, backend.backplane.unsubscribe(&channel)).await
        {
            // The subscription remains, which costs a little and is harmless.
            tracing::debug!(target: "roomwire", room = ?self.key, error = %Escaped(&error), "subscription could not be ended");
        }
        true
    }
}
