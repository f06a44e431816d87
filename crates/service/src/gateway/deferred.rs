//! Deferred events of one client, outside of its mailbox.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::EventName;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::{Event, debounce::Then, layered::LayerId, mailbox::Job, session::Inner};

/// How an event is deferred: its layer, its delays, and the continuation.
pub(super) struct Defer<'a> {
    pub(super) layer: LayerId,
    pub(super) wait: Duration,
    pub(super) max_wait: Option<Duration>,
    pub(super) then: &'a Then,
}

/// Which events replace each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeferredKey(LayerId, EventName);

/// A deferred event.
pub(super) struct Waiting {
    key: DeferredKey,
    pub(super) event: Event,
    pub(super) then: Then,
    due: Instant,
    /// The latest time of its handling, whatever arrives.
    latest: Option<Instant>,
    /// The timer that queues its key in the mailbox when it is due. Aborted with the event.
    timer: AbortOnDropHandle<()>,
}

/// The deferred events of one client.
#[derive(Debug, Default)]
pub(super) struct Deferred(Mutex<Vec<Waiting>>);

/// The result of deferring an event.
enum Put {
    Waits,
    /// It replaced this event.
    Replaced(Event),
    /// It was not deferred: too many with other names are.
    Full(Event),
}

/// The largest number of deferred events: each has a timer and may be as large as an event can be.
const MOST: usize = 64;

impl Deferred {
    /// Drops all of them. Returns their number.
    pub(super) fn clear(&self) -> usize {
        std::mem::take(&mut *self.0.lock()).len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Removes the event that is due. An event that was replaced meanwhile gets a new timer instead.
    pub(super) fn take_due(&self, key: &DeferredKey, session: &Arc<Inner>) -> Option<Waiting> {
        let mut deferred = self.0.lock();
        let at = deferred.iter().position(|waiting| waiting.key == *key)?;
        let waiting = &mut deferred[at];
        if waiting.due > Instant::now() {
            waiting.timer = timer(session, key.clone(), waiting.due);
            return None;
        }
        Some(deferred.swap_remove(at))
    }

    /// Removes the event that was sent first, due or not.
    pub(super) fn take_first(&self) -> Option<Waiting> {
        let mut deferred = self.0.lock();
        let (at, _) = deferred.iter().enumerate().min_by_key(|(_, waiting)| waiting.event.turn)?;
        Some(deferred.swap_remove(at))
    }

    fn put(&self, event: Event, defer: &Defer<'_>) -> Put {
        let now = Instant::now();
        let key = DeferredKey(defer.layer, event.name.clone());
        let due = now + defer.wait;
        let mut deferred = self.0.lock();
        if let Some(waiting) = deferred.iter_mut().find(|waiting| waiting.key == key) {
            waiting.due = waiting.latest.map_or(due, |latest| latest.min(due));
            return Put::Replaced(std::mem::replace(&mut waiting.event, event));
        }
        if deferred.len() >= MOST {
            return Put::Full(event);
        }
        let latest = defer.max_wait.map(|longest| now + longest);
        let due = latest.map_or(due, |latest| latest.min(due));
        let timer = timer(&event.session, key.clone(), due);
        deferred.push(Waiting { key, event, then: defer.then.clone(), due, latest, timer });
        Put::Waits
    }

    fn due(&self, key: &DeferredKey) -> Option<Instant> {
        self.0.lock().iter().find(|waiting| waiting.key == *key).map(|waiting| waiting.due)
    }
}

/// One for each deferred event, whatever the number of replacements. Does not keep the session alive.
fn timer(session: &Arc<Inner>, key: DeferredKey, mut due: Instant) -> AbortOnDropHandle<()> {
    let weak = Arc::downgrade(session);
    let task = async move {
        loop {
            tokio::time::sleep_until(due).await;
            let Some(session) = weak.upgrade() else { return };
            match session.deferred.due(&key) {
                Some(later) if later > Instant::now() => due = later,
                Some(_) => {
                    session.put(Job::Due(key));
                    return;
                }
                None => return,
            }
        }
    };
    AbortOnDropHandle::new(session.service.node.runtime.spawn(task))
}

impl Event {
    /// Defers the event that is being handled. Returned to the caller if that is impossible: after its turn, and if too
    /// many are deferred.
    pub(super) fn defer(self, defer: &Defer<'_>) -> Option<Self> {
        let (session, turn) = (self.session.clone(), self.turn);
        if !session.sequence.is(turn) {
            return Some(self);
        }
        match session.deferred.put(self, defer) {
            Put::Waits => {}
            // A layer may have called twice with the same event: the response follows when that one was handled.
            Put::Replaced(event) if event.turn == turn => {}
            Put::Replaced(event) => session.superseded(&event),
            Put::Full(event) => return Some(event),
        }
        session.sequence.defer(turn);
        None
    }
}

/// The sequence number of the event that a client's mailbox handles, and whether it was deferred.
///
/// The number is shifted left by one; the lowest bit is set for a deferred event. Even numbers are events, odd ones the
/// time between them. No event has the number 0.
#[derive(Debug)]
pub(super) struct Sequence(AtomicU64);

impl Sequence {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(1 << 1))
    }

    /// Begins the next event. Called by the only worker.
    pub(super) fn begin(&self) -> u64 {
        let turn = (self.0.load(Ordering::Relaxed) >> 1) + 1;
        self.0.store(turn << 1, Ordering::Relaxed);
        turn
    }

    /// Ends the event. Returns whether its response follows later.
    pub(super) fn end(&self, turn: u64) -> bool {
        self.0.swap((turn + 1) << 1, Ordering::Relaxed) & 1 == 1
    }

    fn is(&self, turn: u64) -> bool {
        self.0.load(Ordering::Relaxed) >> 1 == turn
    }

    fn defer(&self, turn: u64) {
        let deferred = |now: u64| (now >> 1 == turn).then_some(now | 1);
        // If its turn has ended meanwhile, the event was answered; the client gets no second response.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, deferred);
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("event", &self.event.name).field("due", &self.due).finish_non_exhaustive()
    }
}
