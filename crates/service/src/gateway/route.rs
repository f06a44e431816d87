//! Finds the handler of an event by its name.

use std::{
    collections::HashMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use roomwire_core::{Error, ErrorCode, EventName, Payload};
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

use super::{Event, EventService, States, debounce::Then, handler::BoxHandler, layer_error};

/// The handlers by the names of their events.
pub(super) type Handlers = HashMap<EventName, BoxHandler>;

/// All handlers of a namespace.
pub(crate) struct Routes {
    service: EventService,
    handlers: Arc<Handlers>,
    pub(super) on_connect: Option<BoxHandler>,
    pub(super) on_disconnect: Option<BoxHandler>,
    pub(super) states: States,
}

impl Routes {
    pub(super) fn new(
        service: EventService,
        handlers: Arc<Handlers>,
        on_connect: Option<BoxHandler>,
        on_disconnect: Option<BoxHandler>,
        states: States,
    ) -> Self {
        Self { service, handlers, on_connect, on_disconnect, states }
    }

    /// A copy of the layered service, for one worker.
    pub(super) fn service(&self) -> EventService {
        self.service.clone()
    }

    pub(super) fn handles(&self, event: &EventName) -> bool {
        self.handlers.contains_key(event)
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").field("states", &self.states).finish_non_exhaustive()
    }
}

/// The innermost service: looks up the handler and runs it.
pub(super) fn router(handlers: Arc<Handlers>, fallback: Option<BoxHandler>) -> EventService {
    BoxCloneSyncService::new(Router { handlers, fallback })
}

#[derive(Clone)]
struct Router {
    handlers: Arc<Handlers>,
    fallback: Option<BoxHandler>,
}

impl Service<Event> for Router {
    type Response = Payload;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Payload, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: Event) -> Self::Future {
        match self.handlers.get(&event.name).or(self.fallback.as_ref()) {
            Some(handler) => handler(event).map(|reply| reply.map_err(BoxError::from)).boxed(),
            None => {
                let error = Error::with_message(ErrorCode::UnknownEvent, format!("no event `{}` is known", event.name));
                std::future::ready(Err(error.into())).boxed()
            }
        }
    }
}

/// Runs the layers and the handler for one event. A panic becomes an `INTERNAL` error.
pub(super) async fn handle(service: &mut EventService, event: Event) -> Result<Payload, Error> {
    let name = event.name.clone();
    let handled = AssertUnwindSafe(async { service.ready().await?.call(event).await }).catch_unwind().await;
    match handled {
        Ok(reply) => reply.map_err(layer_error),
        Err(panic) => Err(panicked(&name, &*panic)),
    }
}

/// Runs everything inside the layer that deferred the event.
pub(super) async fn go_on(then: &Then, event: Event) -> Result<Payload, Error> {
    let name = event.name.clone();
    let handled = AssertUnwindSafe(async { then(event).await }).catch_unwind().await;
    match handled {
        Ok(reply) => reply.map_err(layer_error),
        Err(panic) => Err(panicked(&name, &*panic)),
    }
}

/// Runs `on_connect` or `on_disconnect`.
pub(super) async fn run(handler: &BoxHandler, event: Event) -> Result<Payload, Error> {
    let name = event.name.clone();
    let run = AssertUnwindSafe(async { handler(event).await }).catch_unwind().await;
    run.unwrap_or_else(|panic| Err(panicked(&name, &*panic)))
}

fn panicked(event: &EventName, panic: &(dyn std::any::Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("no message");
    Error::internal(format!("handler of `{event}` panicked: {message}"))
}
