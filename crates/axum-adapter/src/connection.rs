//! The handle by which a network connection is ended from outside of its tasks.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// Controls one connection.
#[derive(Default)]
pub(crate) struct Connection {
    ended: AtomicBool,
    /// It was ended because its peer took nothing.
    stalled: AtomicBool,
    /// Its peer has sent something.
    received: AtomicBool,
    /// A request of it was read.
    used: AtomicBool,
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

    /// Notes that the peer has sent something.
    pub(crate) fn set_received(&self) {
        if !self.received.load(Ordering::Relaxed) {
            self.received.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that a request was read.
    pub(crate) fn set_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether the peer has sent something, but no whole request yet.
    pub(crate) fn has_incomplete_request(&self) -> bool {
        self.received.load(Ordering::Relaxed) && !self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
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
        f.debug_struct("Connection").field("ended", &self.has_ended()).finish_non_exhaustive()
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
    /// The connection's memory address. It is unique, because the map keeps the connection alive.
    key: usize,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.key);
    }
}
