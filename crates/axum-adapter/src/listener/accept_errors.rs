//! What the listener does when it cannot accept.

use std::{io, time::Duration};

use crate::instruments;

/// The first pause after a failure; each that follows is twice as long.
const SHORTEST: Duration = Duration::from_millis(10);

const LONGEST: Duration = Duration::from_secs(1);

/// Failures that follow each other: they are told once, and waited out ever more patiently.
#[derive(Debug, Default)]
pub(super) struct AcceptErrors {
    pause: Option<Duration>,
}

impl AcceptErrors {
    /// How long to wait before accepting again; not at all when only one connection failed.
    pub(super) fn failed(&mut self, error: &io::Error) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return Duration::ZERO;
        }
        instruments::accept_failed();
        if self.pause.is_none() {
            tracing::error!(
                target: "roomwire",
                %error,
                "no connection can be accepted; trying again. Too many open files? Raise the limit (ulimit -n), or lower maxConnections"
            );
        }
        let pause = self.pause.map_or(SHORTEST, |last| (last * 2).min(LONGEST));
        self.pause = Some(pause);
        pause
    }

    /// A connection was accepted.
    pub(super) fn over(&mut self) {
        if self.pause.take().is_some() {
            tracing::info!(target: "roomwire", "connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::{AcceptErrors, LONGEST, SHORTEST};

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
