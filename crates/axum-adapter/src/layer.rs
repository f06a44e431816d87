//! The service as a tower layer.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::IntoResponse};
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use roomwire_core::{ClientId, ErrorCode, config::Transport};
use roomwire_service::WebSocketService;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    body_backpressure, body_timeout,
    connection::Connections,
    engine::{Engine, Io},
    engine_session::{EngineSession, EngineSessions},
    handshake::{ClientAddress, HandshakeCheck, LimitedAddress, Page},
    namespace_sockets::NamespaceSockets,
    polling,
    refusals::Refusals,
    rejection,
    request::{self, RequestKind},
    session_limit::SessionLimiter,
    socket::ReadGate,
    upgrade::{self, Origin},
};

/// Answers requests to the service's path and passes all others on. Created by [`mount`](crate::mount).
///
/// Cheap to clone; all copies are one server.
#[derive(Clone)]
pub struct RoomwireLayer(Arc<Mounted>);

/// What a layer stands for.
pub(crate) struct Mounted {
    pub(crate) service: WebSocketService,
    pub(crate) handshake: HandshakeCheck,
    pub(crate) refusals: Refusals,
    pub(crate) running: Option<Running>,
}

/// The engine of a service that is switched on.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) io: Io,
    pub(crate) namespaces: Vec<Arc<NamespaceSockets>>,
    pub(crate) sessions: SessionLimiter,
    pub(crate) connections: Connections,
    pub(crate) engine_sessions: EngineSessions,
    /// Set at the very end: requests that still wait for messages are answered then.
    pub(crate) closed: CancellationToken,
}

impl RoomwireLayer {
    pub(crate) fn new(mounted: Mounted) -> Self {
        Self(Arc::new(mounted))
    }

    /// Shuts down gracefully: the service first (its clients' handlers run, see [`WebSocketService::shutdown`]), then
    /// all connections. Clients reconnect automatically, to another node.
    ///
    /// Takes at most twice `drain.timeout`. Call it when the listener no longer accepts connections.
    pub async fn shutdown(&self) {
        let unfinished = self.0.service.shutdown().await;
        if unfinished > 0 {
            tracing::warn!(target: "roomwire", clients = unfinished, "handlers were still running at the end");
        }
        if let Some(running) = &self.0.running {
            let deadline = self.0.service.config().drain.timeout;
            if tokio::time::timeout(deadline, running.io.close()).await.is_err() {
                tracing::warn!(target: "roomwire", "some connections could not be closed in time");
            }
            // Those that do not read, and those that never connected to a namespace: nothing else would end them.
            running.connections.end_all();
            running.closed.cancel();
        }
    }

    /// The mounted service.
    #[must_use]
    pub fn service(&self) -> &WebSocketService {
        &self.0.service
    }
}

impl<S> Layer<S> for RoomwireLayer {
    type Service = RoomwireTower<S>;

    fn layer(&self, inner: S) -> RoomwireTower<S> {
        RoomwireTower { mounted: self.0.clone(), inner }
    }
}

impl fmt::Debug for RoomwireLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomwireLayer").field("service", &self.0.service).finish_non_exhaustive()
    }
}

/// A service with a [`RoomwireLayer`] around it.
#[derive(Clone)]
pub struct RoomwireTower<S> {
    mounted: Arc<Mounted>,
    inner: S,
}

impl<S: fmt::Debug> fmt::Debug for RoomwireTower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomwireTower").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S> Service<Request<Body>> for RoomwireTower<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request::is_for(request.uri().path(), &self.mounted.service.config().path) {
            let mounted = self.mounted.clone();
            Box::pin(async move { Ok(mounted.handle(request).await) })
        } else {
            Box::pin(self.inner.call(request))
        }
    }
}

impl Mounted {
    /// The response, with the CORS headers that let the request's page read it. Every response has them, whatever it
    /// says: a page that cannot read a refusal sees a CORS error instead.
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let page = self.handshake.page(&request);
        match self.handshake.cors(&page) {
            None => self.respond(&page, request).await,
            Some(cors) => {
                let responding =
                    service_fn(|request| async { Ok::<_, Infallible>(self.respond(&page, request).await) });
                let response = cors.layer(responding).oneshot(request).await;
                response.unwrap_or_else(|never| match never {})
            }
        }
    }

    async fn respond(&self, page: &Page, mut request: Request<Body>) -> Response<Body> {
        let Some(running) = &self.running else { return rejection::disabled() };
        match self.handshake.admit(page, &mut request) {
            Ok(()) => self.serve(running, request).await,
            Err(rejection) => rejection,
        }
    }

    async fn serve(&self, running: &Running, mut request: Request<Body>) -> Response<Body> {
        let kind = RequestKind::of(&request);
        let address = request.extensions().get().map(|ClientAddress(address)| *address);
        if matches!(kind, RequestKind::NewPolling | RequestKind::NewWebsocket) {
            if self.service.is_shutting_down() {
                return rejection::unavailable(&ErrorCode::ShuttingDown.into());
            }
            let limited = request.extensions().get().map(|LimitedAddress(address)| *address);
            let permit = match running.sessions.acquire(limited) {
                Ok(permit) => permit,
                Err(error) if error.code() == ErrorCode::RateLimited => return rejection::too_many(&error),
                Err(error) => return rejection::unavailable(&error),
            };
            request.extensions_mut().insert(running.engine_sessions.begin(matches!(kind, RequestKind::NewPolling)));
            if matches!(kind, RequestKind::NewWebsocket) && self.allows_websocket() {
                return running.upgrade(self, request, Origin::New(permit));
            }
            request.extensions_mut().insert(permit);
        }
        match kind {
            RequestKind::Upgrade { session } if self.allows_websocket() => {
                running.upgrade(self, request, Origin::Polling(&session))
            }
            // The engine would take a key alone for a handshake.
            RequestKind::NoWebsocket => StatusCode::BAD_REQUEST.into_response(),
            RequestKind::Post { session } => {
                let lines = running.lines(&session);
                let (head, body) = request.into_parts();
                let (body, late) = body_timeout::body(body, self.service.config().limits.handshake_timeout);
                let request = Request::from_parts(head, body_backpressure::body(body, lines));
                let answer = running.ask_engine(request).await;
                if late.is_so() {
                    self.refusals.body_timeout(address);
                    return rejection::body_timeout();
                }
                if answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    self.refusals.payload_too_large(address);
                    return rejection::payload_too_large();
                }
                answer
            }
            RequestKind::NewPolling => {
                let engine_session = request.extensions().get::<Arc<EngineSession>>().cloned();
                let opened = polling::opened(running.ask_engine(request).await, engine_session).await;
                self.handshake.reveal(opened).await
            }
            RequestKind::Poll { session } => {
                let Some(engine_session) = running.engine_sessions.get(&session) else {
                    return running.ask_engine(request).await;
                };
                // A poll that waits has taken no message from the engine: nothing is lost when it is dropped.
                tokio::select! {
                    biased;
                    response = running.ask_engine(request) => polling::polled(response, engine_session).await,
                    () = engine_session.upgrade().poll_released() => polling::noop(),
                }
            }
            _ => running.ask_engine(request).await,
        }
    }

    fn allows_websocket(&self) -> bool {
        self.service.config().transports.contains(&Transport::Websocket)
    }
}

impl Running {
    async fn ask_engine(&self, request: Request<Body>) -> Response<Body> {
        let answered = self.closed.run_until_cancelled(self.engine.clone().oneshot(request)).await;
        match answered {
            Some(Ok::<_, Infallible>(response)) => response.map(Body::new),
            Some(Err(never)) => match never {},
            None => rejection::unavailable(&ErrorCode::ShuttingDown.into()),
        }
    }

    fn upgrade(&self, mounted: &Mounted, request: Request<Body>, origin: Origin<'_>) -> Response<Body> {
        upgrade::accept(self, mounted, request, origin)
    }

    /// By which a session is read from, one for each namespace it is connected to.
    fn lines(&self, session: &str) -> Vec<Arc<ReadGate>> {
        let Ok(client) = ClientId::new(session) else { return Vec::new() };
        self.namespaces.iter().filter_map(|sockets| Some(sockets.get(&client)?.read_gate.clone())).collect()
    }
}
