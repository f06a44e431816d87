//! How long a write may wait.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// Writes some of these bytes when the system has any room at all.
pub(crate) type Probe<S> = fn(&S, &[u8]) -> io::Result<usize>;

/// Ends the patience with a peer that takes nothing. Costs nothing while writes do not wait.
pub(crate) struct WriteDeadline<S> {
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    /// A system calls a socket writable when there is room for much. A peer that reads slowly may not make so much room
    /// in time, and has not stopped reading all the same.
    probe: Option<Probe<S>>,
}

impl<S> WriteDeadline<S> {
    pub(crate) fn new(patience: Duration, probe: Option<Probe<S>>) -> Self {
        Self { patience, timer: None, waiting: false, probe }
    }

    /// Something was written.
    pub(crate) fn progressed(&mut self) {
        self.waiting = false;
    }

    /// A write of these bytes waits. Ready when it has waited for too long, or with what could be written after all.
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>, stream: &S, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.waiting {
            self.waiting = true;
            let end = Instant::now() + self.patience;
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(end),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        match self.probe.map(|probe| probe(stream, bytes)) {
            Some(Ok(written @ 1..)) => {
                self.waiting = false;
                Poll::Ready(Ok(written))
            }
            _ => Poll::Ready(Err(stalled())),
        }
    }
}

/// Marks, in a request's extensions, that the request's connection has a write deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HasWriteDeadline;

/// The peer took nothing for as long as it may.
pub(crate) fn stalled() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "nothing could be written for too long")
}

impl<S> fmt::Debug for WriteDeadline<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteDeadline")
            .field("patience", &self.patience)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
