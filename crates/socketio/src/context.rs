//! What all sessions of a server share.

use std::{fmt, sync::Arc};

use roomwire_core::{Namespace, WebSocketConfig};
use roomwire_service::Dispatcher;

use crate::{ReconnectRate, limits::SessionLimits, metrics::Metrics, outbox::Bounds, refusals::Refusals};

/// The service behind the sessions, and what the configuration says about them.
pub(crate) struct Context {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) limits: SessionLimits,
    pub(crate) bounds: Bounds,
    pub(crate) refusals: Refusals,
    pub(crate) metrics: Arc<Metrics>,
    /// How often one session may connect to namespaces. A connect costs as much as a session that connects to one
    /// namespace: it is authenticated and registered. Hence the keys for short sessions apply to it too.
    pub(crate) connects: ReconnectRate,
}

impl Context {
    pub(crate) fn new(dispatcher: Dispatcher) -> Self {
        let service = dispatcher.service();
        let limits = &service.config().limits;
        let namespaces = u32::try_from(dispatcher.namespaces().count()).unwrap_or(u32::MAX);
        let connects = ReconnectRate::new(limits.reconnects_per_second, limits.reconnect_burst.max(namespaces));
        Self {
            limits: SessionLimits::from(limits),
            bounds: Bounds::from(limits),
            refusals: Refusals::new(service.refusal_log().clone()),
            metrics: Metrics::new(),
            connects,
            dispatcher,
        }
    }

    pub(crate) fn config(&self) -> &WebSocketConfig {
        self.dispatcher.service().config()
    }

    /// The configured namespace with this name.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.dispatcher.namespaces().find(|namespace| namespace.as_str() == name)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("limits", &self.limits).finish_non_exhaustive()
    }
}
