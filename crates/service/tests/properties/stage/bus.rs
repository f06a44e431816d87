//! A backplane that counts its calls, and fails or waits when it is told to.

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
use roomwire_core::{Backplane, BackplaneEvent, BackplaneEvents, Channel, NodeId, StateError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::script::{Script, forward};

/// Another backplane, under a [`Script`].
#[derive(Debug)]
pub(crate) struct WatchedBus {
    inner: Arc<dyn Backplane>,
    script: Script,
    says: UnboundedSender<BackplaneEvent>,
    said: Mutex<Option<UnboundedReceiver<BackplaneEvent>>>,
    is_deaf: Arc<AtomicBool>,
}

impl WatchedBus {
    pub(crate) fn new(inner: Arc<dyn Backplane>) -> Arc<Self> {
        let (says, said) = unbounded_channel();
        Arc::new(Self { inner, script: Script::default(), says, said: Mutex::new(Some(said)), is_deaf: Arc::default() })
    }

    /// Loses the messages of other nodes from now on, or no more.
    pub(crate) fn be_deaf(&self, deaf: bool) {
        self.is_deaf.store(deaf, Ordering::SeqCst);
    }

    /// Lets this come in, as if it were said by what lies below.
    pub(crate) fn say(&self, event: BackplaneEvent) {
        self.says.send(event).expect("is open");
    }

    fn inner(&self) -> &dyn Backplane {
        &*self.inner
    }
}

impl Deref for WatchedBus {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
    }
}

#[async_trait]
impl Backplane for WatchedBus {
    async fn open(&self, node: &NodeId) -> Result<BackplaneEvents, StateError> {
        let incoming: Result<_, StateError> = forward!(self.open(node));
        let said = self.said.lock().take().expect("opens once");
        let is_deaf = self.is_deaf.clone();
        let heard = incoming?.filter(move |_| std::future::ready(!is_deaf.load(Ordering::SeqCst)));
        Ok(Box::pin(stream::select(heard, UnboundedReceiverStream::new(said))))
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
