//! Operations that a reachable backend refuses: reported once a minute for each kind.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use roomwire_core::{Clock, Escaped, Refusal, Timestamp};
use tokio::time::Instant;

use super::Backend;
use crate::{ServiceEvent, health::Refused};

/// The shortest time between two reports of one kind, and the time for which a refusal counts as current.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// The number of kinds that are kept. A backend has fewer operations and codes.
const KINDS: usize = 256;

/// The refusals of the last minute, by kind.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Kind, Seen>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    what: String,
    code: String,
}

#[derive(Debug)]
struct Seen {
    meaning: &'static str,
    since: Timestamp,
    last: Instant,
    reported: Instant,
}

impl Refusals {
    /// Adds a refusal. Returns true if it is to be reported.
    fn note(&self, refusal: &Refusal, clock: &dyn Clock) -> bool {
        let now = Instant::now();
        let kind = Kind { what: refusal.what.to_string(), code: refusal.code.clone() };
        let mut kinds = self.0.lock();
        kinds.retain(|_, seen| now - seen.last < MINUTE);
        if let Some(seen) = kinds.get_mut(&kind) {
            seen.last = now;
            let is_due = now - seen.reported >= MINUTE;
            if is_due {
                seen.reported = now;
            }
            return is_due;
        }
        if kinds.len() >= KINDS {
            return false;
        }
        kinds.insert(kind, Seen { meaning: refusal.meaning, since: clock.now(), last: now, reported: now });
        true
    }

    /// The latest refusal of the last minute.
    pub(crate) fn present(&self) -> Option<Refused> {
        let kinds = self.0.lock();
        let recent = kinds.iter().filter(|(_, seen)| seen.last.elapsed() < MINUTE);
        let (kind, seen) = recent.max_by_key(|(_, seen)| seen.last)?;
        Some(Refused {
            what: kind.what.clone(),
            code: kind.code.clone(),
            reason: seen.meaning.to_owned(),
            since: seen.since,
        })
    }
}

impl Backend {
    /// Handles the answer of a backend that refuses an operation.
    pub(crate) fn note_refusal(&self, refusal: &Refusal) {
        self.metrics.state_refused(&refusal.code);
        if !self.health.refusals.note(refusal, &*self.clock) {
            return;
        }
        let Refusal { what, code, meaning, words } = refusal;
        tracing::warn!(target: "roomwire", %what, error = %Escaped(words), "shared state refused an operation: {meaning}");
        self.events.send(|| ServiceEvent::StateRefused {
            what: what.to_string(),
            code: code.clone(),
            words: words.clone(),
        });
    }
}
