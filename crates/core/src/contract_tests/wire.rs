//! Fixtures for the properties of a backplane.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::Cluster;
use crate::{
    Backplane, BackplaneEvent, BackplaneEvents, Channel, Incarnation, Namespace, NodeId, NodeProcess, RoomId, RoomKey,
};

/// How long to wait for an expected message.
const ARRIVES: Duration = Duration::from_secs(10);
/// How long to wait for a message that must not arrive.
const QUIET: Duration = Duration::from_millis(50);

pub(super) fn room_channel(name: &str) -> Channel {
    Channel::Room(RoomKey::new(Namespace::root(), RoomId::new(name).expect("valid")))
}

/// An open backplane. Its methods expect that calls succeed.
pub(super) struct Wire {
    pub(super) backplane: Arc<dyn Backplane>,
    pub(super) process: NodeProcess,
    incoming: BackplaneEvents,
}

impl Wire {
    pub(super) async fn open(cluster: &dyn Cluster) -> Self {
        Self::open_as(cluster, NodeId::random()).await
    }

    pub(super) async fn open_as(cluster: &dyn Cluster, node: NodeId) -> Self {
        let backplane = cluster.node().await.backplane;
        let process = Incarnation::begin(node).process();
        let incoming = backplane.open(&process).await.expect("opens");
        Self { backplane, process, incoming }
    }

    pub(super) async fn three(cluster: &dyn Cluster) -> [Self; 3] {
        [Self::open(cluster).await, Self::open(cluster).await, Self::open(cluster).await]
    }

    /// The channel of this process.
    pub(super) fn own(&self) -> Channel {
        Channel::Node(self.process.clone())
    }

    pub(super) async fn subscribe(&self, channel: &Channel) {
        self.backplane.subscribe(channel).await.expect("subscribes");
    }

    pub(super) async fn unsubscribe(&self, channel: &Channel) {
        self.backplane.unsubscribe(channel).await.expect("unsubscribes");
    }

    pub(super) async fn publish(&self, channel: &Channel, text: &str) {
        self.backplane.publish(channel, Bytes::copy_from_slice(text.as_bytes())).await.expect("publishes");
    }

    /// The next message; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match timeout(ARRIVES, self.incoming.next()).await.expect("a message or the end") {
                Some(BackplaneEvent::Message(message)) => return Some(message),
                Some(BackplaneEvent::Interrupted | BackplaneEvent::Gap | BackplaneEvent::Unreadable(_)) => {}
                Some(BackplaneEvent::Refused(refusal)) => panic!("{refusal}"),
                None => return None,
            }
        }
    }

    /// The next message, as text.
    pub(super) async fn text(&mut self) -> String {
        let message = self.next().await.expect("a message, not the end");
        String::from_utf8(message.to_vec()).expect("text")
    }

    pub(super) async fn expect(&mut self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.text().await, *text);
        }
    }

    /// Asserts that no message arrives.
    pub(super) async fn expect_nothing(&mut self) {
        if let Ok(Some(BackplaneEvent::Message(message))) = timeout(QUIET, self.incoming.next()).await {
            panic!("unexpected: {message:?}");
        }
    }
}
