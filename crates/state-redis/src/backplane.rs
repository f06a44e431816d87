//! Messages between nodes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use roomwire_core::{Backplane, BackplaneEvent, BackplaneEvents, Channel, MessageLimit, NodeProcess, StateError};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    RedisState, frame,
    router::{Repeat, error_about},
};

struct Incoming(UnboundedReceiver<BackplaneEvent>);

impl Stream for Incoming {
    type Item = BackplaneEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BackplaneEvent>> {
        self.0.poll_recv(cx)
    }
}

/// Over sharded channels: a message goes to the server of the channel's slot, and from there to the subscribed nodes.
/// The queue of incoming messages is unbounded.
#[async_trait]
impl Backplane for RedisState {
    async fn open(&self, process: &NodeProcess) -> Result<BackplaneEvents, StateError> {
        let incoming = self.subscriptions.open(&[Channel::Node(process.clone()), Channel::Cluster]).await?;
        Ok(Box::pin(Incoming(incoming)))
    }

    async fn subscribe(&self, channel: &Channel) -> Result<(), StateError> {
        self.subscriptions.begin(channel).await
    }

    async fn unsubscribe(&self, channel: &Channel) -> Result<(), StateError> {
        self.subscriptions.end(channel);
        Ok(())
    }

    /// Fails at once while the server is known to be unreachable: no subscriber would get the message, so the sender
    /// does not wait.
    async fn publish(&self, channel: &Channel, message: Bytes) -> Result<(), StateError> {
        if let Some(limit) = &self.message_limit
            && message.len() > limit.bytes
        {
            return Err(StateError::TooLarge { bytes: message.len(), most: limit.bytes });
        }
        let router = &self.shared.router;
        let (name, slot) = router.keys.channel(channel);
        let connection = lane_of(&name);
        let mut command = redis::cmd("SPUBLISH");
        command.arg(&name).arg(frame::message(self.subscriptions.origin(), &message));
        let published = router.call(slot, connection, &command, Repeat::NeverWait, router.deadline()).await;
        published.map(drop).map_err(|failure| error_about("SPUBLISH", Some(&name), &failure))
    }

    /// From the servers' `client-output-buffer-limit pubsub`, as read when this node connected.
    fn message_limit(&self) -> Option<MessageLimit> {
        self.message_limit.clone()
    }

    /// Always: another node may have subscribed a moment ago, and only the server knows.
    fn may_reach_others(&self, _: &Channel) -> bool {
        true
    }

    async fn close(&self) {
        self.subscriptions.close();
    }
}

/// Messages of one channel use one connection, so that their order is kept.
fn lane_of(channel: &str) -> usize {
    crc16::State::<crc16::XMODEM>::calculate(channel.as_bytes()).into()
}
