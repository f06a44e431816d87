//! Sessions of the engine and their namespaces. A session without a namespace is ended after a while.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{ClientId, Error, ErrorCode, config::Limits};
use tokio::{task::AbortHandle, time::Instant};

use crate::{
    addresses::ReconnectRate,
    connection::Connection,
    outbox::{Bounds, Outbox},
    refusals::Refusals,
    upgrade_state::UpgradeState,
};

/// The sessions by id, from their first namespace on.
#[derive(Clone, Debug)]
pub(crate) struct EngineSessions {
    all: Arc<Mutex<HashMap<ClientId, Weak<EngineSession>>>>,
    bounds: Bounds,
    /// How often one session may connect to namespaces. A connect costs as much as a session that connects to one
    /// namespace: it is authenticated and registered. Hence the keys for short sessions bound it too.
    connects: ReconnectRate,
    refusals: Refusals,
}

/// One session of the engine. It is an extension of the request that opened the session, and is dropped with
/// socketioxide's own session.
///
/// The library waits for a session's first namespace alone; one that left its namespaces could stay for ever.
pub(crate) struct EngineSession {
    all: EngineSessions,
    outbox: Arc<Outbox>,
    upgrade: UpgradeState,
    id: OnceLock<ClientId>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    namespaces: usize,
    /// Since when it is in none.
    idle_since: Option<Instant>,
    /// The task that ends the session unless it comes back.
    watch: Option<AbortHandle>,
    /// When it may connect to namespaces as often as it may at most.
    may_connect_again: Option<Instant>,
    /// The websockets that it uses or asked to use.
    connections: Vec<Weak<Connection>>,
}

/// Keeps a session counted as in a namespace until it is dropped.
#[must_use]
pub(crate) struct NamespaceEntry(Arc<EngineSession>);

impl EngineSessions {
    /// Of sessions within these limits, which may connect to so many namespaces at once.
    pub(crate) fn new(limits: &Limits, namespaces: usize, refusals: Refusals) -> Self {
        let at_once = limits.reconnect_burst.max(u32::try_from(namespaces).unwrap_or(u32::MAX));
        let connects = ReconnectRate::new(limits.reconnects_per_second, at_once);
        Self { all: Arc::default(), bounds: Bounds::from(limits), connects, refusals }
    }

    /// A session that is about to begin, over HTTP requests or a websocket.
    pub(crate) fn begin(&self, polling: bool) -> Arc<EngineSession> {
        let (id, state) = (OnceLock::new(), Mutex::default());
        let (outbox, upgrade) = (Outbox::new(self.bounds, polling), UpgradeState::begin(polling));
        Arc::new(EngineSession { all: self.clone(), outbox, upgrade, id, state })
    }

    pub(crate) fn get(&self, session: &str) -> Option<Arc<EngineSession>> {
        self.all.lock().get(session)?.upgrade()
    }
}

impl Default for EngineSessions {
    fn default() -> Self {
        Self::new(&Limits::default(), 1, Refusals::default())
    }
}

impl Default for EngineSession {
    fn default() -> Self {
        let all = EngineSessions::default();
        let (outbox, upgrade) = (Outbox::new(all.bounds, false), UpgradeState::begin(false));
        Self { outbox, upgrade, all, id: OnceLock::new(), state: Mutex::default() }
    }
}

impl EngineSession {
    /// Counts a connection to a namespace, refused ones too: each costs as much as a session of its own.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait; nothing is counted then.
    pub(crate) fn may_connect(&self) -> Result<(), Error> {
        let (rule, now) = (self.all.connects, Instant::now());
        let mut state = self.state.lock();
        let full_at = state.may_connect_again.unwrap_or(now);
        if let Some(wait) = rule.wait(full_at, now) {
            drop(state);
            self.all.refusals.namespace_connects(&self.shown());
            let problem = "Too many connections to namespaces (limits.reconnectsPerSecond)";
            return Err(Error::with_message(ErrorCode::RateLimited, problem).with_retry_after(wait));
        }
        state.may_connect_again = Some(rule.charge(full_at, now));
        Ok(())
    }

    /// What waits to be sent to it.
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Whether it moves to a websocket.
    pub(crate) fn upgrade(&self) -> &UpgradeState {
        &self.upgrade
    }

    /// Its messages come over this websocket.
    pub(crate) fn attach(&self, connection: &Arc<Connection>) {
        let connections = &mut self.state.lock().connections;
        connections.retain(|known| known.strong_count() > 0);
        connections.push(Arc::downgrade(connection));
    }

    /// The websocket that it asked for last.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.state.lock().connections.iter().rev().find_map(Weak::upgrade)
    }

    /// The session has this id: it can be found by it.
    pub(crate) fn named(self: &Arc<Self>, session: &ClientId) {
        let id = self.id.get_or_init(|| session.clone()).clone();
        self.all.all.lock().insert(id, Arc::downgrade(self));
    }

    /// The session as the log shows it.
    fn shown(&self) -> &str {
        self.id.get().map_or("unknown", |id| id)
    }

    /// Ends the session: breaks its websockets off, and ends it by its name when it uses none.
    pub(crate) fn break_off(&self, end_polling: impl FnOnce(&ClientId)) {
        let connections = std::mem::take(&mut self.state.lock().connections);
        connections.iter().filter_map(Weak::upgrade).for_each(|connection| connection.end());
        if let Some(id) = self.id.get() {
            end_polling(id);
        }
    }

    /// The session takes part in one more namespace, until the answer is dropped.
    pub(crate) fn enter(self: &Arc<Self>, session: &ClientId) -> NamespaceEntry {
        self.named(session);
        let mut state = self.state.lock();
        state.namespaces += 1;
        state.idle_since = None;
        NamespaceEntry(self.clone())
    }

    /// The session left a namespace and its transport stands: ends it when it is in none for so long. A websocket is
    /// broken off; `end_polling` ends a session that uses none.
    pub(crate) fn watch(self: &Arc<Self>, patience: Duration, end_polling: impl FnOnce(&ClientId) + Send + 'static) {
        let mut state = self.state.lock();
        // One task at most, however often a client comes and goes.
        if state.watch.is_none() {
            let watched = watch(Arc::downgrade(self), patience, end_polling);
            state.watch = Some(tokio::spawn(watched).abort_handle());
        }
    }

    /// How much longer the session may stay without a namespace; nothing when it need not be watched.
    fn remaining(&self, patience: Duration) -> Option<Duration> {
        let mut state = self.state.lock();
        if state.namespaces > 0 {
            state.watch = None;
            return None;
        }
        let since = *state.idle_since.get_or_insert_with(Instant::now);
        Some((since + patience).saturating_duration_since(Instant::now()))
    }
}

async fn watch(engine_session: Weak<EngineSession>, patience: Duration, end_polling: impl FnOnce(&ClientId)) {
    let mut pause = patience;
    loop {
        tokio::time::sleep(pause).await;
        let Some(engine_session) = engine_session.upgrade() else { return };
        match engine_session.remaining(patience) {
            None => return,
            Some(remaining) if !remaining.is_zero() => pause = remaining,
            Some(_) => {
                engine_session.all.refusals.no_namespace(&engine_session.shown());
                engine_session.break_off(end_polling);
                return;
            }
        }
    }
}

impl Drop for NamespaceEntry {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.namespaces -= 1;
        if state.namespaces == 0 {
            state.idle_since = Some(Instant::now());
        }
    }
}

impl Drop for EngineSession {
    fn drop(&mut self) {
        if let Some(watch) = self.state.get_mut().watch.take() {
            watch.abort();
        }
        if let Some(id) = self.id.get() {
            self.all.all.lock().remove(id);
        }
    }
}

impl fmt::Debug for EngineSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSession").field("namespaces", &self.state.lock().namespaces).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use roomwire_core::{ClientId, ErrorCode, config::Limits};
    use tokio::{
        sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel},
        time::{Instant, sleep},
    };

    use super::{EngineSession, EngineSessions};
    use crate::{connection::Connection, refusals::Refusals};

    const PATIENCE: Duration = Duration::from_secs(10);

    fn id() -> ClientId {
        ClientId::new("AAAAAAAAAAAAAAAA").expect("valid")
    }

    /// Tells when a session over HTTP requests would be ended.
    fn watch(engine_session: &Arc<EngineSession>) -> UnboundedReceiver<ClientId> {
        let (tell, told) = unbounded_channel();
        engine_session.watch(PATIENCE, move |id| drop(tell.send(id.clone())));
        told
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_left_its_last_namespace_is_ended_with_its_websocket() {
        let all = EngineSessions::default();
        let engine_session = all.begin(true);
        let attending = engine_session.enter(&id());
        let connection = Arc::new(Connection::default());
        all.get(id().as_str()).expect("known").attach(&connection);
        let began = Instant::now();
        let mut ended = watch(&engine_session);
        drop(attending);
        assert_eq!(ended.recv().await, Some(id()));
        assert!(connection.has_ended());
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_comes_back_stays_and_has_all_the_time_again_when_it_leaves() {
        let engine_session = EngineSessions::default().begin(true);
        let first = engine_session.enter(&id());
        let mut ended = watch(&engine_session);
        drop(first);
        sleep(PATIENCE / 2).await;
        let second = engine_session.enter(&id());
        sleep(PATIENCE / 4).await;
        let left = Instant::now();
        drop(second);
        let mut not_twice = watch(&engine_session);
        assert_eq!(ended.recv().await, Some(id()));
        assert_eq!(left.elapsed(), PATIENCE);
        assert_eq!(not_twice.try_recv(), Err(TryRecvError::Disconnected));

        let engine_session = EngineSessions::default().begin(true);
        let stays = engine_session.enter(&id());
        let mut ended = watch(&engine_session);
        assert_eq!(ended.recv().await, None, "looked, found it in a namespace, and went");
        drop(stays);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_connects_to_all_namespaces_at_once_and_then_once_an_interval() {
        let limits = Limits { reconnects_per_second: 2, reconnect_burst: 1, ..Limits::default() };
        let engine_session = EngineSessions::new(&limits, 3, Refusals::default()).begin(false);
        for _ in 0..3 {
            engine_session.may_connect().expect("one for each namespace");
        }
        for _ in 0..3 {
            let refused = engine_session.may_connect().expect_err("too often");
            assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::RateLimited, Some(PATIENCE / 20)));
        }
        sleep(PATIENCE / 20).await;
        engine_session.may_connect().expect("after the time it was told");
        assert!(engine_session.may_connect().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_over_leaves_nothing_behind() {
        let all = EngineSessions::default();
        let engine_session = all.begin(true);
        drop(engine_session.enter(&id()));
        let mut ended = watch(&engine_session);
        drop(engine_session);
        assert!(all.all.lock().is_empty());
        let began = Instant::now();
        assert_eq!(ended.recv().await, None);
        assert_eq!(began.elapsed(), Duration::ZERO, "its task does not wait");
    }
}
