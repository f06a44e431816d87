//! Subscriptions that the server refuses.

use std::time::Duration;

use redis::RedisError;
use roomwire_core::{BackplaneEvent, Refusal};
use tokio::time::Instant;

use super::Hub;
use crate::{
    pubsub_connection::{ChannelCommand, SUBSCRIBE},
    refusal::refusal,
    topology::Address,
};

/// The shortest time between two reports to the service.
const REPORT_EVERY: Duration = Duration::from_secs(1);

impl Hub {
    pub(super) fn command_refused(&mut self, command: &ChannelCommand, error: &RedisError) {
        let Some(refusal) = refusal(command.name, Some(&command.channel), error) else { return };
        if command.name == SUBSCRIBE && self.wanted.contains_key(&command.channel) {
            self.refuse(&command.channel, &refusal);
        } else {
            self.report_refusal(&refusal);
        }
    }

    /// The server is reachable and rejects the connection of this user.
    pub(super) fn connection_refused(&mut self, server: &Address, error: &RedisError) {
        let Some(refusal) = refusal("connection for messages", None, error) else { return };
        self.report_refusal(&refusal);
        let here = self.wanted.iter().filter(|(_, wanted)| self.topology.owner(wanted.slot) == Some(server));
        let channels: Vec<_> = here.map(|(name, _)| name.clone()).collect();
        channels.iter().for_each(|channel| self.refuse(channel, &refusal));
    }

    /// Answers the callers that wait for a channel. If the channel was subscribed before, the service relies on it: the
    /// refusal is reported, and the subscription is retried until the server accepts it.
    fn refuse(&mut self, channel: &str, refusal: &Refusal) {
        let Some(wanted) = self.wanted.get_mut(channel).filter(|wanted| wanted.confirmed.is_none()) else { return };
        for waiting in wanted.waiting.drain(..) {
            // Fails if the caller has stopped waiting.
            let _ = waiting.send(Err(refusal.clone()));
        }
        if wanted.in_force {
            self.report_refusal(refusal);
        } else {
            self.wanted.remove(channel);
            self.report_gap();
        }
    }

    fn report_refusal(&mut self, refusal: &Refusal) {
        if self.reported.is_none_or(|reported| reported.elapsed() >= REPORT_EVERY) {
            self.reported = Some(Instant::now());
            let _ = self.events.send(BackplaneEvent::Refused(refusal.clone()));
        }
    }
}
