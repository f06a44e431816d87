//! The configuration in force, which can be replaced while the node runs.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use roomwire_core::WebSocketConfig;

use crate::Reloadable;

/// The configuration of this node: read without a lock, replaced as a whole.
pub(crate) struct Configuration {
    /// What the node started with. Keys that need a restart are the same in all later ones.
    pub(crate) started: Arc<WebSocketConfig>,
    current: ArcSwap<WebSocketConfig>,
    /// The parts outside of this crate that derive something from the configuration.
    parts: Mutex<Vec<Weak<dyn Reloadable>>>,
    /// One reload at a time.
    pub(crate) reloading: tokio::sync::Mutex<()>,
}

impl Configuration {
    pub(super) fn new(started: Arc<WebSocketConfig>) -> Self {
        let current = ArcSwap::from(started.clone());
        Self { started, current, parts: Mutex::default(), reloading: tokio::sync::Mutex::default() }
    }

    /// For reading a few values. Cheaper than [`full`](Self::full): it changes no memory that threads share.
    pub(crate) fn load(&self) -> Guard<Arc<WebSocketConfig>> {
        self.current.load()
    }

    /// To keep it.
    pub(crate) fn full(&self) -> Arc<WebSocketConfig> {
        self.current.load_full()
    }

    pub(crate) fn replace(&self, new: Arc<WebSocketConfig>) {
        self.current.store(new);
    }

    /// From now on this part is asked at each reload, for as long as it exists.
    pub(crate) fn add_part(&self, part: Weak<dyn Reloadable>) {
        let mut parts = self.parts.lock();
        parts.retain(|part| part.strong_count() > 0);
        parts.push(part);
    }

    pub(crate) fn parts(&self) -> Vec<Arc<dyn Reloadable>> {
        self.parts.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Configuration").field(&*self.current.load()).finish()
    }
}
