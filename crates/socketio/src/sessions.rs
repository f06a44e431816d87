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
use roomwire_core::{DisconnectReason, Namespace, config::Transport};
use roomwire_service::Dispatcher;
use tokio::time::{Instant, timeout_at};

use crate::{
    Session, SessionRequest,
    context::Context,
    session::{Ending, Inner, random_id},
};

/// The sessions of one server, by their ids. Cheap to clone; all copies are one server.
#[derive(Clone, Debug)]
pub struct Sessions {
    context: Arc<Context>,
    registry: Arc<Registry>,
}

#[derive(Default)]
struct Registry {
    sessions: Mutex<HashMap<Box<str>, Session>>,
    is_closing: AtomicBool,
}

/// A session that can be found by its id, until this is dropped.
struct Registered {
    id: Box<str>,
    registry: Arc<Registry>,
    _permit: Box<dyn Any + Send>,
}

impl Sessions {
    /// A server for these gateways.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self { context: Arc::new(Context::new(dispatcher)), registry: Arc::default() }
    }

    /// The namespaces that clients can connect to.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.context.dispatcher.namespaces()
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
        let (id, registry) = (Box::<str>::from(random_id()), self.registry.clone());
        let registered = Registered { id: id.clone(), registry, _permit: Box::new(permit) };
        let inner = Inner::new(self.context.clone(), id.clone(), request, transport, Box::new(registered));
        let session = Session::new(inner);
        self.registry.sessions.lock().insert(id, session.clone());
        session.start();
        if self.registry.is_closing.load(Ordering::Acquire) {
            session.end(DisconnectReason::ServerShutdown, Ending::Flush);
        }
        session
    }

    /// The session with this id, unless it has ended and has nothing more to send.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Session> {
        let session = self.registry.sessions.lock().get(id).cloned()?;
        (session.ending().is_none() || !session.is_websocket()).then_some(session)
    }

    pub(crate) fn all(&self) -> Vec<Session> {
        self.registry.sessions.lock().values().cloned().collect()
    }

    /// Closes all sessions: each client gets what was sent to it, and then its transport is closed. Clients reconnect
    /// automatically. Sessions that are opened later are closed at once.
    ///
    /// Those that are not closed in time, because their clients do not read, end without it. Returns their number.
    ///
    /// # Cancellation
    /// Dropping the future does not stop the closing.
    pub async fn close_all(&self, patience: Duration) -> usize {
        self.registry.is_closing.store(true, Ordering::Release);
        let all = self.all();
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

impl Drop for Registered {
    fn drop(&mut self) {
        // Dropped after the lock.
        let _session = self.registry.sessions.lock().remove(&self.id);
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("sessions", &self.sessions.lock().len()).finish_non_exhaustive()
    }
}
