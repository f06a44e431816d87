//! The handle by which a network connection is ended or made to wait, from outside of its tasks.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// Controls one websocket connection.
#[derive(Default)]
pub(crate) struct Connection {
    ended: AtomicBool,
    /// It was ended because its peer took nothing.
    stalled: AtomicBool,
    /// How many of its clients (one a namespace) have more events waiting than they should.
    pauses: AtomicUsize,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Connection {
    /// Ends the connection: reading and writing fail from now on, also where they are waiting.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    /// Ends the connection because its peer takes nothing.
    pub(crate) fn stall(&self) {
        self.stalled.store(true, Ordering::Release);
        self.end();
    }

    pub(crate) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Reads no more for now; the peer's sends wait in its own network stack.
    pub(crate) fn pause(&self) {
        self.pauses.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes back one [`Self::pause`].
    pub(crate) fn resume(&self) {
        if self.pauses.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.reader.wake();
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pauses.load(Ordering::Acquire) > 0
    }

    pub(crate) fn wake_reader_with(&self, waker: &std::task::Waker) {
        self.reader.register(waker);
    }

    pub(crate) fn wake_writer_with(&self, waker: &std::task::Waker) {
        self.writer.register(waker);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("ended", &self.has_ended())
            .field("paused", &self.is_paused())
            .finish_non_exhaustive()
    }
}

/// All websocket connections, for the moment when the last of them must go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<usize, Arc<Connection>>>>);

impl Connections {
    /// Knows a connection until the answer is dropped.
    pub(crate) fn add(&self, connection: &Arc<Connection>) -> impl Sized + Send + use<> {
        let key = Arc::as_ptr(connection).addr();
        self.0.lock().insert(key, connection.clone());
        Known { all: self.clone(), key }
    }

    /// Ends all that are open now.
    pub(crate) fn end_all(&self) {
        let all: Vec<_> = self.0.lock().values().cloned().collect();
        for connection in all {
            connection.end();
        }
    }
}

struct Known {
    all: Connections,
    /// The connection's address: nobody else's while it is known, since that keeps it alive.
    key: usize,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.key);
    }
}
