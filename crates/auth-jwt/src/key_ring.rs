//! The keys in use, refreshed periodically and when a token names an unknown key id.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use roomwire_core::{Escaped, config::Algorithm};
use tokio::{
    sync::Mutex,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use super::{
    JwtError,
    key_set::KeySet,
    metrics::Metrics,
    source::{Read, Source},
};

/// The minimum time between two refreshes that tokens with unknown key ids cause. Any client can send such tokens.
const PAUSE: Duration = Duration::from_secs(10);

/// The delay before a failed refresh is retried, unless the next one is due earlier.
const RETRY: Duration = Duration::from_secs(15);

/// Keys that can be replaced while they are in use.
pub(crate) struct KeyRing {
    shared: Arc<Shared>,
    /// The task that refreshes them.
    refresh: Option<AbortHandle>,
}

struct Shared {
    source: Source,
    algorithms: Vec<Algorithm>,
    keys: RwLock<Read>,
    /// The time of the last read. Locked during a read, so that one runs at a time.
    asked: Mutex<Instant>,
    /// Whether the last read failed: an outage is logged when it begins and when it ends.
    is_failing: AtomicBool,
    metrics: Metrics,
}

impl KeyRing {
    /// Reads the keys, and starts to refresh them periodically.
    ///
    /// # Errors
    /// If they cannot be read now or are unusable.
    pub(crate) async fn load(source: Source, algorithms: Vec<Algorithm>, refresh: Duration) -> Result<Self, JwtError> {
        let now = Instant::now();
        let asked = Mutex::new(now);
        let keys = RwLock::new(source.read(&algorithms).await?);
        let shared = Arc::new(Shared {
            source,
            algorithms,
            keys,
            asked,
            is_failing: AtomicBool::new(false),
            metrics: Metrics::new(),
        });
        tracing::info!(target: "roomwire", source = %shared.source, keys = shared.current().len(), "keys for tokens are read");
        let refresh = shared.source.can_change().then(|| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.keep_fresh(now + refresh, refresh).await }).abort_handle()
        });
        Ok(Self { shared, refresh })
    }

    /// The current keys.
    pub(crate) fn current(&self) -> Arc<KeySet> {
        self.shared.current()
    }

    /// Reads the keys again now, if they can change. The returned function puts them into use, unless others were read
    /// after them.
    ///
    /// # Errors
    /// If they cannot be read now or are unusable; the previous ones stay in use.
    pub(crate) async fn read_again(&self) -> Result<impl FnOnce() + Send + 'static, JwtError> {
        let shared = Arc::clone(&self.shared);
        let mut read = None;
        if shared.source.can_change() {
            let mut asked = shared.asked.lock().await;
            let new = shared.source.read(&shared.algorithms).await;
            *asked = Instant::now();
            shared.metrics.refreshed(new.is_ok());
            read = Some((shared.current(), new?));
        }
        Ok(move || {
            if let Some((before, new)) = read {
                shared.replace(new, Some(&before));
            }
        })
    }

    /// Refreshes the keys because a token names an unknown key id. Returns at once if a refresh ended a moment ago, and
    /// waits for one in progress.
    ///
    /// # Cancellation
    /// The refresh continues in the background: otherwise clients that connect and disconnect could cause any number of
    /// requests to the source.
    pub(crate) async fn look_again(&self) {
        let shared = &self.shared;
        if !shared.source.names_keys() || shared.asked.try_lock().is_ok_and(|asked| asked.elapsed() < PAUSE) {
            return;
        }
        let shared = Arc::clone(shared);
        let looking = tokio::spawn(async move { shared.read_unless_just_done().await });
        // It does not panic; if it did, the old keys would stay in use.
        let _ = looking.await;
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        if let Some(refresh) = &self.refresh {
            refresh.abort();
        }
    }
}

impl Shared {
    fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().keys)
    }

    async fn keep_fresh(&self, mut due: Instant, refresh: Duration) {
        loop {
            sleep_until(due).await;
            let mut asked = self.asked.lock().await;
            *asked = Instant::now();
            due = *asked + if self.read().await { refresh } else { refresh.min(RETRY) };
        }
    }

    async fn read_unless_just_done(&self) {
        let mut asked = self.asked.lock().await;
        if asked.elapsed() >= PAUSE {
            *asked = Instant::now();
            self.read().await;
        }
    }

    /// Replaces the keys by the source's current ones; keeps them if it cannot be read. Returns whether it could.
    async fn read(&self) -> bool {
        let read = self.source.read(&self.algorithms).await;
        let is_read = read.is_ok();
        self.metrics.refreshed(is_read);
        match read {
            Ok(read) => self.replace(read, None),
            Err(error) if self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::debug!(target: "roomwire", error = %Escaped(error), "keys for tokens still cannot be read");
            }
            Err(error) => {
                tracing::warn!(target: "roomwire", error = %Escaped(error), "keys for tokens cannot be read; those from before are used");
            }
        }
        is_read
    }

    /// Uses these keys; with `instead_of`, only if those are in use.
    fn replace(&self, read: Read, instead_of: Option<&Arc<KeySet>>) {
        let count = read.keys.len();
        let mut keys = self.keys.write();
        if instead_of.is_some_and(|before| !Arc::ptr_eq(before, &keys.keys)) {
            return;
        }
        let is_new = keys.fingerprint != read.fingerprint;
        *keys = read;
        drop(keys);
        if self.is_failing.swap(false, Ordering::Relaxed) || is_new {
            tracing::info!(target: "roomwire", source = %self.source, keys = count, is_new, "keys for tokens are read");
        }
    }
}
