//! The reading side: a stream of items.

use std::{
    collections::HashSet,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use parking_lot::Mutex;
use roomwire_core::{ClientId, Namespace, UserId};

use super::{
    Activity, FollowTarget, Followed, Followers,
    queue::{Missed, Queue},
};

/// The live items of a room, a user, a client or all of them, from the return of
/// [`follow`](crate::WebSocketService::follow) on.
///
/// It is a stream. It ends when it is dropped, when the node stops, and when the service is dropped.
///
/// # Slow readers
/// Up to 1024 items wait for the reader, with 8 MiB of payloads. Beyond that the oldest are dropped, and the reader
/// gets an [`Activity::Missed`] with their number. A slow reader slows nothing else down.
///
/// # Ordering
/// The messages to a room are in the order in which its members get them, and the events of a client in the order of
/// their handling.
#[derive(Debug)]
pub struct Follower {
    entry: Arc<Entry>,
    followers: Arc<Followers>,
    _subscription: Subscription,
}

/// The writing side of a follower.
pub(super) struct Entry {
    pub(super) namespace: Namespace,
    pub(super) target: FollowTarget,
    pub(super) queue: Queue,
    user_of: UserOf,
    /// The clients of the followed user on this node, as far as they are reported. A report about a client that has
    /// disconnected does not name its user.
    clients: Mutex<HashSet<ClientId>>,
}

/// The user of a client of this node.
pub(crate) type UserOf = Box<dyn Fn(&ClientId) -> Option<UserId> + Send + Sync>;

/// A subscription to other nodes, for the lifetime of this value.
pub(crate) struct Subscription(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Subscription {
    /// One that remains in any case.
    pub(crate) fn permanent() -> Self {
        Self(None)
    }

    /// One that this ends.
    pub(crate) fn until(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl Follower {
    pub(super) fn new(entry: Arc<Entry>, followers: Arc<Followers>, subscription: Subscription) -> Self {
        Self { entry, followers, _subscription: subscription }
    }

    /// The next item. `None` after the node has stopped. Cancel safe: a dropped call loses no item.
    pub async fn next(&mut self) -> Option<Followed> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// What is followed.
    #[must_use]
    pub fn target(&self) -> &FollowTarget {
        &self.entry.target
    }

    /// In which namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.entry.namespace
    }
}

impl Stream for Follower {
    type Item = Followed;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Followed>> {
        let next = ready!(self.entry.queue.poll(cx));
        Poll::Ready(next.map(|next| {
            next.unwrap_or_else(|Missed(items)| Followed {
                at: self.followers.now(),
                namespace: self.entry.namespace.clone(),
                client: None,
                user: None,
                room: None,
                activity: Activity::Missed { items },
            })
        }))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.followers.remove(&self.entry);
    }
}

impl Entry {
    pub(super) fn new(namespace: Namespace, target: FollowTarget, user_of: UserOf) -> Self {
        Self { namespace, target, queue: Queue::default(), user_of, clients: Mutex::default() }
    }

    /// Adds the clients that the followed user has. Call it once the entry gets reports.
    pub(super) fn add_clients(&self, connected: impl FnOnce(&UserId) -> Vec<ClientId>) {
        if let FollowTarget::User(user) = &self.target {
            // Under the lock: a disconnect that is reported meanwhile removes its client afterwards.
            let mut clients = self.clients.lock();
            clients.extend(connected(user));
        }
    }

    /// The user of a client, if it is known.
    pub(super) fn user_of(&self, client: &ClientId) -> Option<UserId> {
        match &self.target {
            FollowTarget::User(user) if self.clients.lock().contains(client) => Some(user.clone()),
            _ => (self.user_of)(client),
        }
    }

    /// Notes what is reported about a client, and returns its user if it is known.
    pub(super) fn note(&self, client: &ClientId, activity: &Activity) -> Option<UserId> {
        let user = self.user_of(client);
        if let FollowTarget::User(followed) = &self.target
            && user.as_ref() == Some(followed)
        {
            match activity {
                Activity::Disconnected { .. } => drop(self.clients.lock().remove(client)),
                _ => drop(self.clients.lock().insert(client.clone())),
            }
        }
        user
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("namespace", &self.namespace)
            .field("target", &self.target)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").finish_non_exhaustive()
    }
}
