//! The gateway: which async function handles which event of a namespace.

mod client_rate;
mod debounce;
mod deferred;
mod dispatcher;
mod error;
mod event;
mod extract;
mod handler;
mod layered;
mod mailbox;
mod rate_limit;
mod reply;
mod respond;
mod route;
mod session;
mod session_end;
mod states;

use std::{collections::HashMap, fmt, sync::Arc};

use bytestring::ByteString;
use roomwire_core::{Error, EventName, Namespace, Payload};
use tower::{BoxError, util::BoxCloneSyncService};

pub use debounce::{Debounce, DebounceLayer};
pub use dispatcher::{Dispatcher, IntoGateways};
pub use error::GatewayError;
pub use event::Event;
pub use extract::{Data, FromEvent, LeftRooms, Requirement, State};
pub use handler::Handler;
pub use layered::{Around, EventLayer, Layered};
pub use rate_limit::{RateLimit, RateLimitLayer};
pub use reply::{Encoded, IntoReply};
pub use session::{Incoming, Session};

use self::{
    error::Problem,
    handler::{BoxHandler, boxed},
    route::{Handlers, Routes},
    states::States,
};

/// The handling of one event as a tower service. It returns the acknowledgement or the error.
pub type EventService = BoxCloneSyncService<Event, Payload, BoxError>;

type BoxLayer = Box<dyn FnOnce(EventService) -> EventService + Send>;

/// Routes the events of one namespace to handlers.
///
/// A handler is an async function. Its arguments are [extracted](FromEvent) from the event: [`WebSocketService`],
/// [`Client`], [`Data<T>`], [`State<T>`], [`EventName`], [`Payload`] or types of the application's own. It returns a
/// `Result`: `Ok(value)` is the acknowledgement when the client asked for one; `Err(error)` becomes the
/// acknowledgement `{"error": {"code", "message"}}`, or the event `error` when none was asked for:
/// `{"code", "message", "event"}`.
///
/// Events of one client are handled one at a time, in the order sent. Clients do not wait for each other.
/// A handler that panics answers its client with an `INTERNAL` error. Other clients are not affected.
///
/// Mistakes such as an event that is registered twice are reported when the gateway is mounted, all at once.
///
/// # Example
/// ```
/// use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketService};
///
/// async fn join_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
///     service.join_room(&client, &room).await?;
///     service.broadcast_to_room(&room, "user-joined", client.id()).await
/// }
///
/// let gateway = Gateway::new().on("join-room", join_room);
/// # let _ = gateway;
/// ```
///
/// [`WebSocketService`]: crate::WebSocketService
/// [`Client`]: crate::Client
pub struct Gateway {
    namespace: ByteString,
    routes: Handlers,
    fallback: Option<BoxHandler>,
    on_connect: Option<BoxHandler>,
    on_disconnect: Option<BoxHandler>,
    states: States,
    layers: Vec<BoxLayer>,
    required: Vec<(ByteString, Requirement)>,
    problems: Vec<Problem>,
}

impl Gateway {
    /// A gateway for the namespace `/`.
    #[must_use]
    pub fn new() -> Self {
        Self::of("/")
    }

    /// A gateway for a namespace such as `/admin`.
    #[must_use]
    pub fn of(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            routes: HashMap::new(),
            fallback: None,
            on_connect: None,
            on_disconnect: None,
            states: States::default(),
            layers: Vec::new(),
            required: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Handles an event.
    #[must_use]
    pub fn on<A, H: Handler<A>>(mut self, event: &str, handler: H) -> Self {
        self.require::<A, H>(event);
        match EventName::new(event) {
            Ok(name) => {
                if self.routes.insert(name, boxed(handler)).is_some() {
                    self.problems.push(Problem::Twice { what: event.into() });
                }
            }
            Err(error) => self.problems.push(Problem::Name { event: event.into(), error }),
        }
        self
    }

    /// Runs for each client after it has connected and before its first event. An error is sent to the client as the
    /// event `error`, then the client is disconnected. [`Data<T>`] is the handshake's `auth`.
    #[must_use]
    pub fn on_connect<A, H: Handler<A>>(mut self, handler: H) -> Self {
        self.require::<A, H>("on_connect");
        if self.on_connect.replace(boxed(handler)).is_some() {
            self.problems.push(Problem::Twice { what: "on_connect".into() });
        }
        self
    }

    /// Runs for each client after it has disconnected and left its rooms. [`LeftRooms`] has these rooms, and
    /// [`DisconnectReason`](roomwire_core::DisconnectReason) the cause. Its result is only logged.
    ///
    /// A client that connects to the namespace again on the same connection has the same id: its next `on_connect`
    /// waits for this handler, for five seconds at most. Move longer work to a task of its own.
    #[must_use]
    pub fn on_disconnect<A, H: Handler<A>>(mut self, handler: H) -> Self {
        self.require::<A, H>("on_disconnect");
        if self.on_disconnect.replace(boxed(handler)).is_some() {
            self.problems.push(Problem::Twice { what: "on_disconnect".into() });
        }
        self
    }

    /// Handles every event without a handler of its own. Without a fallback the client gets `UNKNOWN_EVENT`.
    #[must_use]
    pub fn fallback<A, H: Handler<A>>(mut self, handler: H) -> Self {
        self.require::<A, H>("fallback");
        if self.fallback.replace(boxed(handler)).is_some() {
            self.problems.push(Problem::Twice { what: "fallback".into() });
        }
        self
    }

    /// A value that handlers extract with [`State<T>`]. One value for each type.
    #[must_use]
    pub fn with_state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        if !self.states.insert(state) {
            self.problems.push(Problem::Twice { what: format!("with_state({})", std::any::type_name::<T>()).into() });
        }
        self
    }

    /// Puts a tower layer around the handling of each event, including the fallback. The layer that is added last sees
    /// an event first. A layer's error becomes `INTERNAL`, unless it is an [`Error`]; the error of tower's timeout
    /// becomes `TIMEOUT`. [`Handler::layer`] adds a layer to a single handler.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::timeout::TimeoutLayer;
    /// use roomwire_service::Gateway;
    ///
    /// let gateway = Gateway::new().layer(TimeoutLayer::new(Duration::from_secs(5)));
    /// # let _ = gateway;
    /// ```
    #[must_use]
    pub fn layer<L: EventLayer>(mut self, layer: L) -> Self {
        self.layers.push(Box::new(move |inner| layer.around(inner)));
        self
    }

    fn handles(&self, event: &EventName) -> bool {
        self.routes.contains_key(event)
    }

    fn require<A, H: Handler<A>>(&mut self, by: &str) {
        self.required.extend(H::requires().into_iter().map(|requirement| (by.into(), requirement)));
    }

    /// Checks the whole gateway.
    fn finish(mut self) -> Result<(Namespace, Routes), Vec<Problem>> {
        for (by, requirement) in std::mem::take(&mut self.required) {
            if !self.states.holds(&requirement) {
                self.problems.push(Problem::NoState { by, requirement });
            }
        }
        let namespace = Namespace::new(&self.namespace).map_err(|error| {
            self.problems.push(Problem::Namespace { namespace: self.namespace.clone(), error });
            std::mem::take(&mut self.problems)
        })?;
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let handlers = Arc::new(self.routes);
        let inner = route::router(handlers.clone(), self.fallback);
        let service = self.layers.into_iter().fold(inner, |service, layer| layer(service));
        let routes = Routes::new(service, handlers, self.on_connect, self.on_disconnect, self.states);
        Ok((namespace, routes))
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("namespace", &self.namespace)
            .field("events", &self.routes.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Converts the error of a layer.
fn layer_error(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) if error.is::<tower::timeout::error::Elapsed>() => {
            Error::new(roomwire_core::ErrorCode::Timeout).with_source(error)
        }
        Err(error) => Error::internal(error),
    }
}
