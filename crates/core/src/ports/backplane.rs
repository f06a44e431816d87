//! The port over which nodes talk to each other.

use std::{fmt, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use super::StateError;
use crate::{Namespace, NodeId, RoomKey};

/// Where a message is published, and what a node subscribes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The nodes that have members of this room.
    Room(RoomKey),
    /// The nodes that have clients of this namespace.
    Namespace(Namespace),
    /// One node.
    Node(NodeId),
    /// Every node: each is subscribed from the moment its backplane is open.
    Cluster,
}

/// What comes in over the backplane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackplaneEvent {
    /// A message on a channel this node is subscribed to.
    Message(Bytes),
    /// The connection is away, and messages are being missed. A [`Gap`](Self::Gap) follows when it is back. Said at
    /// most once for each interruption, and not for one so short that the backplane only notices it when it is over.
    Interrupted,
    /// Messages may have been missed: the connection was away. The channels are subscribed again.
    Gap,
}

/// The incoming side of a backplane. It ends when the backplane is closed.
pub type BackplaneEvents = Pin<Box<dyn Stream<Item = BackplaneEvent> + Send>>;

/// How nodes reach each other.
///
/// # Rules
///
/// * **At most once.** A message arrives once or, when the connection broke, not at all; then a
///   [`BackplaneEvent::Gap`] says so.
/// * **Order.** Messages of one node on one channel arrive in the order in which they were published.
/// * **Subscribed means subscribed.** After [`subscribe`](Self::subscribe) returned, every message that is
///   published from then on, by any node, arrives.
/// * A node does not get its own messages back.
/// * Messages are opaque bytes: [`Envelope`](crate::Envelope) says what they mean.
#[async_trait]
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Opens the incoming side and subscribes to [`Channel::Node`] of this node and to [`Channel::Cluster`]. Called
    /// until it succeeds, which is once: an attempt that failed, or whose future was dropped, leaves nothing open.
    async fn open(&self, node: &NodeId) -> Result<BackplaneEvents, StateError>;

    /// Subscribes; returns when the subscription is in force. Idempotent.
    async fn subscribe(&self, channel: &Channel) -> Result<(), StateError>;

    /// Ends a subscription, however often it was begun. Messages on their way may still arrive; what is
    /// published after this returned does not. Idempotent.
    async fn unsubscribe(&self, channel: &Channel) -> Result<(), StateError>;

    /// Publishes to the other nodes that are subscribed; no error when there are none.
    async fn publish(&self, channel: &Channel, message: Bytes) -> Result<(), StateError>;

    /// False only when it is certain that no other node is subscribed, so that a message need not even
    /// be encoded; from the moment another node's [`subscribe`](Self::subscribe) returned, true. Asked for
    /// every broadcast: it must be cheap and must not wait.
    fn may_reach_others(&self, channel: &Channel) -> bool;

    /// Ends the incoming side and all subscriptions. Idempotent.
    async fn close(&self);
}
