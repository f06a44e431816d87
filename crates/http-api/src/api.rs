//! What all routes share.

use std::{sync::Arc, time::Duration};

use roomwire_axum_adapter::RoomwireLayer;
use roomwire_core::{Error, ErrorCode, Namespace, config::Secret};
use roomwire_service::WebSocketService;

use crate::{sent_requests::SentRequests, status};

/// The state of the routes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

struct Shared {
    service: WebSocketService,
    /// The namespaces of the gateways, sorted.
    namespaces: Vec<Namespace>,
    sent_requests: SentRequests,
}

impl Api {
    /// `None` if the service is off or no token is configured; one line at info says which.
    pub(crate) fn new(layer: &RoomwireLayer) -> Option<Self> {
        let service = layer.service().clone();
        let config = service.config();
        if !config.enabled {
            tracing::info!(target: "roomwire", key = "enabled", "the HTTP API is off, because the service is: set enabled to true to switch it on");
            return None;
        }
        if config.api.token.is_none() {
            tracing::info!(target: "roomwire", key = "api.token", "the HTTP API is off: set api.token to switch it on");
            return None;
        }
        let mut namespaces: Vec<_> = layer.namespaces().cloned().collect();
        namespaces.sort_unstable();
        let sent_requests = SentRequests::new(service.refusal_log().clone());
        Some(Self(Arc::new(Shared { service, namespaces, sent_requests })))
    }

    /// The service, in the default namespace.
    pub(crate) fn service(&self) -> &WebSocketService {
        &self.0.service
    }

    /// The service in a namespace that clients can connect to; `/` by default.
    ///
    /// # Errors
    /// `INVALID_NAME`; `NAMESPACE_NOT_FOUND` for a namespace without a gateway: a misspelled one would have no clients,
    /// and would be kept in memory for ever.
    pub(crate) fn in_namespace(&self, name: Option<&str>) -> Result<WebSocketService, Error> {
        let namespace = name.map_or_else(|| Ok(Namespace::root()), Namespace::new)?;
        if !self.0.namespaces.contains(&namespace) {
            let known: Vec<_> = self.0.namespaces.iter().map(Namespace::as_str).collect();
            let problem = format!("This node has no gateway for {namespace}; it has {}", known.join(", "));
            return Err(Error::with_message(ErrorCode::Application(status::NAMESPACE_NOT_FOUND), problem));
        }
        self.0.service.namespace(&namespace)
    }

    /// The token that requests must have. `None` if a reload of the configuration has removed it: none is right then.
    pub(crate) fn token(&self) -> Option<Secret> {
        self.0.service.config().api.token.clone()
    }

    /// The requests that had an idempotency key.
    pub(crate) fn sent_requests(&self) -> &SentRequests {
        &self.0.sent_requests
    }

    /// The largest body of a request, in bytes.
    pub(crate) fn body_limit(&self) -> usize {
        self.0.service.config().api.body_limit
    }

    /// How long to wait for the body of a request.
    pub(crate) fn body_timeout(&self) -> Duration {
        self.0.service.config().limits.handshake_timeout
    }
}
