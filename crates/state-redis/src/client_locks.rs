//! Runs the changes of a client that need several scripts one at a time.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use roomwire_core::ClientKey;
use tokio::sync::OwnedMutexGuard;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A lock for each client that is being changed, and for no other: a client on an unreachable server does not block
/// other clients. A single server needs no locks, because each change is one script.
#[derive(Debug)]
pub(crate) struct ClientLocks {
    needed: bool,
    locks: Mutex<HashMap<ClientKey, Lock>>,
}

/// Locks some clients until it is dropped.
#[derive(Debug)]
pub(crate) struct LockedClients<'a>(#[expect(dead_code, reason = "guards are held, not read")] Vec<ClientLock<'a>>);

#[derive(Debug)]
struct ClientLock<'a> {
    locks: &'a ClientLocks,
    client: ClientKey,
    /// `None` while the lock is waited for, and when it is released.
    guard: Option<OwnedMutexGuard<()>>,
}

impl ClientLocks {
    pub(crate) fn new(needed: bool) -> Self {
        Self { needed, locks: Mutex::default() }
    }

    /// # Cancellation
    /// Dropping the future releases the locks that it has taken already.
    pub(crate) async fn lock<'a>(&self, clients: impl IntoIterator<Item = &'a ClientKey>) -> LockedClients<'_> {
        if !self.needed {
            return LockedClients(Vec::new());
        }
        let mut wanted: Vec<_> = clients.into_iter().collect();
        // Locks are taken in sorted order, so that callers cannot deadlock.
        wanted.sort_unstable();
        wanted.dedup();
        let mut locked = Vec::with_capacity(wanted.len());
        for client in wanted {
            let lock = self.locks.lock().entry(client.clone()).or_default().clone();
            let mut waiting = ClientLock { locks: self, client: client.clone(), guard: None };
            waiting.guard = Some(lock.lock_owned().await);
            locked.push(waiting);
        }
        LockedClients(locked)
    }
}

impl Drop for ClientLock<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut locks = self.locks.locks.lock();
        // Each owner and each waiting caller has a clone of the `Arc`, created under this lock.
        if locks.get(&self.client).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use roomwire_core::{ClientId, ClientKey, Namespace};

    use super::ClientLocks;

    fn client(number: usize) -> ClientKey {
        ClientKey::new(Namespace::root(), ClientId::new(format!("c{number}")).expect("valid"))
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn changes_of_one_client_wait_for_each_other_and_those_of_others_do_not() {
        let locks = ClientLocks::new(true);
        let clients: Vec<_> = (0..100).map(client).collect();
        let locked = locks.lock([&clients[0]]).await;
        let mut again = pin!(locks.lock([&clients[1], &clients[0]]));
        assert!(poll(again.as_mut()).is_pending());
        for other in &clients[1..] {
            assert!(poll(pin!(locks.lock([other]))).is_ready());
        }
        drop(locked);
        let Poll::Ready(locked) = poll(again.as_mut()) else { panic!("it is free") };
        assert!(poll(pin!(locks.lock([&clients[1]]))).is_pending());
        drop(locked);
        assert!(locks.locks.lock().is_empty(), "nothing is kept of clients that nobody changes");
    }

    #[tokio::test]
    async fn nothing_is_kept_of_callers_that_stop_waiting() {
        let (locks, client) = (ClientLocks::new(true), client(0));
        let locked = locks.lock([&client]).await;
        {
            let mut waiting = pin!(locks.lock([&client]));
            assert!(poll(waiting.as_mut()).is_pending());
            drop(locked);
        }
        assert!(locks.locks.lock().is_empty());
    }
}
