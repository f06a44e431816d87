//! The gateways of a service, ready for a server.

use std::{collections::HashMap, sync::Arc};

use roomwire_core::{ClientTransport, Error, ErrorCode, Escaped, EventName, Namespace};
use tracing::{Instrument, Span, field::Empty};

use super::{Gateway, GatewayError, Session, error::Problem, route::Routes};
use crate::{Handshake, WebSocketService, task};

/// One gateway, or several for different namespaces.
pub trait IntoGateways {
    /// The gateways.
    fn into_gateways(self) -> Vec<Gateway>;
}

impl IntoGateways for Gateway {
    fn into_gateways(self) -> Vec<Gateway> {
        vec![self]
    }
}

impl<const N: usize> IntoGateways for [Gateway; N] {
    fn into_gateways(self) -> Vec<Gateway> {
        self.into()
    }
}

impl IntoGateways for Vec<Gateway> {
    fn into_gateways(self) -> Vec<Gateway> {
        self
    }
}

/// What a server drives: it admits clients and returns a [`Session`] for each. For authors of servers.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    service: WebSocketService,
    routes: Arc<HashMap<Namespace, Arc<Routes>>>,
}

impl Dispatcher {
    /// Combines a service and its gateways.
    ///
    /// # Errors
    /// All mistakes in the gateways: invalid names, duplicate registrations, missing states.
    pub fn new(service: WebSocketService, gateways: impl IntoGateways) -> Result<Self, GatewayError> {
        let mut problems = Vec::new();
        let mut routes = HashMap::new();
        for gateway in gateways.into_gateways() {
            if service.node.auth_hooks.authenticator.is_some() && gateway.handles(&EventName::AUTHENTICATE) {
                problems.push(Problem::Authenticate);
            }
            match gateway.finish() {
                Ok((namespace, found)) => {
                    if routes.insert(namespace.clone(), Arc::new(found)).is_some() {
                        problems.push(Problem::Twice { what: format!("Gateway::of({namespace:?})").into() });
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(Self { service, routes: Arc::new(routes) })
        } else {
            Err(GatewayError::new(problems))
        }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &WebSocketService {
        &self.service
    }

    /// The namespaces that clients may connect to.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.routes.keys()
    }

    /// Authenticates a client and registers it with the store. Await it before the client gets its CONNECT packet: its
    /// session then accepts events at once, and none is lost.
    ///
    /// The service sends to the client through `transport`, from [`opened`](Session::opened) on.
    ///
    /// A node has one session of a client id at a time. While a former session of the id ends, this waits until its
    /// events are handled, its `Left` and `ClientDisconnected` are reported and its `on_disconnect` has returned. It
    /// waits at most five seconds for the handlers of its events, and five for `on_disconnect`. So the events of one id
    /// come in pairs, and `on_disconnect` runs before the next `on_connect` unless it takes longer.
    ///
    /// # Errors
    /// The error to send to the client: the authenticator's, usually `UNAUTHORIZED`; `TIMEOUT` if it does not answer
    /// within `auth.timeout`, or if a former session of the id is not closed; `SHUTTING_DOWN`, `STATE_UNAVAILABLE`,
    /// `INVALID_NAME` for an unknown namespace, `INVALID_PAYLOAD` or `LIMIT_EXCEEDED` if the handshake is larger than
    /// the limits allow.
    ///
    /// # Cancellation
    /// A call of the authenticator is dropped. A registration that has begun completes, also if the future is dropped;
    /// then its session is closed at once.
    pub async fn admit(
        &self,
        namespace: &Namespace,
        handshake: Handshake,
        transport: Arc<dyn ClientTransport>,
    ) -> Result<Session, Error> {
        // Events are no part of the connect, but of what it is a part of.
        let connection = Span::current();
        let span = tracing::debug_span!(
            target: "roomwire", "connect",
            namespace = %Escaped(namespace), client = %Escaped(&handshake.client), outcome = Empty
        );
        let admitting = self.try_to_admit(namespace, handshake, transport, connection);
        let admitted = admitting.instrument(span.clone()).await;
        span.record("outcome", admitted.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK"));
        admitted.inspect_err(|error| self.service.node.metrics.client_refused(error.code()))
    }

    async fn try_to_admit(
        &self,
        namespace: &Namespace,
        handshake: Handshake,
        transport: Arc<dyn ClientTransport>,
        connection: Span,
    ) -> Result<Session, Error> {
        let Some(routes) = self.routes.get(namespace).cloned() else {
            return Err(Error::with_message(ErrorCode::InvalidName, "Invalid namespace"));
        };
        let service = self.service.in_namespace(namespace);
        service.node.lifecycle.check_running()?;
        let (handshake, identity) = service.identify(handshake).await?;
        let registering = async move {
            // Counted before the check for a shutdown, so that the shutdown waits for it.
            let node = service.node.clone();
            node.lifecycle.check_running()?;
            node.lifecycle.session_begins();
            let registered = service.register(handshake, identity, transport).await;
            if registered.is_err() {
                node.lifecycle.session_ends();
            }
            Ok(Session::new(service, registered?, routes, connection))
        };
        task::to_the_end(registering.in_current_span()).await
    }
}
