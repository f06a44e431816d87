//! All sessions of a server.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{DisconnectReason, Namespace, WebSocketConfig, config::Transport};
use roomwire_service::Dispatcher;
use tokio::time::{Instant, timeout_at};

use crate::{
    ReconnectRate, Session, SessionLimits, SessionRequest,
    outbox::Bounds,
    refusals::Refusals,
    session::{Ending, Inner},
};

/// The sessions of one server, by their ids. Cheap to clone; all copies are one server.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Shared>);

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) config: Arc<WebSocketConfig>,
    pub(crate) limits: SessionLimits,
    pub(crate) bounds: Bounds,
    pub(crate) refusals: Refusals,
    /// How often one session may connect to namespaces. A connect costs as much as a session that connects to one
    /// namespace: it is authenticated and registered. Hence the keys for short sessions apply to it too.
    pub(crate) connects: ReconnectRate,
    all: Mutex<HashMap<Box<str>, Session>>,
    is_closing: AtomicBool,
}

impl Sessions {
    /// A server for these gateways.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        let service = dispatcher.service();
        let config = service.config().clone();
        let limits = &config.limits;
        let namespaces = u32::try_from(dispatcher.namespaces().count()).unwrap_or(u32::MAX);
        let connects = ReconnectRate::new(limits.reconnects_per_second, limits.reconnect_burst.max(namespaces));
        Self(Arc::new(Shared {
            limits: SessionLimits::from(limits),
            bounds: Bounds::from(limits),
            refusals: Refusals::new(service.refusal_log().clone()),
            connects,
            config: config.into(),
            dispatcher,
            all: Mutex::default(),
            is_closing: AtomicBool::new(false),
        }))
    }

    /// What one session may send.
    #[must_use]
    pub fn limits(&self) -> &SessionLimits {
        &self.0.limits
    }

    /// Opens a session for a handshake request over this transport.
    ///
    /// `permit` is dropped when the session has ended and its websocket, if it has one, is closed. A session that
    /// connects to no namespace within `limits.handshakeTimeout` is closed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn open(&self, request: SessionRequest, transport: Transport, permit: impl Any + Send) -> Session {
        let session = Session::new(Inner::new(self.0.clone(), request, transport, Box::new(permit)));
        self.0.all.lock().insert(session.id().into(), session.clone());
        session.start();
        if self.0.is_closing.load(Ordering::Acquire) {
            session.end(DisconnectReason::ServerShutdown, Ending::Flush);
        }
        session
    }

    /// The session with this id, unless it has ended.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Session> {
        self.0.all.lock().get(id).cloned()
    }

    /// Closes all sessions: each client gets what was sent to it, and then its transport is closed. Clients reconnect
    /// automatically. Sessions that are opened later are closed at once.
    ///
    /// Those that are not closed in time, because their clients do not read, end without it. Returns their number.
    ///
    /// # Cancellation
    /// Dropping the future does not stop the closing.
    pub async fn close_all(&self, patience: Duration) -> usize {
        self.0.is_closing.store(true, Ordering::Release);
        let all: Vec<Session> = self.0.all.lock().values().cloned().collect();
        for session in &all {
            session.end(DisconnectReason::ServerShutdown, Ending::Flush);
        }
        let deadline = Instant::now() + patience;
        let mut unfinished = 0;
        for session in all {
            if timeout_at(deadline, session.released()).await.is_err() {
                session.end(DisconnectReason::ServerShutdown, Ending::Abort);
                unfinished += 1;
            }
        }
        unfinished
    }
}

impl Shared {
    /// The configured namespace with this name.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.dispatcher.namespaces().find(|namespace| namespace.as_str() == name)
    }

    /// A session is no longer found by its id.
    pub(crate) fn forget(&self, id: &str) {
        self.all.lock().remove(id);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("sessions", &self.all.lock().len()).finish_non_exhaustive()
    }
}
