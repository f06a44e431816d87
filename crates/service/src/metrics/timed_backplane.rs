//! A backplane with a timer around each call.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use roomwire_core::{Backplane, BackplaneEvents, Channel, MessageLimit, NodeProcess, StateError};

use super::timed_call::TimedCalls;

const PUBLISH: &str = "publish";
const SUBSCRIBE: &str = "subscribe";
const UNSUBSCRIBE: &str = "unsubscribe";
const OPEN: &str = "open";

/// The methods of the backplane that are timed.
pub(super) const OPERATIONS: &[&str] = &[PUBLISH, SUBSCRIBE, UNSUBSCRIBE, OPEN];

/// Measures the calls of a backplane.
#[derive(Debug)]
pub(super) struct TimedBackplane {
    backplane: Arc<dyn Backplane>,
    calls: TimedCalls,
}

impl TimedBackplane {
    pub(super) fn new(backplane: Arc<dyn Backplane>, calls: TimedCalls) -> Self {
        Self { backplane, calls }
    }
}

#[async_trait]
impl Backplane for TimedBackplane {
    async fn open(&self, process: &NodeProcess) -> Result<BackplaneEvents, StateError> {
        self.calls.time(OPEN, self.backplane.open(process)).await
    }

    async fn subscribe(&self, channel: &Channel) -> Result<(), StateError> {
        self.calls.time(SUBSCRIBE, self.backplane.subscribe(channel)).await
    }

    async fn unsubscribe(&self, channel: &Channel) -> Result<(), StateError> {
        self.calls.time(UNSUBSCRIBE, self.backplane.unsubscribe(channel)).await
    }

    async fn publish(&self, channel: &Channel, message: Bytes) -> Result<(), StateError> {
        self.calls.time(PUBLISH, self.backplane.publish(channel, message)).await
    }

    fn message_limit(&self) -> Option<MessageLimit> {
        self.backplane.message_limit()
    }

    fn may_reach_others(&self, channel: &Channel) -> bool {
        self.backplane.may_reach_others(channel)
    }

    async fn close(&self) {
        self.backplane.close().await;
    }
}
