//! The namespaces that this node has used.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use roomwire_core::Namespace;

use super::NamespaceState;
use crate::metrics::Metrics;

/// The local states of namespaces, sorted by name. They are kept as long as the service.
#[derive(Debug)]
pub(crate) struct Namespaces {
    all: RwLock<BTreeMap<Namespace, Arc<NamespaceState>>>,
    metrics: Arc<Metrics>,
}

impl Namespaces {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { all: RwLock::default(), metrics }
    }

    /// The state of a namespace, created at the first use.
    pub(crate) fn get(&self, namespace: &Namespace) -> Arc<NamespaceState> {
        if let Some(known) = self.all.read().get(namespace) {
            return known.clone();
        }
        let mut namespaces = self.all.write();
        let new = || Arc::new(NamespaceState::new(namespace.clone(), self.metrics.clone()));
        namespaces.entry(namespace.clone()).or_insert_with(new).clone()
    }

    /// The states of all namespaces.
    pub(crate) fn all(&self) -> Vec<Arc<NamespaceState>> {
        self.all.read().values().cloned().collect()
    }
}
