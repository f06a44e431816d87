//! A backplane with faults and random delays.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use roomwire_core::{Backplane, BackplaneEvent, BackplaneEvents, Channel, NodeProcess, StateError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::{
    faults::{Faults, forward},
    random::Random,
};

/// The backplane of one node.
#[derive(Debug)]
pub(crate) struct FaultyBus {
    inner: Arc<dyn Backplane>,
    random: Random,
    faults: Faults,
    deaf: Arc<AtomicBool>,
    inject: UnboundedSender<BackplaneEvent>,
    injected: Mutex<Option<UnboundedReceiver<BackplaneEvent>>>,
}

impl FaultyBus {
    pub(crate) fn new(inner: Arc<dyn Backplane>, random: Random) -> Arc<Self> {
        let (inject, injected) = unbounded_channel();
        Arc::new(Self {
            inner,
            faults: Faults::new(random.clone()),
            random,
            deaf: Arc::default(),
            inject,
            injected: Mutex::new(Some(injected)),
        })
    }

    /// Injects an incoming event.
    pub(crate) fn inject(&self, event: BackplaneEvent) {
        // Fails once the node has stopped.
        let _ = self.inject.send(event);
    }

    /// Drops incoming messages, or lets them pass.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::Relaxed);
    }

    pub(crate) fn inner(&self) -> &dyn Backplane {
        &*self.inner
    }
}

impl Deref for FaultyBus {
    type Target = Faults;

    fn deref(&self) -> &Faults {
        &self.faults
    }
}

#[async_trait]
impl Backplane for FaultyBus {
    async fn open(&self, node: &NodeProcess) -> Result<BackplaneEvents, StateError> {
        let incoming: Result<BackplaneEvents, _> = forward!(self.open(node));
        let (random, deaf) = (self.random.clone(), self.deaf.clone());
        let heard = incoming?
            .then(move |event| {
                let random = random.clone();
                async move {
                    random.yield_randomly("incoming").await;
                    event
                }
            })
            .filter(move |_| std::future::ready(!deaf.load(Ordering::Relaxed)));
        let injected = UnboundedReceiverStream::new(self.injected.lock().take().expect("opens once"));
        // Ends with the inner stream.
        let heard = heard.map(Some).chain(stream::iter([None]));
        let both = stream::select(heard, injected.map(Some));
        Ok(Box::pin(both.take_while(|event| std::future::ready(event.is_some())).filter_map(std::future::ready)))
    }

    async fn subscribe(&self, channel: &Channel) -> Result<(), StateError> {
        forward!(self.subscribe(channel))
    }

    async fn unsubscribe(&self, channel: &Channel) -> Result<(), StateError> {
        forward!(self.unsubscribe(channel))
    }

    async fn publish(&self, channel: &Channel, message: Bytes) -> Result<(), StateError> {
        forward!(self.publish(channel, message))
    }

    fn may_reach_others(&self, channel: &Channel) -> bool {
        self.inner.may_reach_others(channel)
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
