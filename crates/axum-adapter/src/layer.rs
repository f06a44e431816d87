//! The service as a tower layer.

use std::{
    convert::Infallible,
    fmt,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use axum::{body::Body, response::IntoResponse};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use roomwire_core::{ErrorCode, Namespace, WebSocketConfig, config::Transport};
use roomwire_service::WebSocketService;
use roomwire_socketio::{Session, SessionRequest, Sessions};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    drain_state::DrainState,
    handshake::{ClientAddress, HandshakeCheck, LimitedAddress, Page},
    polling::{self, BadBody},
    refusals::Refusals,
    rejection,
    request::{self, RequestKind},
    session_limit::{SessionLimiter, SessionPermit},
    startup_log, upgrade,
};

/// Answers requests to the service's path and passes all others on. Created by [`mount`](crate::mount).
///
/// Cheap to clone; all copies are one server.
#[derive(Clone)]
pub struct RoomwireLayer(Arc<Mounted>);

/// What a layer stands for.
pub(crate) struct Mounted {
    pub(crate) service: WebSocketService,
    /// What it started with: for keys that need a restart.
    pub(crate) started: Arc<WebSocketConfig>,
    pub(crate) handshake: ArcSwap<HandshakeCheck>,
    pub(crate) refusals: Refusals,
    pub(crate) drain: DrainState,
    pub(crate) running: Option<Running>,
}

/// What a service that is switched on needs.
pub(crate) struct Running {
    pub(crate) sessions: Sessions,
    pub(crate) session_limiter: SessionLimiter,
}

impl RoomwireLayer {
    pub(crate) fn new(mounted: Mounted) -> Self {
        let mounted = Arc::new(mounted);
        mounted.service.add_reloadable(&mounted);
        let config = mounted.service.config();
        if !Arc::ptr_eq(&config, &mounted.started) {
            // It was reloaded since it was read.
            mounted.apply(&config);
        }
        Self(mounted)
    }

    pub(crate) fn mounted(&self) -> &Mounted {
        &self.0
    }

    /// Shuts down gracefully, without asking clients to go one after the other as [`drain`](Self::drain) does: the
    /// service first (its clients' handlers run, see [`WebSocketService::shutdown`]), then all connections. Clients
    /// reconnect automatically, to another node.
    ///
    /// Takes at most `drain.timeout`; up to three times `state.timeout` longer if the store does not answer. Call it
    /// when the listener no longer accepts connections.
    pub async fn shutdown(&self) {
        self.0.service.begin_drain();
        self.0.drain.refuse_sessions();
        self.finish(Instant::now() + self.0.service.config().drain.timeout).await;
    }

    /// Drains when another node, or this one, asks for it.
    pub(crate) fn drain_on_request(&self) {
        let mounted = Arc::downgrade(&self.0);
        self.0.service.on_drain_request(async move {
            if let Some(mounted) = mounted.upgrade() {
                tracing::info!(target: "roomwire", "this node was asked to drain");
                Self(mounted).drain().await;
                tracing::info!(target: "roomwire", "drained: this node has left the cluster, and its process can be stopped");
            }
        });
    }

    /// Logs that clients can connect to this place, unless the service is switched off.
    pub(crate) fn log_start(&self, what: &str, place: impl fmt::Display) {
        if let Some(running) = &self.0.running {
            startup_log::log(what, place, &self.0.service, &running.sessions);
        }
    }

    /// The namespaces that clients can connect to, those of the gateways. None if the service is switched off.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.0.running.iter().flat_map(|running| running.sessions.namespaces())
    }

    /// Waits until the node has shut down, by [`drain`](Self::drain) or [`shutdown`](Self::shutdown). The future does
    /// not keep the service running.
    pub fn shut_down(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.drain.finished.clone().cancelled_owned()
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
        if request::is_for(request.uri().path(), &self.mounted.started.path) {
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
        // One check for the whole request: another may be in force before it is answered.
        let handshake = &*self.handshake.load_full();
        let page = handshake.page(&request);
        match handshake.cors(&page) {
            None => {
                let mut response = self.respond(handshake, &page, request).await;
                response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
                response
            }
            // A preflight request, which the layer would answer with 200.
            Some(cors) if request.method() == Method::OPTIONS => {
                let preflight = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
                let response = cors.layer(preflight).oneshot(request).await;
                let mut response = response.unwrap_or_else(|never| match never {});
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Some(cors) => {
                let responding =
                    service_fn(|request| async { Ok::<_, Infallible>(self.respond(handshake, &page, request).await) });
                let response = cors.layer(responding).oneshot(request).await;
                response.unwrap_or_else(|never| match never {})
            }
        }
    }

    async fn respond(&self, handshake: &HandshakeCheck, page: &Page, mut request: Request<Body>) -> Response<Body> {
        let Some(running) = &self.running else { return rejection::disabled() };
        if request.method() == Method::OPTIONS {
            return StatusCode::NO_CONTENT.into_response();
        }
        match handshake.admit(page, &mut request) {
            Ok(()) => self.serve(running, request).await,
            Err(rejection) => rejection,
        }
    }

    async fn serve(&self, running: &Running, request: Request<Body>) -> Response<Body> {
        let kind = match RequestKind::of(&request, &self.started.transports) {
            Ok(kind) => kind,
            Err(problem) => return problem.into_response(),
        };
        match kind {
            RequestKind::NewPolling => match self.permit(running, &request) {
                Ok(permit) => {
                    let request = session_request(&request);
                    polling::opened(&running.sessions.open(request, Transport::Polling, permit))
                }
                Err(rejection) => rejection,
            },
            RequestKind::NewWebsocket => match self.permit(running, &request) {
                Ok(permit) => {
                    let (sessions, opening) = (running.sessions.clone(), session_request(&request));
                    upgrade::accept(request, self.service.config().limits.write_timeout, |stream| async move {
                        sessions.open(opening, Transport::Websocket, permit).serve_websocket(stream).await;
                    })
                }
                Err(rejection) => rejection,
            },
            RequestKind::Upgrade { session } => match self.session(running, &session) {
                Ok(session) => upgrade::accept(request, self.service.config().limits.write_timeout, |stream| {
                    session.upgrade_to_websocket(stream)
                }),
                Err(rejection) => rejection,
            },
            RequestKind::Post { session } => match self.session(running, &session) {
                Ok(session) => self.post(&session, request).await,
                Err(rejection) => rejection,
            },
            RequestKind::Poll { session } => match self.session(running, &session) {
                Ok(session) => polling::poll(&session).await,
                Err(rejection) => rejection,
            },
        }
    }

    /// A permit for a new session.
    #[expect(clippy::result_large_err, reason = "it is returned as the response at once")]
    fn permit(&self, running: &Running, request: &Request<Body>) -> Result<Arc<SessionPermit>, Response<Body>> {
        if self.drain.refuses_sessions() || self.service.is_shutting_down() {
            return Err(rejection::draining());
        }
        let limited = request.extensions().get().map(|LimitedAddress(address)| *address);
        running.session_limiter.acquire(limited).map_err(|error| {
            if error.code() == ErrorCode::RateLimited {
                rejection::too_many(&error)
            } else {
                rejection::unavailable(&error)
            }
        })
    }

    #[expect(clippy::result_large_err, reason = "it is returned as the response at once")]
    fn session(&self, running: &Running, id: &str) -> Result<Session, Response<Body>> {
        running.sessions.get(id).ok_or_else(|| {
            self.refusals.unknown_session();
            rejection::unknown_session()
        })
    }

    async fn post(&self, session: &Session, request: Request<Body>) -> Response<Body> {
        let address = address_of(&request);
        let patience = self.service.config().limits.handshake_timeout;
        match polling::post(session, request.into_body(), patience).await {
            Ok(response) => response,
            Err(BadBody::Late) => {
                self.refusals.body_timeout(address);
                rejection::body_timeout()
            }
            Err(BadBody::TooLarge) => {
                self.refusals.payload_too_large(address);
                rejection::payload_too_large()
            }
            Err(BadBody::Rejected) => rejection::bad_request("Bad request"),
        }
    }
}

/// What a session's clients may be asked about the request that opened it.
fn session_request(request: &Request<Body>) -> SessionRequest {
    SessionRequest {
        headers: request.headers().clone(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        address: address_of(request),
    }
}

fn address_of(request: &Request<Body>) -> Option<IpAddr> {
    request.extensions().get().map(|ClientAddress(address)| *address)
}
