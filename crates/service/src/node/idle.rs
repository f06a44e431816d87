//! Disconnects clients that have sent no event for longer than `limits.idleTimeout`.

use std::time::Duration;

use parking_lot::Mutex;
use roomwire_core::{DisconnectReason, Error, ErrorCode, Escaped, EventName, OutboundEvent, Payload, Timestamp};
use tokio::time::Instant;

use super::Node;
use crate::{
    Client,
    metrics::{self, Limit},
};

/// The system clock may differ by this much from the time that passed; beyond it, it was set.
const DRIFT: Duration = Duration::from_secs(1);

/// The moment from which idle time counts at most.
#[derive(Debug, Default)]
pub(super) struct IdleCheck(Mutex<Option<Counted>>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    /// Clients count as active until then: the limit was changed, or the system clock was set, at that moment.
    from: Timestamp,
    limit: Duration,
    /// The time of the last check, by the system clock and by one that is never set.
    last: (Timestamp, Instant),
}

impl IdleCheck {
    /// The moment from which idle time counts.
    fn counts_from(&self, now: Timestamp, limit: Duration) -> Timestamp {
        let mut counted = self.0.lock();
        let last = (now, Instant::now());
        let from = match *counted {
            Some(Counted { from, limit: known, last: (then, at) }) if known == limit => {
                let expected = then.plus(at.elapsed());
                let drift = now.as_millis().abs_diff(expected.as_millis());
                if Duration::from_millis(drift) > DRIFT { now } else { from }
            }
            _ => now,
        };
        *counted = Some(Counted { from, limit, last });
        from
    }

    fn reset(&self) {
        *self.0.lock() = None;
    }
}

impl Node {
    /// Called by the heartbeat: a client is disconnected at most one heartbeat late.
    pub(super) fn disconnect_idle_clients(&self) {
        let limit = self.config().limits.idle_timeout;
        if limit.is_zero() {
            self.idle_check.reset();
            return;
        }
        let now = self.clock.now();
        let from = self.idle_check.counts_from(now, limit);
        for namespace in self.namespaces() {
            let mut idle = Vec::new();
            namespace.for_each_client(None, |client| {
                let active = client.activity().until(now).max(from);
                if active.plus(limit) <= now && !client.is_ending() {
                    idle.push(client.clone());
                }
            });
            for client in idle {
                self.disconnect_idle(&client, limit);
            }
        }
    }

    /// Sends the reason to the client and disconnects it.
    fn disconnect_idle(&self, client: &Client, limit: Duration) {
        metrics::limited(Limit::Idle);
        self.refusals.idle(client);
        tracing::debug!(target: "roomwire", client = %Escaped(client.id()), "disconnected: it sent no event for limits.idleTimeout");
        let message = format!("Disconnected: no event for {} s (limits.idleTimeout)", limit.as_secs_f64());
        if let Ok(payload) = Payload::encode(&Error::with_message(ErrorCode::Timeout, message)) {
            let event = OutboundEvent::new(EventName::ERROR, payload);
            // A client that has disconnected does not need it.
            let _ = self.deliver_to_client(client, &event);
        }
        self.disconnect_here(client, DisconnectReason::IdleTimeout);
    }
}
