//! Asks sessions to go at a pace, so that their clients do not come back all at once.

use std::{collections::HashSet, time::Duration};

use roomwire_core::DisconnectReason;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Session, Sessions, session::Ending};

/// The usual pause between two batches.
const PAUSE: Duration = Duration::from_millis(50);

/// As many sessions may be asked in each second, whatever the pace: few clients are no burden to other nodes.
const FEW: u32 = 10;

impl Sessions {
    /// Asks all sessions to go, in batches that are spread evenly over this time; over less if there are at most ten
    /// sessions for each second of it. Each session ends by itself: the events that it has received are handled and
    /// acknowledged, its clients leave their rooms, and what is queued for it is sent. Then its transport is closed, so
    /// that its client reconnects by itself. The others are served until it is their turn.
    ///
    /// Open no session meanwhile, or it is asked too.
    ///
    /// A session with a handler that does not return or a client that does not read is closed at `close_by`. Returns the
    /// number of those.
    ///
    /// # Cancellation
    /// Dropping the future asks no further sessions; those that were asked go.
    pub async fn drain(&self, spread: Duration, close_by: Instant) -> usize {
        let mut late = 0;
        loop {
            let sessions: Vec<_> = self.all().into_iter().filter(|session| session.ending().is_none()).collect();
            if sessions.is_empty() {
                return late;
            }
            let (pace, began) = (Pace::new(sessions.len(), spread), Instant::now());
            let mut leaving = Vec::with_capacity(sessions.len());
            while leaving.len() < sessions.len() {
                let due = pace.due(began.elapsed());
                for session in &sessions[leaving.len()..due.max(leaving.len())] {
                    leaving.push(tokio::spawn(session.clone().leave(close_by)));
                }
                if leaving.len() < sessions.len() {
                    sleep(PAUSE.mul_f64(rand::random_range(0.5..=1.5))).await;
                }
            }
            for left in leaving {
                late += usize::from(!left.await.unwrap_or(false));
            }
        }
    }
}

impl Session {
    /// Ends the session in good order. False if that took too long.
    async fn leave(self, close_by: Instant) -> bool {
        // Before the client connects to another node, it has left its rooms here.
        let left = timeout_at(close_by, self.leave_rooms()).await;
        self.end(DisconnectReason::ServerShutdown, Ending::Flush);
        let released = timeout_at(close_by, self.released()).await;
        if released.is_err() {
            self.end(DisconnectReason::ServerShutdown, Ending::Abort);
        }
        left.is_ok() && released.is_ok()
    }

    /// Closes the clients of all namespaces, also those that connect meanwhile, and waits until they have left.
    async fn leave_rooms(&self) {
        let mut closed = HashSet::new();
        loop {
            let mut clients = self.connected_clients();
            clients.retain(|client| closed.insert(client.client.id().clone()));
            if clients.is_empty() {
                return;
            }
            for client in &clients {
                client.session.closed(DisconnectReason::ServerShutdown);
            }
            for client in &clients {
                client.session.left().await;
            }
        }
    }
}

/// How many of some sessions are asked by when.
#[derive(Clone, Copy, Debug)]
struct Pace {
    sessions: usize,
    spread: Duration,
}

impl Pace {
    fn new(sessions: usize, spread: Duration) -> Self {
        let shortest = Duration::from_secs(1).saturating_mul(u32::try_from(sessions).unwrap_or(u32::MAX)) / FEW;
        Self { sessions, spread: spread.min(shortest) }
    }

    /// The number of sessions that are asked after this time. The first is asked at once.
    fn due(&self, elapsed: Duration) -> usize {
        let share = (self.sessions as u128 * elapsed.as_millis()).checked_div(self.spread.as_millis());
        let due = share.and_then(|share| usize::try_from(share + 1).ok());
        due.unwrap_or(self.sessions).min(self.sessions)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    /// The most sessions that are asked within any second, when it is looked every 50 ms.
    fn most_in_a_second(pace: Pace) -> usize {
        let due = |step: u32| pace.due(Duration::from_millis(50) * step);
        (0..400).map(|step| due(step + 20) - if step == 0 { 0 } else { due(step - 1) }).max().expect("some")
    }

    #[test]
    fn at_most_a_fifth_of_many_sessions_is_asked_in_any_second_and_all_are_in_the_end() {
        for sessions in [60, 100, 1000, 12_345, 100_000] {
            let pace = Pace::new(sessions, Duration::from_secs(6));
            assert!(most_in_a_second(pace) <= sessions.div_ceil(5), "{sessions}: {}", most_in_a_second(pace));
            assert!(pace.due(Duration::from_millis(5800)) < sessions);
            assert_eq!(pace.due(Duration::from_secs(6)), sessions);
        }
    }

    #[test]
    fn few_sessions_need_not_wait_for_the_whole_time() {
        for (sessions, millis) in [(1, 0), (5, 500), (20, 2000)] {
            let pace = Pace::new(sessions, Duration::from_secs(6));
            assert_eq!(pace.due(Duration::ZERO), 1, "the first goes at once");
            assert_eq!(pace.due(Duration::from_millis(millis)), sessions);
            assert!(most_in_a_second(pace) <= 12);
        }
    }

    #[test]
    fn without_time_all_are_asked_at_once() {
        assert_eq!(Pace::new(1000, Duration::ZERO).due(Duration::ZERO), 1000);
        assert_eq!(Pace::new(0, Duration::from_secs(6)).due(Duration::ZERO), 0);
    }
}
