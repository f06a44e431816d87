//! The port for messages between nodes.

use std::{fmt, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use super::{MessageLimit, Refusal, StateError};
use crate::{Namespace, NodeProcess, RoomKey};

/// The channel of a message, to which nodes subscribe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The nodes that have members of this room.
    Room(RoomKey),
    /// The nodes that have clients of this namespace.
    Namespace(Namespace),
    /// One process of a node. Processes with the same node id have separate channels.
    Node(NodeProcess),
    /// Every node. A node is subscribed as soon as its backplane is open.
    Cluster,
}

/// An incoming event of the backplane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackplaneEvent {
    /// A message on a channel this node is subscribed to.
    Message(Bytes),
    /// The connection is lost, and messages are being missed. A [`Gap`](Self::Gap) follows when it is restored. Sent at
    /// most once for each interruption, and not for one so short that the backplane notices it only afterwards.
    Interrupted,
    /// Messages may have been missed, because the connection was lost. The channels are subscribed again.
    Gap,
    /// A subscription that was in force cannot be restored, because the backend refuses it. Repeated as long as it
    /// does.
    Refused(Refusal),
    /// A message on a channel this node is subscribed to cannot be read and is lost: it was damaged in transit, comes
    /// from another version of the backend, or is not of this service. Holds the reason.
    Unreadable(String),
}

/// The incoming side of a backplane. It ends when the backplane is closed.
pub type BackplaneEvents = Pin<Box<dyn Stream<Item = BackplaneEvent> + Send>>;

/// Carries messages between nodes.
///
/// # Rules
///
/// * **At most once.** A message arrives once or, if the connection broke, not at all; a [`BackplaneEvent::Gap`] then
///   reports it. A backend need not notice that a message is damaged: [`Envelope`](crate::Envelope) has a checksum. A
///   message that the backend itself cannot read is [`BackplaneEvent::Unreadable`].
/// * **Order.** Messages of one node on one channel arrive in the order in which they were published.
/// * **Subscribed means subscribed.** After [`subscribe`](Self::subscribe) returned, every message that is
///   published from then on, by any node, arrives.
/// * A node does not get its own messages back.
/// * Messages are opaque bytes: [`Envelope`](crate::Envelope) defines their meaning.
#[async_trait]
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Opens the incoming side and subscribes to [`Channel::Node`] of this process and to [`Channel::Cluster`]. Called
    /// again until it succeeds, then never again. A failed or cancelled attempt leaves nothing open.
    async fn open(&self, process: &NodeProcess) -> Result<BackplaneEvents, StateError>;

    /// Subscribes to a channel; returns when the subscription is in force. Idempotent.
    async fn subscribe(&self, channel: &Channel) -> Result<(), StateError>;

    /// Ends a subscription, however often it was begun. Messages in flight may still arrive; messages that are
    /// published after this returned do not. Idempotent.
    async fn unsubscribe(&self, channel: &Channel) -> Result<(), StateError>;

    /// Publishes to the other nodes that are subscribed; no error if there are none. A message above
    /// [`message_limit`](Self::message_limit) fails with [`StateError::TooLarge`] and affects no other message.
    async fn publish(&self, channel: &Channel, message: Bytes) -> Result<(), StateError>;

    /// The largest message that can be published. `None` if only the size of an [`Envelope`](crate::Envelope) is
    /// bounded.
    fn message_limit(&self) -> Option<MessageLimit> {
        None
    }

    /// Returns false only if it is certain that no other node is subscribed, so that a message need not even be
    /// encoded. Returns true once another node's [`subscribe`](Self::subscribe) has returned. Called for every
    /// broadcast, so it must be cheap and must not wait.
    fn may_reach_others(&self, channel: &Channel) -> bool;

    /// Ends the incoming side and all subscriptions. Idempotent.
    async fn close(&self);
}
