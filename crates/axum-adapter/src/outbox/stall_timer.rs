//! The write-stall timeout of a session over HTTP long-polling.
//!
//! A websocket has a pending write to time out. A polling session has only its queued messages.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Outbox, State};

impl Outbox {
    /// Something is about to wait for the session: looks after it until nothing does, when it polls.
    pub(super) fn watch(self: &Arc<Self>, state: &mut State) {
        if !self.polling.load(Ordering::Relaxed) {
            return;
        }
        if state.given.is_empty() {
            state.progressed = Some(Instant::now());
        }
        if let Some(runtime) = &self.runtime
            && !std::mem::replace(&mut state.watched, true)
        {
            runtime.spawn(watch(Arc::downgrade(self), self.bounds.patience));
        }
    }

    /// A session that polls took a part of what was answered to it.
    pub(super) fn moved(&self) {
        self.state.lock().progressed = Some(Instant::now());
    }

    /// An answer to a session that polls was taken as a whole, with so many frames.
    pub(super) fn answered(&self, frames: u32) {
        self.moved();
        self.were_taken(frames);
    }

    /// Ends the session.
    pub(super) fn break_off(&self) {
        if let Some(end) = self.end.get() {
            let _runtime = self.runtime.as_ref().map(tokio::runtime::Handle::enter);
            end();
        }
    }

    /// How much longer the session may take nothing; nothing when it need not be watched.
    fn remaining(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        if state.is_idle() || !self.polling.load(Ordering::Relaxed) {
            state.watched = false;
            return None;
        }
        let since = *state.progressed.get_or_insert_with(Instant::now);
        Some((since + self.bounds.patience).saturating_duration_since(Instant::now()))
    }
}

async fn watch(outbox: Weak<Outbox>, patience: Duration) {
    let mut pause = patience;
    loop {
        tokio::time::sleep(pause).await;
        let Some(outbox) = outbox.upgrade() else { return };
        match outbox.remaining() {
            None => return,
            Some(remaining) if !remaining.is_zero() => pause = remaining,
            Some(_) => {
                outbox.stalled();
                outbox.break_off();
                return;
            }
        }
    }
}
