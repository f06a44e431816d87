//! What all sessions of a server share.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use roomwire_core::Namespace;
use roomwire_service::Dispatcher;

use crate::{metrics::Metrics, refusals::Refusals, settings::SessionSettings};

/// The service behind the sessions.
pub(crate) struct Context {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) refusals: Refusals,
    pub(crate) metrics: Arc<Metrics>,
    /// Those of the last session that was opened.
    settings: Mutex<Arc<SessionSettings>>,
}

impl Context {
    pub(crate) fn new(dispatcher: Dispatcher) -> Self {
        let service = dispatcher.service();
        let settings = SessionSettings::new(service.config(), dispatcher.namespaces().count());
        Self {
            refusals: Refusals::new(service.refusal_log().clone()),
            metrics: Metrics::new(),
            settings: Mutex::new(Arc::new(settings)),
            dispatcher,
        }
    }

    /// The settings for a session that is opened now. Sessions share them until the configuration changes.
    pub(crate) fn settings(&self) -> Arc<SessionSettings> {
        let config = self.dispatcher.service().config();
        let mut settings = self.settings.lock();
        if !Arc::ptr_eq(&settings.config, &config) {
            *settings = Arc::new(SessionSettings::new(config, self.dispatcher.namespaces().count()));
        }
        settings.clone()
    }

    /// The configured namespace with this name.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.dispatcher.namespaces().find(|namespace| namespace.as_str() == name)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
