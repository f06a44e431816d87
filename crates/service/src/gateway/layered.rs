//! Tower layers around one handler, or around all of them.

use std::{
    fmt,
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
};

use roomwire_core::{Error, Payload};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};

use super::{Event, EventService, Handler, Requirement, layer_error};

/// A tower layer that can be put around the handling of events.
///
/// Implemented for every [`Layer`] that makes a `Service<Event, Response = Payload>` of an [`EventService`]: those of
/// tower, of other crates and of the application, also several that are combined by `tower::ServiceBuilder`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be put around the handling of an event",
    label = "not a layer around events",
    note = "a layer is a tower `Layer<EventService>` whose service is a `Service<Event, Response = Payload>` with an error that is `Into<BoxError>`",
    note = "the layer must be Send, its service Clone, Send and Sync, and its future Send, all of them 'static",
    note = "the service of tower's own RateLimitLayer is not Clone: use roomwire_service::RateLimitLayer, which counts each client and event by itself"
)]
pub trait EventLayer: Send + 'static {
    /// Puts the layer around this.
    fn around(self, inner: EventService) -> EventService;
}

#[diagnostic::do_not_recommend]
impl<L> EventLayer for L
where
    L: Layer<EventService> + Send + 'static,
    L::Service: Service<Event, Response = Payload> + Clone + Send + Sync + 'static,
    <L::Service as Service<Event>>::Error: Into<BoxError> + 'static,
    <L::Service as Service<Event>>::Future: Send + 'static,
{
    fn around(self, inner: EventService) -> EventService {
        BoxCloneSyncService::new(self.layer(inner).map_err(Into::<BoxError>::into))
    }
}

/// A handler with a layer around it, made by [`Handler::layer`]; a handler like any other.
pub struct Layered<A, H> {
    service: EventService,
    handler: PhantomData<fn() -> (A, H)>,
}

/// The arguments of a [`Layered`] handler: those of the handler inside.
#[derive(Debug)]
pub struct Around<A>(PhantomData<A>);

impl<A, H: Handler<A>> Layered<A, H> {
    pub(super) fn new(handler: H, layer: impl EventLayer) -> Self {
        let handle = move |event| {
            let handler = handler.clone();
            async move { handler.call(event).await.map_err(BoxError::from) }
        };
        let service = layer.around(BoxCloneSyncService::new(service_fn(handle)));
        Self { service, handler: PhantomData }
    }
}

#[diagnostic::do_not_recommend]
impl<A: 'static, H: Handler<A>> Handler<Around<A>> for Layered<A, H> {
    async fn call(mut self, event: Event) -> Result<Payload, Error> {
        let handled = async { self.service.ready().await?.call(event).await };
        handled.await.map_err(layer_error)
    }

    fn requires() -> Vec<Requirement> {
        H::requires()
    }
}

impl<A, H> Clone for Layered<A, H> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), handler: PhantomData }
    }
}

impl<A, H> fmt::Debug for Layered<A, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layered({})", std::any::type_name::<H>())
    }
}

/// Distinguishes the per-client state of one layer from that of others. Clones of a layer are one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LayerId(u64);

impl LayerId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
