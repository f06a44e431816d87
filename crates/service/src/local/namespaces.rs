//! The namespaces that this node has used.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use roomwire_core::Namespace;

use super::NamespaceState;

/// The local states of namespaces, sorted by name. They are kept as long as the service.
#[derive(Debug, Default)]
pub(crate) struct Namespaces(RwLock<BTreeMap<Namespace, Arc<NamespaceState>>>);

impl Namespaces {
    /// The state of a namespace, created at the first use.
    pub(crate) fn get(&self, namespace: &Namespace) -> Arc<NamespaceState> {
        if let Some(known) = self.0.read().get(namespace) {
            return known.clone();
        }
        let mut namespaces = self.0.write();
        namespaces.entry(namespace.clone()).or_insert_with(|| Arc::new(NamespaceState::new(namespace.clone()))).clone()
    }

    /// The states of all namespaces.
    pub(crate) fn all(&self) -> Vec<Arc<NamespaceState>> {
        self.0.read().values().cloned().collect()
    }
}
