//! Whether a session that began over HTTP long-polling still uses it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

/// How long a poll that begins during a probe may wait. A client that never sees the answer to its probe keeps polling,
/// and would do so as fast as the network allows.
const POLL_DURING_PROBE: Duration = Duration::from_millis(100);

/// The progress of a session's upgrade. Cheap to clone; all copies are of one session.
#[derive(Clone, Debug)]
pub(crate) struct UpgradeState(Arc<watch::Sender<Stage>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Polling,
    /// A websocket is being probed. Messages go over HTTP requests meanwhile.
    Probing,
    Websocket,
}

/// The probe of a websocket. Dropping it leaves the session on HTTP requests.
#[must_use]
#[derive(Debug)]
pub(crate) struct ProbePermit(UpgradeState);

impl UpgradeState {
    /// Begins a probe. `None` when one is going on or the session has a websocket.
    pub(crate) fn begin_probe(&self) -> Option<ProbePermit> {
        let begins = self.0.send_if_modified(|stage| {
            let is_polling = *stage == Stage::Polling;
            if is_polling {
                *stage = Stage::Probing;
            }
            is_polling
        });
        begins.then(|| ProbePermit(self.clone()))
    }

    /// Whether the session uses a websocket.
    pub(crate) fn is_websocket(&self) -> bool {
        *self.0.borrow() == Stage::Websocket
    }

    /// Waits until a poll without messages is to be answered: a client that probes a websocket waits for its last poll.
    pub(crate) async fn poll_released(&self) {
        let mut stage = self.0.subscribe();
        if *stage.borrow_and_update() == Stage::Probing {
            sleep(POLL_DURING_PROBE).await;
        }
        // The sender outlives this borrow of it.
        let _ = stage.wait_for(|stage| *stage != Stage::Polling).await;
    }
}

/// A session that begins over HTTP long-polling.
impl Default for UpgradeState {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::Polling)))
    }
}

impl ProbePermit {
    /// The session uses the websocket from now on.
    pub(crate) fn succeed(self) {
        self.0.0.send_replace(Stage::Websocket);
    }
}

impl Drop for ProbePermit {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|stage| {
            let was_probing = *stage == Stage::Probing;
            if was_probing {
                *stage = Stage::Polling;
            }
            was_probing
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, timeout};

    use super::UpgradeState;

    #[test]
    fn one_websocket_is_probed_at_a_time_and_none_after_the_upgrade() {
        let state = UpgradeState::default();
        let first = state.begin_probe().expect("the first");
        assert!(state.begin_probe().is_none());
        drop(first);
        state.begin_probe().expect("after one that failed").succeed();
        assert!(state.begin_probe().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_waits_is_released_at_once_and_those_during_the_probe_ten_times_a_second() {
        let state = UpgradeState::default();
        let waiting = tokio::spawn({
            let state = state.clone();
            async move { state.poll_released().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let began = Instant::now();
        let probe = state.begin_probe().expect("begins");
        waiting.await.expect("released");
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            state.poll_released().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        drop(probe);
        timeout(Duration::from_secs(60), state.poll_released()).await.expect_err("polls wait as before");
    }
}
