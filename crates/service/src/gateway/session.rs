//! One client's way through the gateway: connected, events in order, gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytestring::ByteString;
use roomwire_core::{AckId, DisconnectReason, Error, ErrorCode, EventName, Payload, Printable, RoomId};
use tokio::sync::Notify;

use super::{
    Backpressure, Event,
    answer::log_internal,
    held::{Held, Turns, Waiting},
    mailbox::{Accepted, Job, Mailbox},
    rate::Rate,
    rate_limit::Buckets,
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

/// How many jobs of one client are done before others have their turn.
const IN_A_ROW: usize = 16;

/// How long events that were sent before a disconnect may keep the clean-up waiting.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One connected client. Made by [`Dispatcher::admit`](super::Dispatcher::admit); a server drives it:
/// [`opened`](Self::opened) once, then [`receive`](Self::receive) for each event, then [`closed`](Self::closed).
///
/// None of the methods waits. Dropping the session closes it, so that no client can be forgotten.
#[derive(Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) service: WebSocketService,
    pub(super) client: Client,
    pub(super) routes: Arc<Routes>,
    mailbox: Mailbox,
    rate: Rate,
    /// What layers allow it.
    pub(super) buckets: Buckets,
    pub(super) turns: Turns,
    /// Events that wait for their time.
    pub(super) held: Held,
    /// Whether the client took part: only then `on_disconnect` has something to end.
    welcomed: AtomicBool,
    /// Told when its connection is gone.
    hung_up: Notify,
}

impl Session {
    /// For a session that was counted.
    pub(super) fn new(
        service: WebSocketService,
        client: Client,
        routes: Arc<Routes>,
        backpressure: Option<Arc<dyn Backpressure>>,
    ) -> Self {
        let mailbox = Mailbox::new(&service.config().limits, backpressure);
        let rate = Rate::new(&service.config().limits);
        Self(Arc::new(Inner {
            service,
            client,
            routes,
            mailbox,
            rate,
            buckets: Buckets::default(),
            turns: Turns::new(),
            held: Held::default(),
            welcomed: AtomicBool::new(false),
            hung_up: Notify::new(),
        }))
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
            self.0.put(Job::Connected);
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
    /// one all the same, with the bytes that it brought.
    pub fn refuse(&self, ack: Option<AckId>, bytes: usize, error: Error) {
        if error.code() == ErrorCode::PayloadTooLarge {
            instruments::limited(Limit::Payload);
        }
        self.receive_job(ack, bytes, Job::Refusal { ack, error });
    }

    fn receive_job(&self, ack: Option<AckId>, bytes: usize, job: Job) {
        let Inner { service, client, mailbox, rate, .. } = &*self.0;
        client.active(service.node.clock.now());
        let (job, abused) = match rate.admit(bytes) {
            Ok(()) => (job, false),
            // What came is dropped here: only its answer waits.
            Err(error) => (Job::Refusal { ack, error }, rate.is_abused(service.node.pace.now())),
        };
        match self.0.put(job) {
            Accepted::Overflow => service.node.disconnect_here(client, DisconnectReason::MailboxOverflow),
            Accepted::Queued | Accepted::StartWorker if abused => {
                mailbox.stop_listening();
                service.node.disconnect_here(client, DisconnectReason::RateLimited);
                tracing::info!(target: "roomwire", client = %Printable(client.id()), "disconnected: goes on sending more than it may");
            }
            Accepted::Queued | Accepted::StartWorker | Accepted::Closed => {}
        }
    }

    /// The connection is gone. What was received before is handled first, for at most five seconds; then the
    /// client leaves its rooms and `on_disconnect` runs. Only the first call counts.
    ///
    /// Of a client whose identity does not hold any more nothing is handled that it sent before.
    pub fn closed(&self, reason: DisconnectReason) {
        let inner = &self.0;
        inner.client.hang_up();
        inner.hung_up.notify_one();
        if matches!(inner.client.reason_or(reason), DisconnectReason::AccessRevoked | DisconnectReason::TokenExpired) {
            inner.mailbox.turn_deaf();
            inner.held.clear();
        }
        let has_more = !inner.held.is_empty();
        let accepted = inner.put(Job::Closed(reason));
        if accepted == Accepted::Queued || accepted == Accepted::StartWorker && has_more {
            // A handler that hangs must not keep its client in its rooms.
            let late = inner.clone();
            inner.service.node.runtime.spawn(async move {
                tokio::time::sleep(LAST_WORDS).await;
                late.service.handle_disconnect(&late.client, reason).await;
            });
        }
    }

    /// Whether [`closed`](Self::closed) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.mailbox.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.closed(DisconnectReason::ConnectionLost);
    }
}

impl Inner {
    pub(super) fn put(self: &Arc<Self>, job: Job) -> Accepted {
        let accepted = self.mailbox.put(job);
        if accepted == Accepted::StartWorker {
            let worker = self.clone();
            self.service.node.runtime.spawn(async move { worker.work().await });
        }
        accepted
    }

    /// Does what is in the mailbox, one after the other, until it is empty.
    async fn work(self: &Arc<Self>) {
        let mut service = self.routes.service();
        let mut done = 0_usize;
        loop {
            // Before anything is taken: what waits may have to be dropped meanwhile.
            self.let_it_catch_up().await;
            let Some(job) = self.mailbox.take() else { return };
            match job {
                Job::Connected => self.connected().await,
                Job::Event(incoming) => {
                    let Incoming { name, payload, ack } = incoming;
                    match bounds::event(&self.service.config().limits, name, &payload) {
                        Ok(name) => self.handle(&mut service, name, payload, ack).await,
                        Err(error) => self.answer(ack, Err(error)),
                    }
                }
                Job::Refusal { ack, error } => self.answer(ack, Err(error)),
                Job::Due(key) => {
                    if let Some(waiting) = self.held.take_due(&key, self) {
                        self.go_on(waiting).await;
                    }
                }
                Job::Closed(reason) => {
                    while let Some(waiting) = self.held.take_first() {
                        self.go_on(waiting).await;
                    }
                    self.departed(reason).await;
                }
            }
            done = done.wrapping_add(1);
            if done.is_multiple_of(IN_A_ROW) {
                // What is answered is also to be written, or a client that sends much at once looks slow.
                tokio::task::yield_now().await;
            } else {
                // A handler that never waits would otherwise keep its thread.
                tokio::task::coop::consume_budget().await;
            }
        }
    }

    /// Waits while too much of what the client was sent waits for it, unless it has gone.
    async fn let_it_catch_up(&self) {
        if let Some(delivery) = self.service.node.behind(&self.client) {
            tokio::select! {
                () = delivery.caught_up(self.client.key()) => {}
                () = self.hung_up.notified() => self.hung_up.notify_one(),
            }
        }
    }

    async fn handle(
        self: &Arc<Self>,
        service: &mut super::EventService,
        name: EventName,
        payload: Payload,
        ack: Option<AckId>,
    ) {
        let began = Instant::now();
        let turn = self.turns.begin();
        let reply = if name == EventName::AUTHENTICATE && self.service.node.authenticator.is_some() {
            self.service.renew_identity(&self.client, payload).await
        } else {
            let event = Event { ack, turn, ..self.event(name.clone(), payload) };
            route::handle(service, event).await
        };
        if !self.turns.end(turn) {
            self.handled(began, &name, ack, reply);
        }
    }

    /// Handles an event that has waited.
    async fn go_on(&self, waiting: Waiting) {
        let Waiting { event, then, .. } = waiting;
        let began = Instant::now();
        let turn = self.turns.begin();
        let (name, ack) = (event.name.clone(), event.ack);
        let reply = route::go_on(&then, Event { turn, ..event }).await;
        if !self.turns.end(turn) {
            self.handled(began, &name, ack, reply);
        }
    }

    async fn connected(self: &Arc<Self>) {
        let node = &self.service.node;
        if !self.client.is_connected() {
            return;
        }
        self.welcomed.store(true, Ordering::Release);
        if node.is_shutting_down() {
            node.disconnect_here(&self.client, DisconnectReason::ServerShutdown);
            return;
        }
        tracing::debug!(target: "roomwire", client = %Printable(self.client.id()), namespace = %Printable(self.client.namespace()), "connected");
        let Some(handler) = &self.routes.on_connect else { return };
        let event = self.event(EventName::CONNECT, self.client.handshake().clone());
        if let Err(error) = route::run(handler, event).await {
            self.answer(None, Err(error));
            // Whoever was refused has nothing done for it, also not what it sent without waiting.
            self.mailbox.turn_deaf();
            node.disconnect_here(&self.client, DisconnectReason::DisconnectedByServer);
        }
    }

    async fn departed(self: &Arc<Self>, reason: DisconnectReason) {
        let reason = self.client.reason_or(reason);
        self.service.handle_disconnect(&self.client, reason).await;
        // Also when somebody else took the client out before.
        let rooms: Arc<[RoomId]> = self.client.left_rooms().into();
        tracing::debug!(target: "roomwire", client = %Printable(self.client.id()), %reason, "disconnected");
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

    fn event(self: &Arc<Self>, name: EventName, payload: Payload) -> Event {
        Event { session: self.clone(), name, payload, ack: None, turn: 0, departure: None }
    }
}
