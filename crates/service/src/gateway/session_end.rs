//! The end of a session: events that were received before, and then `on_disconnect`.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use roomwire_core::{DisconnectReason, Escaped, EventName, Payload, RoomId};
use tokio::time::timeout;
use tracing::Instrument;

use super::{
    Event, Session,
    mailbox::{Accepted, Job},
    respond::log_internal,
    route,
    session::Inner,
};
use crate::local::HANDLER_GRACE;

impl Session {
    /// Ends the session after its connection closed. Events received before are handled first, for at most five
    /// seconds; then the client leaves its rooms and `on_disconnect` runs. Only the first call counts.
    ///
    /// The id may be admitted again at once: [`admit`](super::Dispatcher::admit) waits until this session has ended.
    ///
    /// Events of a client with an identity that is no longer valid are dropped, also those received before.
    pub fn closed(&self, reason: DisconnectReason) {
        let inner = &self.0;
        inner.hung_up.notify_one();
        if matches!(inner.client.reason_or(reason), DisconnectReason::AccessRevoked | DisconnectReason::TokenExpired) {
            inner.mailbox.discard_pending();
            inner.service.node.metrics.events_dropped(inner.deferred.clear());
        }
        let has_more = !inner.deferred.is_empty();
        let accepted = inner.put(Job::Closed(reason));
        if accepted == Accepted::Queued || accepted == Accepted::StartWorker && has_more {
            // A handler that hangs must not keep its client in its rooms.
            let late = inner.clone();
            inner.service.node.runtime.spawn(async move {
                tokio::time::sleep(HANDLER_GRACE).await;
                late.service.handle_disconnect(&late.client, reason).await;
                late.left.cancel();
                // A node that shuts down begins no session, and its handlers still respond.
                if !late.service.is_shutting_down() {
                    drop(late.claim.lock().take());
                }
            });
        }
    }

    /// Waits until the events that were received before [`closed`](Self::closed) are handled and the client has left
    /// its rooms; its `on_disconnect` may still run. Waits for a handler that does not return at most five seconds.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn left(&self) {
        self.0.left.cancelled().await;
    }
}

impl Inner {
    pub(super) async fn departed(self: &Arc<Self>, reason: DisconnectReason) {
        let reason = self.client.reason_or(reason);
        let claim = self.claim.lock().take();
        self.service.handle_disconnect(&self.client, reason).await;
        self.left.cancel();
        // Also if another task removed the client before.
        let rooms: Arc<[RoomId]> = self.client.left_rooms().into();
        tracing::debug!(target: "roomwire", client = %Escaped(self.client.id()), %reason, "disconnected");
        let handler = self.routes.on_disconnect.as_ref().filter(|_| self.welcomed.load(Ordering::Acquire));
        if let Some(handler) = handler {
            let event =
                Event { departure: Some((reason, rooms)), ..self.event(EventName::DISCONNECT, Payload::default()) };
            let span = self.event_span(&EventName::DISCONNECT);
            let mut running = pin!(route::run(handler, event).instrument(span));
            let ended = match timeout(HANDLER_GRACE, &mut running).await {
                Ok(ended) => ended,
                Err(_) => {
                    // Releases the next session of this client id.
                    drop(claim);
                    running.await
                }
            };
            if let Err(error) = ended {
                log_internal(&self.client, &error);
            }
        }
        self.service.node.lifecycle.session_ends();
    }
}
