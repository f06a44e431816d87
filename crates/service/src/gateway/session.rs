//! One client's way through the gateway: connected, events in order, gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytestring::ByteString;
use roomwire_core::{AckId, DisconnectReason, Error, ErrorCode, EventName, OutboundEvent, Payload, RoomId};
use serde::Serialize;

use super::{
    Backpressure, Event,
    mailbox::{Accepted, Job, Mailbox},
    rate::Rate,
    route::{self, Routes},
};
use crate::{
    Client, WebSocketService, bounds,
    instruments::{self, Limit},
};

/// An event as a server received it.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The event's name, unchecked.
    pub name: ByteString,
    /// Its arguments, unchecked.
    pub payload: Payload,
    /// By which the client recognises the acknowledgement, when it wants one.
    pub ack: Option<AckId>,
}

/// How long events that were sent before a disconnect may keep the clean-up waiting.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One connected client. Made by [`Dispatcher::admit`](super::Dispatcher::admit); a server drives it:
/// [`opened`](Self::opened) once, then [`receive`](Self::receive) for each event, then [`closed`](Self::closed).
///
/// None of the methods waits. Dropping the session closes it, so that no client can be forgotten.
#[derive(Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: WebSocketService,
    client: Client,
    routes: Arc<Routes>,
    mailbox: Mailbox,
    rate: Rate,
    /// Whether the client took part: only then `on_disconnect` has something to end.
    welcomed: AtomicBool,
}

impl Session {
    /// For a session that was counted.
    pub(super) fn new(
        service: WebSocketService,
        client: Client,
        routes: Arc<Routes>,
        backpressure: Option<Arc<dyn Backpressure>>,
    ) -> Self {
        let mailbox = Mailbox::new(service.config().limits.mailbox, backpressure);
        let rate = Rate::new(&service.config().limits);
        Self(Arc::new(Inner { service, client, routes, mailbox, rate, welcomed: AtomicBool::new(false) }))
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The client knows that it is connected: it takes part from now on, and `on_connect` runs before its
    /// first event. To be called once, when messages can be sent to it.
    ///
    /// A session that was closed before it was opened stays closed.
    pub fn opened(&self) {
        let Inner { service, client, mailbox, .. } = &*self.0;
        if !mailbox.is_closed() && service.node.welcome(&service.namespace, client) {
            self.put(Job::Connected);
        }
    }

    /// The client sent an event. Events are handled one at a time in the order of the calls; what comes before
    /// [`opened`](Self::opened) waits for it.
    ///
    /// An event above the rates of `limits` is not handled: its turn is answered with `RATE_LIMITED`. A client that goes
    /// on all the same is disconnected.
    pub fn receive(&self, event: Incoming) {
        self.receive_job(event.ack, event.name.len() + event.payload.size(), Job::Event(event));
    }

    /// The client sent something that is no event: it is told so, in turn with the answers to its events. It counts as
    /// one all the same.
    pub fn refuse(&self, ack: Option<AckId>, error: Error) {
        if error.code() == ErrorCode::PayloadTooLarge {
            instruments::limited(Limit::Payload);
        }
        self.receive_job(ack, 0, Job::Refusal { ack, error });
    }

    fn receive_job(&self, ack: Option<AckId>, bytes: usize, job: Job) {
        let Inner { service, client, mailbox, rate, .. } = &*self.0;
        client.active(service.node.clock.now());
        let (job, abused) = match rate.admit(bytes) {
            Ok(()) => (job, false),
            // What came is dropped here: only its answer waits.
            Err(error) => (Job::Refusal { ack, error }, rate.is_abused(service.node.pace.now())),
        };
        match self.put(job) {
            Accepted::Overflow => service.node.disconnect_here(client, DisconnectReason::MailboxOverflow),
            Accepted::Queued | Accepted::StartWorker if abused => {
                mailbox.stop_listening();
                service.node.disconnect_here(client, DisconnectReason::RateLimited);
                tracing::info!(target: "roomwire", client = %client.id(), "disconnected: goes on sending more than it may");
            }
            Accepted::Queued | Accepted::StartWorker | Accepted::Closed => {}
        }
    }

    /// The connection is gone. What was received before is handled first, for at most five seconds; then the
    /// client leaves its rooms and `on_disconnect` runs. Only the first call counts.
    pub fn closed(&self, reason: DisconnectReason) {
        let inner = &self.0;
        inner.client.hang_up();
        match self.put(Job::Closed(reason)) {
            Accepted::Queued => {
                // A handler that hangs must not keep its client in its rooms.
                let late = inner.clone();
                inner.service.node.runtime.spawn(async move {
                    tokio::time::sleep(LAST_WORDS).await;
                    late.service.handle_disconnect(&late.client, reason).await;
                });
            }
            Accepted::StartWorker | Accepted::Overflow | Accepted::Closed => {}
        }
    }

    /// Whether [`closed`](Self::closed) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.mailbox.is_closed()
    }

    fn put(&self, job: Job) -> Accepted {
        let accepted = self.0.mailbox.put(job);
        if accepted == Accepted::StartWorker {
            let worker = self.0.clone();
            self.0.service.node.runtime.spawn(async move { worker.work().await });
        }
        accepted
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.closed(DisconnectReason::ConnectionLost);
    }
}

impl Inner {
    /// Does what is in the mailbox, one after the other, until it is empty.
    async fn work(&self) {
        let mut service = self.routes.service();
        while let Some(job) = self.mailbox.take() {
            match job {
                Job::Connected => self.connected().await,
                Job::Event(incoming) => {
                    let Incoming { name, payload, ack } = incoming;
                    let reply = match bounds::event(&self.service.config().limits, name, &payload) {
                        Ok(name) => self.handle(&mut service, name, payload, ack.is_some()).await,
                        Err(error) => Err(error),
                    };
                    self.answer(ack, reply);
                }
                Job::Refusal { ack, error } => self.answer(ack, Err(error)),
                Job::Closed(reason) => self.departed(reason).await,
            }
            // A handler that never waits would otherwise keep its thread.
            tokio::task::coop::consume_budget().await;
        }
    }

    async fn handle(
        &self,
        service: &mut super::EventService,
        name: EventName,
        payload: Payload,
        wants_ack: bool,
    ) -> Result<Payload, Error> {
        let began = Instant::now();
        let reply = if name == EventName::AUTHENTICATE && self.service.node.authenticator.is_some() {
            self.service.renew_identity(&self.client, payload).await
        } else {
            let event = Event { wants_ack, ..self.event(name.clone(), payload) };
            route::handle(service, event).await
        };
        let outcome = reply.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK");
        instruments::event_handled(outcome);
        tracing::debug!(
            target: "roomwire", client = %self.client.id(), event = ?name, outcome, took = ?began.elapsed(), "event"
        );
        reply
    }

    async fn connected(&self) {
        let node = &self.service.node;
        if !self.client.is_connected() {
            return;
        }
        self.welcomed.store(true, Ordering::Release);
        if node.is_shutting_down() {
            node.disconnect_here(&self.client, DisconnectReason::ServerShutdown);
            return;
        }
        tracing::debug!(target: "roomwire", client = %self.client.id(), namespace = %self.client.namespace(), "connected");
        let Some(handler) = &self.routes.on_connect else { return };
        let event = self.event(EventName::CONNECT, self.client.handshake().clone());
        if let Err(error) = route::run(handler, event).await {
            self.answer(None, Err(error));
            // Whoever was refused has nothing done for it, also not what it sent without waiting.
            self.mailbox.turn_deaf();
            node.disconnect_here(&self.client, DisconnectReason::DisconnectedByServer);
        }
    }

    async fn departed(&self, reason: DisconnectReason) {
        let reason = self.client.reason_or(reason);
        self.service.handle_disconnect(&self.client, reason).await;
        // Also when somebody else took the client out before.
        let rooms: Arc<[RoomId]> = self.client.left_rooms().into();
        tracing::debug!(target: "roomwire", client = %self.client.id(), %reason, "disconnected");
        let handler = self.routes.on_disconnect.as_ref().filter(|_| self.welcomed.load(Ordering::Acquire));
        if let Some(handler) = handler {
            let event =
                Event { departure: Some((reason, rooms)), ..self.event(EventName::DISCONNECT, Payload::default()) };
            if let Err(error) = route::run(handler, event).await {
                log_internal(&self.client, &error);
            }
        }
        self.service.node.session_ends();
    }

    fn event(&self, name: EventName, payload: Payload) -> Event {
        Event {
            service: self.service.clone(),
            client: self.client.clone(),
            name,
            payload,
            wants_ack: false,
            departure: None,
            routes: self.routes.clone(),
        }
    }

    /// Tells the client what became of its event.
    fn answer(&self, ack: Option<AckId>, reply: Result<Payload, Error>) {
        let service = &self.service;
        let payload = match (reply, ack) {
            (Ok(payload), Some(_)) => payload,
            (Ok(_), None) => return,
            (Err(error), ack) => {
                log_internal(&self.client, &error);
                match self.told(&error, ack.is_some()) {
                    Ok(payload) => payload,
                    // Codes and messages are plain text: they can always be written.
                    Err(_) => return,
                }
            }
        };
        match ack {
            Some(ack) => service.node.acknowledge(&service.namespace, self.client.key(), ack, &payload),
            None => {
                let event = OutboundEvent::new(EventName::ERROR, payload);
                // A client that is gone need not be told.
                let _ = service.node.deliver_to_client(&service.namespace, self.client.id(), &event);
            }
        }
    }

    fn told(&self, error: &Error, in_ack: bool) -> Result<Payload, Error> {
        #[derive(Serialize)]
        struct Answer<'a> {
            error: &'a Error,
        }
        if in_ack { Payload::encode(&Answer { error }) } else { Payload::encode(error) }
    }
}

/// Failures of the server itself are logged; what a client did wrong is its own affair.
fn log_internal(client: &Client, error: &Error) {
    if error.code() == ErrorCode::Internal {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "roomwire", client = %client.id(), %error, source, "a handler failed");
    }
}
