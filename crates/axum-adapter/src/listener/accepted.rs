//! One accepted connection, from its first byte to its last request.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::ConnectInfo,
};
use http::{Request, Response};
use hyper::{body::Incoming, rt, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use roomwire_core::{Escaped, config::Limits};
use tokio::{net::TcpStream, time::Instant};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{connection_limit::ConnectionPermit, socket_options, tls::Certificates};
use crate::{
    body_timeout,
    connection::{Connection, Connections},
    refusals::Refusals,
    rejection, request,
    stream::ControlledStream,
    write_deadline::HasWriteDeadline,
};

/// What is read ahead of, and written behind, a request's handler.
const BUFFER: usize = 65_536;

/// How connections are served: the same for all.
#[derive(Debug)]
pub(super) struct Serving {
    app: Router,
    tls: Option<Arc<Certificates>>,
    /// The service's path. The layer enforces the deadline of requests to it. `None` if the app does that for all paths.
    path: Option<String>,
    refusals: Refusals,
    /// All that stand, also those that were upgraded.
    connections: Connections,
    /// Set when no connection takes a further request.
    pub(super) closing: CancellationToken,
    /// Set when none goes on at all.
    ended: CancellationToken,
}

/// What holds for a connection from its first byte to its last.
#[derive(Clone, Copy, Debug)]
struct ConnectionLimits {
    handshake_timeout: Duration,
    write_timeout: Duration,
    headers: usize,
    header_bytes: usize,
}

impl From<&Limits> for ConnectionLimits {
    fn from(limits: &Limits) -> Self {
        let &Limits { handshake_timeout, write_timeout, headers, header_bytes, .. } = limits;
        Self { handshake_timeout, write_timeout, headers, header_bytes }
    }
}

impl ConnectionLimits {
    fn http(self) -> http1::Builder {
        let mut http = http1::Builder::new();
        // The time for a head begins with the connection and after each answer: it bounds idle connections too.
        http.timer(TokioTimer::new())
            .header_read_timeout(self.handshake_timeout)
            .max_headers(self.headers)
            .max_header_size(self.header_bytes)
            .max_buf_size(BUFFER.max(self.header_bytes));
        http
    }
}

impl Serving {
    pub(super) fn new(app: Router, tls: Option<Arc<Certificates>>, path: Option<String>, refusals: Refusals) -> Self {
        Self {
            app,
            tls,
            path,
            refusals,
            connections: Connections::default(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Ends every connection that still stands, websockets too.
    pub(super) fn end(&self) {
        self.connections.end_all();
        self.ended.cancel();
    }

    /// Serves a connection under these limits until it is over, upgraded, or ended.
    pub(super) fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        permit: ConnectionPermit,
        limits: &Limits,
    ) -> impl Future<Output = ()> + Send + use<> {
        let limits = ConnectionLimits::from(limits);
        async move {
            let _ended = self.ended.run_until_cancelled(self.serve_to_its_end(stream, peer, permit, limits)).await;
        }
    }

    async fn serve_to_its_end(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: ConnectionPermit,
        limits: ConnectionLimits,
    ) {
        let deadline = Instant::now() + limits.handshake_timeout;
        let permit = Arc::new(permit);
        let connection = Arc::new(Connection::default());
        let known = self.connections.add(&connection);
        let held = (permit.clone(), connection.clone());
        // Counted until nothing uses it any more: also a websocket, which outlives this task.
        let on_end = Box::new(move || {
            let (permit, connection) = held;
            if connection.has_stalled() {
                permit.closing("write timeout");
            } else if connection.has_ended() {
                permit.closing("ended");
            }
            drop(known);
        });
        let stream = ControlledStream::new(stream, connection.clone(), Some(on_end))
            .with_deadline(limits.write_timeout, Some(socket_options::write_at_once));
        match &self.tls {
            None => self.requests(TokioIo::new(stream), peer, &connection, &permit, limits).await,
            Some(tls) => {
                let handshake = tls.accept(stream, deadline);
                match self.closing.run_until_cancelled(handshake).await {
                    Some(Ok(stream)) => self.requests(TokioIo::new(stream), peer, &connection, &permit, limits).await,
                    Some(Err(error)) => {
                        permit.closing("tls");
                        if error.kind() == io::ErrorKind::TimedOut {
                            self.refusals.tls_timeout(peer.ip());
                        }
                        tracing::debug!(target: "roomwire", %peer, error = %Escaped(&error), "no TLS connection was established");
                    }
                    None => permit.closing("ended"),
                }
            }
        }
    }

    /// The app's response, unless the request's body did not come in time.
    async fn respond(
        &self,
        request: Request<Body>,
        peer: SocketAddr,
        patience: Duration,
    ) -> Result<Response<Body>, Infallible> {
        let app_limits = self.path.as_ref().is_none_or(|path| request::is_for(request.uri().path(), path));
        if app_limits || request.body().is_end_stream() {
            return self.app.clone().oneshot(request).await;
        }
        let (head, body) = request.into_parts();
        let (body, late) = body_timeout::body(body, patience);
        let response = self.app.clone().oneshot(Request::from_parts(head, body)).await;
        if late.is_so() {
            self.refusals.body_timeout(Some(peer.ip()));
            return Ok(rejection::body_timeout());
        }
        response
    }

    async fn requests<I>(
        &self,
        io: I,
        peer: SocketAddr,
        connection: &Connection,
        permit: &ConnectionPermit,
        limits: ConnectionLimits,
    ) where
        I: rt::Read + rt::Write + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(HasWriteDeadline);
            connection.set_used();
            self.respond(request, peer, limits.handshake_timeout)
        });
        let http = limits.http().serve_connection(io, service).with_upgrades();
        let mut http = std::pin::pin!(http);
        let served = tokio::select! {
            served = &mut http => served,
            () = self.closing.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
        if let Err(error) = served {
            permit.closing(match () {
                () if error.is_timeout() => {
                    // Browsers open connections ahead and keep idle ones: their end is no refusal.
                    if connection.has_incomplete_request() {
                        self.refusals.head_timeout(peer.ip());
                    }
                    "head timeout"
                }
                () if error.is_parse_too_large() => {
                    self.refusals.unread_head(peer.ip());
                    "head"
                }
                () if error.is_parse() => "malformed",
                () => "broken",
            });
            tracing::debug!(target: "roomwire", %peer, error = %Escaped(&error), "a connection was not served to its end");
        }
    }
}
