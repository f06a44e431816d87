//! One client's session in the gateway: `on_connect`, then its events in order. `session_end.rs` ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytestring::ByteString;
use parking_lot::Mutex;
use roomwire_core::{AckId, DisconnectReason, Error, ErrorCode, Escaped, EventName, Payload};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use super::{
    Event,
    client_rate::ClientRate,
    deferred::{Deferred, Sequence, Waiting},
    mailbox::{Accepted, Job, Mailbox},
    rate_limit::Buckets,
    respond::{Handled, ReplyTo, short},
    route::{self, Routes},
};
use crate::{
    Client, WebSocketService, limits,
    local::ClientIdClaim,
    metrics::{self, Limit},
};

/// An event as a server received it.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The event's name, unchecked.
    pub name: ByteString,
    /// Its arguments, unchecked.
    pub payload: Payload,
    /// The id of the acknowledgement, if the client asked for one.
    pub ack: Option<AckId>,
}

/// The number of jobs of one client that run before the worker yields.
const IN_A_ROW: usize = 16;

/// One connected client. Created by [`Dispatcher::admit`](super::Dispatcher::admit); a server drives it:
/// [`opened`](Self::opened) once, then [`receive`](Self::receive) for each event, then [`closed`](Self::closed).
///
/// None of the methods waits. Dropping the session closes it, so that no client is leaked.
#[derive(Debug)]
pub struct Session(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) service: WebSocketService,
    pub(super) client: Client,
    pub(super) routes: Arc<Routes>,
    pub(super) mailbox: Mailbox,
    rate: ClientRate,
    /// The state that rate limit layers keep for it.
    pub(super) buckets: Buckets,
    pub(super) sequence: Sequence,
    /// Deferred events.
    pub(super) deferred: Deferred,
    /// The claim of the client's id, until `on_disconnect` begins or the wait for earlier handlers times out.
    pub(super) claim: Mutex<Option<ClientIdClaim>>,
    /// Whether `on_connect` has begun, or is absent: `on_disconnect` runs only after it.
    pub(super) welcomed: AtomicBool,
    /// Notified when the connection has closed.
    pub(super) hung_up: Notify,
    /// Cancelled when the client has left its rooms.
    pub(super) left: CancellationToken,
    /// The span of the connection: the parent of the events' spans.
    connection: Span,
}

impl Session {
    /// For a session that is already counted.
    pub(super) fn new(service: WebSocketService, client: Client, routes: Arc<Routes>, connection: Span) -> Self {
        let config = service.node.config();
        let mailbox = Mailbox::new(&config.limits, client.transport().clone(), service.node.metrics.clone());
        let rate = ClientRate::new(&config.limits);
        drop(config);
        let claim = Mutex::new(client.claim());
        Self(Arc::new(Inner {
            service,
            client,
            routes,
            mailbox,
            rate,
            buckets: Buckets::default(),
            sequence: Sequence::new(),
            deferred: Deferred::default(),
            claim,
            welcomed: AtomicBool::new(false),
            hung_up: Notify::new(),
            left: CancellationToken::new(),
            connection,
        }))
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The client's CONNECT packet was sent: activates the client. `on_connect` runs before its first event. Call it
    /// once, when messages can be sent to the client.
    ///
    /// A session that was closed before it was opened stays closed.
    pub fn opened(&self) {
        let Inner { service, client, mailbox, .. } = &*self.0;
        if !mailbox.is_closed() && service.node.activate(&service.namespace, client) {
            self.0.put(Job::Connected);
        }
    }

    /// Handles an event of the client. Events are handled one at a time in the order of the calls; events received
    /// before [`opened`](Self::opened) wait for it.
    ///
    /// An event above the rates of `limits` is not handled: it is answered with `RATE_LIMITED`, in order. A client that
    /// continues regardless is disconnected.
    pub fn receive(&self, event: Incoming) {
        self.receive_job(event.name.len() + event.payload.size(), Job::Event(event));
    }

    /// Reports to the client that it sent something that is not an event, or is too large, in order with the responses
    /// to its events. It counts as an event, with the bytes received. If no acknowledgement was asked for, the event
    /// `error` names the event, if its name is known.
    pub fn refuse(&self, name: Option<&str>, ack: Option<AckId>, bytes: usize, error: Error) {
        if error.code() == ErrorCode::PayloadTooLarge {
            metrics::limited(Limit::Payload);
            self.0.service.node.refusals.payload_too_large(&self.0.client);
        }
        let to = ReplyTo::new(name, ack);
        let name = name.filter(|_| self.0.service.node.followers.is_active()).map(short);
        let job = Job::Refusal { to, error, name };
        self.receive_job(bytes, job);
    }

    fn receive_job(&self, bytes: usize, job: Job) {
        let Inner { service, client, mailbox, rate, .. } = &*self.0;
        client.activity().note(service.node.clock.now());
        service.node.metrics.event_received();
        let (job, abused) = match rate.admit(bytes) {
            Ok(()) => (job, false),
            // The event is dropped here: only its response is queued.
            Err((limit, error)) => {
                service.node.refusals.rate_limited(limit, client);
                let name = job.name().filter(|_| service.node.followers.is_active()).map(short);
                (Job::Refusal { to: job.reply_to(), error, name }, rate.is_abused())
            }
        };
        match self.0.put(job) {
            Accepted::Overflow => {
                service.node.refusals.mailbox_overflow(client);
                service.node.disconnect_here(client, DisconnectReason::MailboxOverflow);
            }
            Accepted::Queued | Accepted::Paused | Accepted::StartWorker if abused => {
                mailbox.stop_listening();
                service.node.refusals.too_many_requests(client);
                service.node.disconnect_here(client, DisconnectReason::RateLimited);
            }
            Accepted::Paused => service.node.refusals.reading_paused(client),
            Accepted::Queued | Accepted::StartWorker | Accepted::Closed => {}
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
            self.client.activity().begin();
            let worker = self.clone();
            self.service.node.runtime.spawn(async move { worker.work().await });
        }
        accepted
    }

    /// Runs the jobs in the mailbox one after the other, until it is empty.
    async fn work(self: &Arc<Self>) {
        let mut service = self.routes.service();
        let mut done = 0_usize;
        loop {
            // Before a job is taken: the wait may end with an order to drop queued jobs.
            self.let_it_catch_up().await;
            let Some(job) = self.mailbox.take_or(|| self.rest()) else { return };
            match job {
                Job::Connected => self.connected().await,
                Job::Event(incoming) => {
                    let Incoming { name, payload, ack } = incoming;
                    let checked = limits::event(&self.service.node.config().limits, name.clone(), &payload);
                    match checked {
                        Ok(name) => {
                            let span = self.event_span(&name);
                            let handling = self.handle(&mut service, name, payload, ack, &span);
                            handling.instrument(span.clone()).await;
                        }
                        Err(error) => {
                            if error.code() == ErrorCode::LimitExceeded {
                                self.service.node.refusals.attachments(&self.client);
                            }
                            self.rejected(&ReplyTo::new(Some(&name), ack), error, Some(name), Some(&payload));
                        }
                    }
                }
                Job::Refusal { to, error, name } => self.rejected(&to, error, name, None),
                Job::Due(key) => {
                    if let Some(waiting) = self.deferred.take_due(&key, self) {
                        self.go_on(waiting).await;
                    }
                }
                Job::Closed(reason) => {
                    while let Some(waiting) = self.deferred.take_first() {
                        self.go_on(waiting).await;
                    }
                    self.departed(reason).await;
                }
            }
            done = done.wrapping_add(1);
            if done.is_multiple_of(IN_A_ROW) {
                // Responses must be written too, or a client that sends a large burst looks like a slow consumer.
                tokio::task::yield_now().await;
            } else {
                // A handler that never waits would otherwise block its thread.
                tokio::task::coop::consume_budget().await;
            }
        }
    }

    /// No event is left. A client with deferred events still waits for those: each of them starts a worker again.
    fn rest(&self) {
        if self.deferred.is_empty() {
            let node = &self.service.node;
            let is_limited = !node.config().limits.idle_timeout.is_zero();
            self.client.activity().end(is_limited.then(|| node.clock.now()));
        }
    }

    /// Waits while the client's send buffer is above the high watermark, unless it has disconnected.
    async fn let_it_catch_up(&self) {
        let transport = self.client.transport();
        if transport.above_high_watermark() {
            tokio::select! {
                () = transport.drained() => {}
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
        span: &Span,
    ) {
        let began = Instant::now();
        let observed = self.service.node.followers.is_active().then(|| payload.clone());
        let turn = self.sequence.begin();
        let reply = if self.renews_identity(&name) {
            self.service.renew_identity(&self.client, payload).await
        } else {
            let event = Event { ack, turn, ..self.event(name.clone(), payload) };
            route::handle(service, event).await
        };
        if !self.sequence.end(turn) {
            let outcome = self.handled(Handled { began, name, ack, observed }, reply);
            span.record("outcome", outcome);
        }
    }

    /// Handles a deferred event.
    async fn go_on(&self, waiting: Waiting) {
        let span = self.event_span(&waiting.event.name);
        self.go_on_in(waiting, &span).instrument(span.clone()).await;
    }

    async fn go_on_in(&self, waiting: Waiting, span: &Span) {
        let Waiting { event, then, .. } = waiting;
        let began = Instant::now();
        let turn = self.sequence.begin();
        let (name, ack) = (event.name.clone(), event.ack);
        let observed = self.service.node.followers.is_active().then(|| event.payload.clone());
        let reply = route::go_on(&then, Event { turn, ..event }).await;
        if !self.sequence.end(turn) {
            let outcome = self.handled(Handled { began, name, ack, observed }, reply);
            span.record("outcome", outcome);
        }
    }

    async fn connected(self: &Arc<Self>) {
        let node = &self.service.node;
        if !self.client.is_connected() {
            return;
        }
        if node.lifecycle.is_shutting_down() {
            // None of its handlers runs: `on_connect` would be the first.
            self.mailbox.discard_pending();
            node.disconnect_here(&self.client, DisconnectReason::ServerShutdown);
            return;
        }
        self.welcomed.store(true, Ordering::Release);
        tracing::debug!(target: "roomwire", client = %Escaped(self.client.id()), namespace = %Escaped(self.client.namespace()), "connected");
        let Some(handler) = &self.routes.on_connect else { return };
        let event = self.event(EventName::CONNECT, self.client.handshake().clone());
        let running = route::run(handler, event).instrument(self.event_span(&EventName::CONNECT));
        if let Err(error) = running.await {
            self.answer(&ReplyTo::new(None, None), Err(error));
            // The events of a refused client are not handled, including those sent early.
            self.mailbox.discard_pending();
            node.disconnect_here(&self.client, DisconnectReason::DisconnectedByServer);
        }
    }

    /// Whether an event of this name contains newer credentials.
    pub(super) fn renews_identity(&self, name: &EventName) -> bool {
        *name == EventName::AUTHENTICATE && self.service.node.auth_hooks.authenticator.is_some()
    }

    /// The span of an event's layers and handler.
    pub(super) fn event_span(&self, name: &EventName) -> Span {
        let client = &self.client;
        tracing::debug_span!(
            target: "roomwire", parent: &self.connection, "event",
            event = ?name, client = %Escaped(client.id()), namespace = %Escaped(client.namespace()), outcome = Empty
        )
    }

    pub(super) fn event(self: &Arc<Self>, name: EventName, payload: Payload) -> Event {
        Event { session: self.clone(), name, payload, ack: None, turn: 0, departure: None }
    }
}
