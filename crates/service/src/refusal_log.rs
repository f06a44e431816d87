//! Warnings about refusals: at most one line a minute for each cause.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::Escaped;
use tokio::time::Instant;

/// The shortest time between two lines about one cause.
const INTERVAL: Duration = Duration::from_secs(60);

/// Logs what the service rejects or throttles, at WARN with the configuration key that decides.
///
/// The first refusal of a cause is logged at once. Later ones are counted and logged together, at most once a minute,
/// with the first of them as the example. At DEBUG each of them has a line of its own. A report costs a lock and a
/// look-up; its text is only built when it is logged.
///
/// Servers report here what they reject before the service sees it:
/// [`WebSocketService::refusal_log`](crate::WebSocketService::refusal_log).
#[derive(Debug, Default)]
pub struct RefusalLog(Mutex<HashMap<Cow<'static, str>, History>>);

/// The number of causes that are distinguished. An application's authenticator may give each client a reason of its
/// own.
const CAUSES: usize = 64;

/// The cause for all further ones.
const OTHER: &str = "other";

impl Refusal {
    /// A refusal whose cause has no entry of its own.
    fn of_other_cause(self) -> Self {
        let message = "clients are refused for more reasons than are told apart: DEBUG shows each of them";
        Self { message: message.into(), ..self }
    }
}

/// One refusal, as the operator reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused, and what to change. Untrusted text in it must be [`Escaped`].
    pub message: Cow<'static, str>,
    /// The client, address or origin. Escaped and truncated when it is logged.
    pub example: String,
    /// The configuration key that decides, if one does.
    pub key: Option<&'static str>,
}

/// The log state of one cause.
#[derive(Debug)]
struct History {
    /// When its last line was logged.
    logged: Instant,
    /// The number of refusals since then, and the first of them.
    since: Option<(u64, Refusal)>,
}

impl History {
    /// Whether its next line waits for the last one to be a minute old.
    fn is_recent(&self, now: Instant) -> bool {
        self.since.is_some() || now.saturating_duration_since(self.logged) < INTERVAL
    }

    /// Takes the text of the next line, if there is one and the last line is old enough.
    fn take_due(&mut self, now: Instant, interval: Duration) -> Option<(u64, Refusal)> {
        if now.saturating_duration_since(self.logged) < interval {
            return None;
        }
        let due = self.since.take()?;
        self.logged = now;
        Some(due)
    }
}

impl RefusalLog {
    /// Counts a refusal, and logs it unless its cause was logged within the last minute.
    pub fn report(&self, cause: impl Into<Cow<'static, str>>, refusal: impl Fn() -> Refusal) {
        let cause = cause.into();
        match self.count(cause.clone(), Instant::now(), &refusal) {
            Some((cause, count, refusal)) => warn(&cause, count, &refusal),
            None if tracing::enabled!(target: "roomwire", tracing::Level::DEBUG) => {
                let Refusal { message, example, key } = refusal();
                tracing::debug!(target: "roomwire", cause = &*cause, example = %Escaped(example), key, "{message}");
            }
            None => {}
        }
    }

    /// Logs the refusals that were only counted, for each cause whose last line is a minute old. Call it every few
    /// seconds: the last refusals of a cause would otherwise wait for its next one.
    pub(crate) fn flush(&self) {
        self.flush_older_than(INTERVAL);
    }

    /// Logs all refusals that were only counted.
    pub(crate) fn flush_all(&self) {
        self.flush_older_than(Duration::ZERO);
    }

    fn flush_older_than(&self, interval: Duration) {
        let now = Instant::now();
        let mut causes = self.0.lock();
        let due: Vec<_> = causes
            .iter_mut()
            .filter_map(|(cause, history)| Some((cause.clone(), history.take_due(now, interval)?)))
            .collect();
        drop(causes);
        for (cause, (count, refusal)) in due {
            warn(&cause, count, &refusal);
        }
    }

    /// Counts a refusal. Returns what to log now, with the number of refusals in it.
    fn count(
        &self,
        cause: impl Into<Cow<'static, str>>,
        now: Instant,
        refusal: &impl Fn() -> Refusal,
    ) -> Option<(Cow<'static, str>, u64, Refusal)> {
        let (mut causes, mut cause) = (self.0.lock(), cause.into());
        if causes.len() >= CAUSES && !causes.contains_key(&cause) {
            causes.retain(|_, history| history.is_recent(now));
            if causes.len() >= CAUSES {
                cause = OTHER.into();
            }
        }
        let refusal = || if cause == OTHER { refusal().of_other_cause() } else { refusal() };
        match causes.entry(cause.clone()) {
            Entry::Vacant(place) => {
                place.insert(History { logged: now, since: None });
                Some((cause.clone(), 1, refusal()))
            }
            Entry::Occupied(mut place) => {
                let history = place.get_mut();
                history.since.get_or_insert_with(|| (0, refusal())).0 += 1;
                let (count, refusal) = history.take_due(now, INTERVAL)?;
                Some((cause.clone(), count, refusal))
            }
        }
    }
}

fn warn(cause: &str, count: u64, Refusal { message, example, key }: &Refusal) {
    tracing::warn!(target: "roomwire", cause, count, example = %Escaped(example), key, "{message}");
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use tokio::time::Instant;

    use super::{CAUSES, INTERVAL, OTHER, Refusal, RefusalLog};

    fn refusal(example: &str) -> Refusal {
        Refusal { message: "refused".into(), example: example.to_owned(), key: Some("limits.payload") }
    }

    #[test]
    fn the_first_refusal_is_due_at_once_and_the_others_of_a_minute_together() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        assert_eq!(log.count("payload", start, &|| refusal("ada")), Some(("payload".into(), 1, refusal("ada"))));
        for number in 1..=1000 {
            let during = start + INTERVAL * number / 1001;
            assert_eq!(log.count("payload", during, &|| refusal(&number.to_string())), None);
        }
        assert_eq!(
            log.count("origin", start, &|| refusal("bob")),
            Some(("origin".into(), 1, refusal("bob"))),
            "another cause"
        );
        let (_, count, example) = log.count("payload", start + INTERVAL, &|| refusal("eve")).expect("due");
        assert_eq!((count, example), (1001, refusal("1")), "the first since the last line is the example");
        assert_eq!(log.count("payload", start + INTERVAL + Duration::from_secs(1), &|| refusal("eve")), None);
    }

    #[test]
    fn refusals_that_were_only_counted_are_due_a_minute_after_the_last_line_without_a_further_one() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        for _ in 0..5 {
            log.count("payload", start, &|| refusal("ada"));
        }
        let due = |after| log.0.lock().get_mut("payload").expect("known").take_due(start + after, INTERVAL);
        assert_eq!(due(INTERVAL - Duration::from_millis(1)), None);
        assert_eq!(due(INTERVAL), Some((4, refusal("ada"))));
        assert_eq!(due(INTERVAL * 2), None, "there is nothing to say twice");
    }

    #[test]
    fn causes_beyond_all_bounds_count_as_one() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        for number in 0..CAUSES * 2 {
            log.count(format!("reason {number}"), start, &|| refusal("ada"));
        }
        assert_eq!(log.0.lock().len(), CAUSES + 1);
        let due = log.0.lock().get_mut(OTHER).and_then(|history| history.take_due(start + INTERVAL, INTERVAL));
        let (count, example) = due.expect("all but the first, which was logged");
        assert_eq!(count, CAUSES as u64 - 1);
        assert!(example.message.contains("more reasons"), "{example:?}");
        log.flush_older_than(Duration::ZERO);
        assert_eq!(
            log.count("another", Instant::now() + INTERVAL * 2, &|| refusal("bob")),
            Some(("another".into(), 1, refusal("bob")))
        );
        assert_eq!(log.0.lock().len(), 1, "a cause without lines to come is forgotten");
    }

    #[test]
    fn a_text_is_built_for_each_line_and_not_for_each_refusal() {
        let (log, start, built) = (RefusalLog::default(), Instant::now(), Cell::new(0));
        let build = || {
            built.set(built.get() + 1);
            refusal("ada")
        };
        for _ in 0..10_000 {
            log.count("payload", start, &build);
        }
        assert_eq!(built.get(), 2, "that of the first line, and the example of the next");
    }
}
