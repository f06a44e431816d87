//! Messages between the nodes of a hub.

use std::{
    collections::HashSet,
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use parking_lot::Mutex;
use roomwire_core::{Backplane, BackplaneEvent, BackplaneEvents, Channel, NodeProcess, StateError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{
    MemoryState,
    bus::{Bus, Inbox, Port},
};

/// One node's connection to the bus.
#[derive(Debug)]
pub(crate) struct Link {
    port: Port,
    phase: Mutex<Phase>,
}

#[derive(Debug)]
enum Phase {
    New,
    Open { inbox: Inbox, channels: HashSet<Channel> },
    Closed,
}

impl Link {
    pub(crate) fn new(port: Port) -> Self {
        Self { port, phase: Mutex::new(Phase::New) }
    }

    fn open(&self) -> Result<UnboundedReceiver<Bytes>, StateError> {
        let mut phase = self.phase.lock();
        if !matches!(*phase, Phase::New) {
            return Err(StateError::unavailable("the backplane of this node was opened before"));
        }
        let (inbox, messages) = unbounded_channel();
        *phase = Phase::Open { inbox, channels: HashSet::new() };
        Ok(messages)
    }

    fn subscribe(&self, bus: &Bus, channel: &Channel) -> Result<(), StateError> {
        let mut phase = self.phase.lock();
        let Phase::Open { inbox, channels } = &mut *phase else {
            return Err(StateError::unavailable("the backplane of this node is not open"));
        };
        if channels.insert(channel.clone()) {
            bus.subscribe(self.port, channel, inbox);
        }
        Ok(())
    }

    fn unsubscribe(&self, bus: &Bus, channel: &Channel) {
        if let Phase::Open { channels, .. } = &mut *self.phase.lock()
            && channels.remove(channel)
        {
            bus.unsubscribe(self.port, channel);
        }
    }

    pub(crate) fn close(&self, bus: &Bus) {
        let mut phase = self.phase.lock();
        if let Phase::Open { channels, .. } = std::mem::replace(&mut *phase, Phase::Closed) {
            channels.iter().for_each(|channel| bus.unsubscribe(self.port, channel));
        }
    }
}

/// The incoming messages; ends when no subscription is left.
struct Incoming(UnboundedReceiver<Bytes>);

impl Stream for Incoming {
    type Item = BackplaneEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BackplaneEvent>> {
        Poll::Ready(ready!(self.0.poll_recv(cx)).map(BackplaneEvent::Message))
    }
}

/// Never yields a [`BackplaneEvent::Interrupted`] or [`BackplaneEvent::Gap`]: no connection can break within one
/// process. The queue of incoming messages is unbounded, so that no node waits for another.
#[async_trait]
impl Backplane for MemoryState {
    async fn open(&self, process: &NodeProcess) -> Result<BackplaneEvents, StateError> {
        let messages = self.link.open()?;
        for channel in [Channel::Node(process.clone()), Channel::Cluster] {
            self.link.subscribe(&self.shared.bus, &channel)?;
        }
        Ok(Box::pin(Incoming(messages)))
    }

    async fn subscribe(&self, channel: &Channel) -> Result<(), StateError> {
        self.link.subscribe(&self.shared.bus, channel)
    }

    async fn unsubscribe(&self, channel: &Channel) -> Result<(), StateError> {
        self.link.unsubscribe(&self.shared.bus, channel);
        Ok(())
    }

    async fn publish(&self, channel: &Channel, message: Bytes) -> Result<(), StateError> {
        self.shared.bus.publish(self.link.port, channel, &message);
        Ok(())
    }

    fn may_reach_others(&self, channel: &Channel) -> bool {
        self.shared.bus.reaches_others(self.link.port, channel)
    }

    async fn close(&self) {
        self.link.close(&self.shared.bus);
    }
}
