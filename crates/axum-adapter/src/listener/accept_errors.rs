//! What the listener does when it cannot accept.

use std::{
    io,
    time::{Duration, Instant},
};

use roomwire_core::LogThrottle;

use crate::metrics;

/// The first pause after a failure; each that follows is twice as long.
const SHORTEST: Duration = Duration::from_millis(10);

const LONGEST: Duration = Duration::from_secs(1);

/// Failures to accept: ever longer pauses between those that follow each other, and one log line a minute for all.
#[derive(Debug, Default)]
pub(super) struct AcceptErrors {
    pause: Option<Duration>,
    log: LogThrottle,
}

impl AcceptErrors {
    /// How long to wait before accepting again; not at all when only one connection failed.
    pub(super) fn failed(&mut self, error: &io::Error) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return Duration::ZERO;
        }
        metrics::accept_failed();
        if let Some(failures) = self.log.count(Instant::now()) {
            tracing::error!(
                target: "roomwire",
                %error, failures,
                "connections cannot be accepted; trying again. Too many open files? Raise the limit (ulimit -n), or lower \
                 maxConnections"
            );
        }
        let pause = self.pause.map_or(SHORTEST, |last| (last * 2).min(LONGEST));
        self.pause = Some(pause);
        pause
    }

    /// A connection was accepted.
    pub(super) fn over(&mut self) {
        self.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use super::{AcceptErrors, LONGEST, SHORTEST};

    /// Counts lines.
    #[derive(Clone, Default)]
    struct Lines(Arc<AtomicUsize>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.fetch_add(bytes.iter().filter(|byte| **byte == b'\n').count(), Ordering::Relaxed);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn failures_between_successes_are_one_line_a_minute() {
        let (lines, mut errors) = (Lines::default(), AcceptErrors::default());
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1000 {
                errors.failed(&io::Error::from_raw_os_error(24));
                errors.over();
            }
        });
        assert_eq!(lines.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn pauses_grow_to_a_second_and_begin_anew_after_a_success() {
        let mut errors = AcceptErrors::default();
        let exhausted = || io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..10).map(|_| errors.failed(&exhausted())).collect();
        assert_eq!(pauses[..3], [SHORTEST, SHORTEST * 2, SHORTEST * 4]);
        assert_eq!(pauses[9], LONGEST);
        errors.over();
        assert_eq!(errors.failed(&exhausted()), SHORTEST);
    }

    #[test]
    fn a_connection_that_broke_before_it_was_accepted_costs_no_pause() {
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(AcceptErrors::default().failed(&aborted), Duration::ZERO);
    }
}
