//! One Engine.IO session: its transport, its namespaces, and its end.

mod admission;
mod client;
mod deadlines;
mod incoming;
mod namespaces;
mod poll;
mod post;
mod read_gate;
mod request;
mod upgrade_state;

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use roomwire_core::{DisconnectReason, config::Transport};
use serde_json::json;
use tokio::{runtime::Handle, sync::Notify, time::sleep};
use tracing::Span;

pub use poll::{Delivery, PollResponse};
pub use post::NextBody;
pub use request::SessionRequest;

pub(crate) use incoming::Problem;
pub(crate) use namespaces::Connected;
pub(crate) use read_gate::ReadGate;
pub(crate) use upgrade_state::ProbePermit;

use deadlines::Deadlines;
use namespaces::Namespaces;
use upgrade_state::UpgradeState;

use crate::{context::Context, metrics::CountedSession, outbox::Outbox, settings::SessionSettings};

/// One Engine.IO session. Cheap to clone; all clones are one session.
///
/// Its id is a secret of its client: any request with it can send and receive in the client's name. It has nothing to do
/// with the public ids of the clients in its namespaces.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

pub(crate) struct Inner {
    id: Box<str>,
    pub(crate) context: Arc<Context>,
    pub(crate) settings: Arc<SessionSettings>,
    pub(crate) request: SessionRequest,
    /// The span of the connection.
    span: Span,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) read_gate: ReadGate,
    namespaces: Mutex<Namespaces>,
    deadlines: Mutex<Deadlines>,
    /// Whether the client or its network showed a sign of life since the deadlines were last looked at.
    had_activity: AtomicBool,
    has_new_deadline: AtomicBool,
    /// For a session that began over HTTP long-polling.
    upgrade: Option<UpgradeState>,
    /// The [`Ending`], once there is one.
    ending: AtomicU8,
    /// Why it ends.
    reason: OnceLock<DisconnectReason>,
    changed: Notify,
    permit: Mutex<Option<Box<dyn Any + Send>>>,
    counted: CountedSession,
    released: Notify,
    /// Whether a poll waits.
    is_polled: AtomicBool,
    /// Bodies are read one after the other.
    posts: tokio::sync::Mutex<()>,
    /// The id of the next acknowledgement that is asked for, in any namespace: a late one of a client that has left a
    /// namespace is not taken for one of the next client.
    pub(crate) next_ack: AtomicI64,
}

/// A request that does not fit the session; the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

/// How long a server that stops waits for the poll that takes what is queued.
const LAST_POLL: Duration = Duration::from_secs(2);

/// How a session ends. A later variant overrides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// After the queued messages were written.
    Flush = 1,
    /// At once.
    Abort = 2,
}

impl Inner {
    pub(crate) fn new(
        context: Arc<Context>,
        id: Box<str>,
        request: SessionRequest,
        transport: Transport,
        permit: Box<dyn Any + Send>,
    ) -> Self {
        let settings = context.settings();
        Self {
            id,
            outbox: Arc::new(Outbox::new(settings.bounds)),
            read_gate: ReadGate::default(),
            namespaces: Mutex::new(Namespaces::new(settings.limits.packet)),
            had_activity: AtomicBool::new(false),
            has_new_deadline: AtomicBool::new(false),
            deadlines: Mutex::new(Deadlines::new(settings.config.ping_interval)),
            upgrade: (transport == Transport::Polling).then(UpgradeState::default),
            ending: AtomicU8::new(0),
            reason: OnceLock::new(),
            changed: Notify::new(),
            permit: Mutex::new(Some(permit)),
            counted: CountedSession::open(context.metrics.clone(), transport),
            released: Notify::new(),
            is_polled: AtomicBool::new(false),
            posts: tokio::sync::Mutex::default(),
            next_ack: AtomicI64::new(0),
            span: context.dispatcher.service().connection_span(&request.headers),
            context,
            settings,
            request,
        }
    }
}

impl Inner {
    /// Why its clients were disconnected.
    fn ended_for(&self) -> DisconnectReason {
        if self.outbox.is_slow() {
            return DisconnectReason::SlowConsumer;
        }
        self.reason.get().copied().unwrap_or(DisconnectReason::ConnectionLost)
    }
}

impl Session {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Its id, the secret of its client.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The open packet, which answers the handshake.
    #[must_use]
    pub fn open_packet(&self) -> String {
        let config = &self.0.settings.config;
        let is_polling = !self.is_websocket();
        let upgrades: &[&str] =
            if is_polling && config.transports.contains(&Transport::Websocket) { &["websocket"] } else { &[] };
        let open = json!({
            "sid": self.id(),
            "upgrades": upgrades,
            "pingInterval": millis(config.ping_interval),
            "pingTimeout": millis(config.ping_timeout),
            "maxPayload": self.0.settings.limits.body,
        });
        format!("0{open}")
    }

    /// The bytes that an HTTP body may have: `maxPayload` of the open packet.
    #[must_use]
    pub fn max_body(&self) -> usize {
        self.0.settings.limits.body
    }

    /// Whether its messages go over a websocket.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.0.upgrade.as_ref().is_none_or(UpgradeState::is_websocket)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    pub(crate) fn start(&self) {
        if self.0.upgrade.is_some() {
            tokio::spawn(self.clone().keep_deadlines());
        }
    }

    /// Begins the probe of a websocket. `None` while another is probed or used.
    pub(crate) fn begin_probe(&self) -> Option<ProbePermit> {
        self.0.upgrade.as_ref()?.begin_probe()
    }

    /// Its messages go over a websocket from now on.
    pub(crate) fn moved_to_websocket(&self, permit: ProbePermit) {
        self.0.outbox.move_to_websocket();
        permit.succeed();
        self.0.counted.moved_to_websocket();
        self.0.changed.notify_one();
    }

    /// How the session ends, if it does.
    pub(crate) fn ending(&self) -> Option<Ending> {
        match self.0.ending.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Ending::Flush),
            _ => Some(Ending::Abort),
        }
    }

    /// Ends the session: its clients disconnect for this reason, or as slow consumers if that is what they are. Then
    /// its transport is closed. Only the first reason counts.
    pub(crate) fn end(&self, reason: DisconnectReason, ending: Ending) {
        let inner = &self.0;
        let reason = *inner.reason.get_or_init(|| reason);
        let before = inner.ending.fetch_max(ending as u8, Ordering::AcqRel);
        if before >= ending as u8 {
            return;
        }
        inner.outbox.shut(ending == Ending::Flush);
        if before == 0 {
            let reason = if inner.outbox.is_slow() { DisconnectReason::SlowConsumer } else { reason };
            inner.end_namespaces(reason, ending);
            inner.read_gate.end();
        }
        inner.changed.notify_one();
        if self.is_websocket() {
            // Its task releases it.
        } else if ending == Ending::Flush
            && reason == DisconnectReason::ServerShutdown
            && !inner.outbox.is_empty()
            && let Ok(runtime) = Handle::try_current()
        {
            // A client between two polls gets what is queued with its next one.
            let session = self.clone();
            runtime.spawn(async move {
                sleep(LAST_POLL).await;
                session.release();
            });
        } else {
            self.release();
        }
    }

    /// Ends the session because its client said so.
    pub(crate) fn end_by_client(&self) {
        self.end(DisconnectReason::ClientDisconnected, Ending::Flush);
    }

    /// Ends the session because its client does not read.
    pub(crate) fn end_slow(&self) {
        self.0.outbox.set_slow();
        self.0.report_to_log(|refusals, client| refusals.slow_consumer(client));
        self.end(DisconnectReason::SlowConsumer, Ending::Abort);
    }

    /// Ends the session because of what its client sent.
    pub(crate) fn end_for(&self, problem: &Problem) {
        self.0.report_to_log(|refusals, client| refusals.protocol_error(problem, client));
        self.end(DisconnectReason::ProtocolError, Ending::Flush);
    }

    /// Ends the session because a message is larger than it may be.
    pub(crate) fn end_for_size(&self) {
        self.0.context.refusals.message_too_large(&self.0.request);
        self.end(DisconnectReason::ProtocolError, Ending::Flush);
    }

    /// Its transport is closed, or has nothing more to send.
    pub(crate) fn release(&self) {
        self.0.counted.close(self.0.ended_for());
        // Dropped after the lock.
        let permit = self.0.permit.lock().take();
        drop(permit);
        self.0.released.notify_waiters();
    }

    /// Waits until its transport is closed.
    pub(crate) async fn released(&self) {
        let released = self.0.released.notified();
        if self.0.permit.lock().is_some() {
            released.await;
        }
    }
}

/// Ends a session if a task of it panics.
struct EndOnPanic<'a>(&'a Session);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(DisconnectReason::ConnectionLost, Ending::Abort);
        }
    }
}

impl From<Arc<Inner>> for Session {
    fn from(inner: Arc<Inner>) -> Self {
        Self(inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("ending", &self.ending()).finish_non_exhaustive()
    }
}

/// 20 random characters, with 120 random bits.
pub(crate) fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 15]>())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
