//! Checks whether messages that this node publishes reach its own subscriptions.
//!
//! An address can lead new connections to another server while a subscribed connection stays open at the former one,
//! which answers pings and delivers no messages. So each link also subscribes to a channel that only this node knows,
//! and a script publishes to it over every command connection. If no subscription received the message, the connections
//! of this address are at different servers, and all of them are reopened.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::mpsc::UnboundedSender,
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::Hub;
use crate::{
    keys::Partition,
    pubsub_connection::{LinkId, PubSubConnection, Signal},
    router::{Repeat, Router},
    script,
};

/// The interval of probes for each link.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// The delay before a probe without receivers is repeated: a link that breaks at that moment reports it meanwhile.
const SECOND_TRY: Duration = Duration::from_millis(200);
/// The shortest time between two warnings.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The channel of one link, and whether messages to it arrive.
#[derive(Debug)]
pub(super) struct Probe {
    partition: Partition,
    channel: String,
    confirmed: bool,
    task: Option<AbortHandle>,
}

impl Probe {
    fn begin(link: &PubSubConnection, partition: Partition, channel: String) -> Self {
        link.subscribe(&channel);
        Self { partition, channel, confirmed: false, task: None }
    }

    /// Publishes over each command connection, in the background, unless the previous probe is still running.
    fn publish(&mut self, link: LinkId, router: &Arc<Router>, signals: &UnboundedSender<Signal>) {
        if self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let (router, signals, partition) = (router.clone(), signals.clone(), self.partition);
        let args = vec![self.channel.clone().into_bytes()];
        let task = tokio::spawn(async move {
            let connections =
                (0..router.connections()).map(|connection| is_unheard(&router, connection, partition, &args));
            if join_all(connections).await.contains(&true) {
                // Fails when the hub has ended, and its links with it.
                let _ = signals.send(Signal::Unheard(link));
            }
        });
        self.task = Some(task.abort_handle());
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Whether the server answered twice that there were no receivers. A missing response is inconclusive.
async fn is_unheard(router: &Arc<Router>, connection: usize, partition: Partition, args: &[Vec<u8>]) -> bool {
    for pause in [Duration::ZERO, SECOND_TRY] {
        sleep(pause).await;
        let published =
            router.run_on(connection, &script::PROBE, partition, args, Repeat::Always, router.deadline()).await;
        let heard = published.and_then(|mut reply| reply.next::<u64>());
        if !matches!(heard, Ok(0)) {
            return false;
        }
    }
    true
}

impl Hub {
    /// Probes each link that is up; called once each [`EVERY`].
    pub(super) fn probe_all(&mut self) {
        let router = &self.shared.router;
        self.probes.retain(|id, _| self.links.values().any(|link| link.id == *id));
        for (server, link) in self.links.iter().filter(|(_, link)| link.is_up) {
            let is_here = |partition| self.topology.owner(router.keys.slot(partition)) == Some(server);
            if let Some(probe) = self.probes.get_mut(&link.id).filter(|probe| is_here(probe.partition)) {
                if probe.confirmed {
                    probe.publish(link.id, router, &self.signals);
                } else {
                    link.subscribe(&probe.channel);
                }
                continue;
            }
            if let Some(probe) = self.probes.remove(&link.id) {
                link.unsubscribe(&probe.channel);
            }
            // A server without any partition has no channels.
            if let Some(partition) = router.keys.partitions().find(|partition| is_here(*partition)) {
                let channel = router.keys.probe(partition, &self.name);
                self.probes.insert(link.id, Probe::begin(link, partition, channel));
            }
        }
    }

    /// Handles the server's response about a link's own channel; returns false for any other channel.
    pub(super) fn is_probe(&mut self, id: LinkId, channel: &str, subscribed: bool) -> bool {
        let Some(probe) = self.probes.get_mut(&id).filter(|probe| probe.channel == channel) else { return false };
        probe.confirmed = subscribed;
        true
    }

    /// Reopens the connections of a link's address, because some of them are at another server than the link.
    pub(super) fn reopen(&mut self, id: LinkId) {
        let Some(server) = self.server_of(id) else { return };
        if !self.probes.get(&id).is_some_and(|probe| probe.confirmed) {
            return;
        }
        if self.warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                target: "roomwire", server = %roomwire_core::Escaped(&server),
                "connections to this address of Redis are at different servers, opening them again: messages of other nodes were missed; \
                 a failover should close the connections of the former primary"
            );
        }
        self.probes.remove(&id);
        self.links.remove(&server);
        self.shared.router.reset(&server);
        self.lose(id);
        self.connect_missing();
    }
}
