//! The subscriptions of nodes, and the delivery of messages.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use parking_lot::RwLock;
use roomwire_core::Channel;
use tokio::sync::mpsc::UnboundedSender;

/// The channel for messages to one node.
///
/// The channel is unbounded. With a bound, a publisher would have to wait for the slowest node, or a message would be
/// lost although no connection can break here. The receiver hands messages to local connections without waiting, and
/// those have their own bounds.
pub(crate) type Inbox = UnboundedSender<Bytes>;

/// One node on the bus. Node names do not identify a node here, because two nodes may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port(u64);

/// The subscriptions of all nodes of a hub.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    /// Publishing only reads, so broadcasts of different nodes do not wait for each other. A channel
    /// without subscribers is not kept.
    channels: RwLock<HashMap<Channel, Vec<(Port, Inbox)>>>,
    ports: AtomicU64,
}

impl Bus {
    pub(crate) fn attach(&self) -> Port {
        Port(self.ports.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn subscribe(&self, port: Port, channel: &Channel, inbox: &Inbox) {
        let mut channels = self.channels.write();
        let subscribers = channels.entry(channel.clone()).or_default();
        if subscribers.iter().all(|(other, _)| *other != port) {
            subscribers.push((port, inbox.clone()));
        }
    }

    pub(crate) fn unsubscribe(&self, port: Port, channel: &Channel) {
        let mut channels = self.channels.write();
        let Some(subscribers) = channels.get_mut(channel) else { return };
        subscribers.retain(|(other, _)| *other != port);
        if subscribers.is_empty() {
            channels.remove(channel);
        }
    }

    pub(crate) fn publish(&self, from: Port, channel: &Channel, message: &Bytes) {
        let channels = self.channels.read();
        for (_, inbox) in channels.get(channel).into_iter().flatten().filter(|(port, _)| *port != from) {
            // Fails if the receiver was dropped; the message is not needed then.
            let _ = inbox.send(message.clone());
        }
    }

    pub(crate) fn reaches_others(&self, from: Port, channel: &Channel) -> bool {
        self.channels.read().get(channel).is_some_and(|subscribers| subscribers.iter().any(|(port, _)| *port != from))
    }
}
