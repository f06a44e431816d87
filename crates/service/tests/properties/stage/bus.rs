//! A backplane that counts its calls, and fails or waits when it is told to.

use std::{ops::Deref, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use roomwire_core::{Backplane, BackplaneEvents, Channel, NodeId, StateError};

use super::script::{Script, forward};

/// Another backplane, under a [`Script`].
#[derive(Debug)]
pub(crate) struct WatchedBus {
    inner: Arc<dyn Backplane>,
    script: Script,
}

impl WatchedBus {
    pub(crate) fn new(inner: Arc<dyn Backplane>) -> Arc<Self> {
        Arc::new(Self { inner, script: Script::default() })
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
        forward!(self.open(node))
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
