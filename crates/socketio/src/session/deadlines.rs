//! When a session must act or end although nothing arrives: heartbeat, idle sessions, clients that do not read.

use std::{sync::atomic::Ordering, time::Duration};

use roomwire_core::{DisconnectReason, packet::TextFrame};
use tokio::time::{Instant, sleep_until};

use super::{EndOnPanic, Ending, Session};

const PING: TextFrame = TextFrame::from_static(b"\x81\x012");

/// The moments that deadlines are counted from.
#[derive(Debug)]
pub(crate) struct Deadlines {
    next_ping: Instant,
    /// Whether the pong to the last ping is missing.
    awaits_pong: bool,
    /// When the last ping was sent, or later signs of life were seen.
    last_activity: Instant,
    /// Since when it is in no namespace.
    idle_since: Option<Instant>,
    /// Whether it was in any before.
    has_connected: bool,
}

/// What a deadline that has passed asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Ping,
    PingTimeout,
    NoNamespace,
    SlowConsumer,
}

impl Deadlines {
    pub(super) fn new(ping_interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            next_ping: now + ping_interval,
            awaits_pong: false,
            last_activity: now,
            idle_since: Some(now),
            has_connected: false,
        }
    }
}

impl Session {
    /// Bytes arrived or were taken: the client is alive, although its pong may be behind them.
    pub fn note_activity(&self) {
        if !self.0.had_activity.load(Ordering::Relaxed) {
            self.0.had_activity.store(true, Ordering::Relaxed);
        }
    }

    /// The client may be reading for so long.
    pub(super) fn note_reading_time(&self, time: Duration) {
        let mut deadlines = self.0.deadlines.lock();
        deadlines.last_activity = deadlines.last_activity.max(Instant::now() + time);
    }

    pub(super) fn pong(&self) {
        let mut deadlines = self.0.deadlines.lock();
        deadlines.awaits_pong = false;
        deadlines.next_ping = Instant::now() + self.0.settings.config.ping_interval;
    }

    /// Whether the session is in any namespace or connects to one.
    pub(super) fn set_idle(&self, is_idle: bool) {
        let mut deadlines = self.0.deadlines.lock();
        deadlines.has_connected |= !is_idle;
        deadlines.idle_since = is_idle.then(|| deadlines.idle_since.unwrap_or_else(Instant::now));
        drop(deadlines);
        if is_idle {
            self.0.has_new_deadline.store(true, Ordering::Release);
            self.0.changed.notify_one();
            self.0.outbox.wake_transport();
        }
    }

    /// Whether a deadline may have become earlier since the last call.
    pub(crate) fn has_new_deadline(&self) -> bool {
        self.0.has_new_deadline.load(Ordering::Acquire) && self.0.has_new_deadline.swap(false, Ordering::AcqRel)
    }

    /// Does what is due, and returns when to look again.
    pub(crate) fn check_deadlines(&self) -> Instant {
        loop {
            let due = match self.next_deadline(Instant::now()) {
                Ok(next) => return next,
                Err(due) => due,
            };
            match due {
                Due::Ping => self.0.outbox.send_soon(PING),
                Due::PingTimeout if self.0.outbox.is_behind() => self.end_slow(),
                Due::PingTimeout => self.end(DisconnectReason::PingTimeout, Ending::Flush),
                // It connected to one meanwhile.
                Due::NoNamespace if !self.0.namespaces.lock().is_empty() => self.set_idle(false),
                Due::NoNamespace => {
                    // A page that is reloaded while it connects leaves such a session, which is no news.
                    if self.0.deadlines.lock().has_connected {
                        self.0.context.refusals.no_namespace(&self.0.request);
                    }
                    self.end(DisconnectReason::ConnectionLost, Ending::Flush);
                }
                Due::SlowConsumer => self.end_slow(),
            }
        }
    }

    fn next_deadline(&self, now: Instant) -> Result<Instant, Due> {
        let (config, is_polling) = (&self.0.settings.config, !self.is_websocket());
        let mut next = now + config.ping_interval;
        if self.ending().is_some() {
            return Ok(next);
        }
        let mut until = |deadline: Instant, due| {
            next = next.min(deadline);
            if deadline <= now { Err(due) } else { Ok(()) }
        };
        // A websocket has a pending write to time out. A polling session has only its queued messages.
        if is_polling && let Some(since) = self.0.outbox.stalled_since() {
            until(since + config.limits.write_timeout, Due::SlowConsumer)?;
        }
        let mut deadlines = self.0.deadlines.lock();
        if let Some(since) = deadlines.idle_since {
            until(since + config.limits.handshake_timeout, Due::NoNamespace)?;
        }
        if deadlines.awaits_pong {
            // A client that is not read from cannot be heard.
            if self.0.had_activity.swap(false, Ordering::Relaxed) || self.0.read_gate.is_paused() {
                deadlines.last_activity = deadlines.last_activity.max(now);
            }
            until(deadlines.last_activity + config.ping_timeout, Due::PingTimeout)?;
        }
        // Also while a pong is on its way: clients give up when no ping arrives for the interval and the timeout.
        if let Err(ping) = until(deadlines.next_ping, Due::Ping) {
            deadlines.next_ping = now + config.ping_interval;
            if !std::mem::replace(&mut deadlines.awaits_pong, true) {
                deadlines.last_activity = deadlines.last_activity.max(now);
                self.0.had_activity.store(false, Ordering::Relaxed);
            }
            return Err(ping);
        }
        Ok(next)
    }

    /// Keeps the deadlines of a session over HTTP long-polling. The task of a websocket does it itself.
    pub(super) async fn keep_deadlines(self) {
        let _guard = EndOnPanic(&self);
        while self.ending().is_none() && !self.is_websocket() {
            let next = self.check_deadlines();
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.0.changed.notified() => {}
                () = self.0.outbox.backlog_begins() => {}
            }
        }
    }
}
