//! Events of one client that wait for their time, outside of its mailbox.

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

/// Which events take each other's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeferredKey(LayerId, EventName);

/// An event that waits.
pub(super) struct Waiting {
    key: DeferredKey,
    pub(super) event: Event,
    pub(super) then: Then,
    due: Instant,
    /// It waits no longer than until then, whatever comes.
    latest: Option<Instant>,
    /// Puts its key in the mailbox when it is due. Gone with the event.
    timer: AbortOnDropHandle<()>,
}

/// The events of one client that wait.
#[derive(Debug, Default)]
pub(super) struct Deferred(Mutex<Vec<Waiting>>);

/// What became of an event that is to wait.
enum Put {
    Waits,
    /// It waits in the place of this one.
    Replaced(Event),
    /// It does not: too many of other names do.
    Full(Event),
}

/// How many may wait: each has a timer and may be as large as an event can be.
const MOST: usize = 64;

impl Deferred {
    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Takes out the event that is due. One that was replaced meanwhile gets a new timer instead.
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

    /// Takes out the event that was sent first, due or not.
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

/// One for each event that waits, however often it is replaced. Does not keep the session.
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
    /// Takes the event out of its turn, to be handled later. Given back when that cannot be: outside of its turn, and
    /// when too many wait.
    pub(super) fn defer(self, defer: &Defer<'_>) -> Option<Self> {
        let (session, turn) = (self.session.clone(), self.turn);
        if !session.sequence.is(turn) {
            return Some(self);
        }
        match session.deferred.put(self, defer) {
            Put::Waits => {}
            // A layer may have called twice with the same event: that one is answered when it was handled.
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

    /// Begins the next turn. For the only worker there is.
    pub(super) fn begin(&self) -> u64 {
        let turn = (self.0.load(Ordering::Relaxed) >> 1) + 1;
        self.0.store(turn << 1, Ordering::Relaxed);
        turn
    }

    /// Ends the turn; whether it is answered later.
    pub(super) fn end(&self, turn: u64) -> bool {
        self.0.swap((turn + 1) << 1, Ordering::Relaxed) & 1 == 1
    }

    fn is(&self, turn: u64) -> bool {
        self.0.load(Ordering::Relaxed) >> 1 == turn
    }

    fn defer(&self, turn: u64) {
        let deferred = |now: u64| (now >> 1 == turn).then_some(now | 1);
        // When its turn has ended meanwhile, it was answered; that is all the client is told.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, deferred);
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("event", &self.event.name).field("due", &self.due).finish_non_exhaustive()
    }
}
