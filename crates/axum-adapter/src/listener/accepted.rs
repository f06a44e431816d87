//! One accepted connection, from its first byte to its last request.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::ConnectInfo,
};
use http::{Request, Response};
use hyper::{body::Incoming, rt, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use roomwire_core::{Printable, config::Limits};
use tokio::{net::TcpStream, time::Instant};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{door::Open, socket_options, tls::Certificates};
use crate::{
    answer,
    connection::{Connection, Connections},
    instruments,
    stream::ControlledStream,
    timely,
    write_deadline::HasWriteDeadline,
};

/// What is read ahead of, and written behind, a request's handler.
const BUFFER: usize = 65_536;

/// How connections are served: the same for all.
#[derive(Debug)]
pub(super) struct Serving {
    app: Router,
    tls: Option<Arc<Certificates>>,
    http: http1::Builder,
    handshake_timeout: Duration,
    write_timeout: Duration,
    /// All that stand, also those that were upgraded.
    connections: Connections,
    /// Set when no connection takes a further request.
    pub(super) closing: CancellationToken,
    /// Set when none goes on at all.
    ended: CancellationToken,
}

impl Serving {
    pub(super) fn new(app: Router, tls: Option<Arc<Certificates>>, limits: &Limits) -> Self {
        let mut http = http1::Builder::new();
        // The time for a head begins with the connection and after each answer: it bounds idle connections too.
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.handshake_timeout)
            .max_headers(limits.headers)
            .max_header_size(limits.header_bytes)
            .max_buf_size(BUFFER.max(limits.header_bytes));
        Self {
            app,
            tls,
            http,
            handshake_timeout: limits.handshake_timeout,
            write_timeout: limits.write_timeout,
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

    /// Serves a connection until it is over, upgraded, or ended.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, open: Open) {
        let _ended = self.ended.run_until_cancelled(self.serve_to_its_end(stream, peer, open)).await;
    }

    async fn serve_to_its_end(&self, stream: TcpStream, peer: SocketAddr, open: Open) {
        let deadline = Instant::now() + self.handshake_timeout;
        let open = Arc::new(open);
        let connection = Arc::new(Connection::default());
        let known = self.connections.add(&connection);
        let held = (open.clone(), connection.clone());
        // Counted until nothing uses it any more: also a websocket, which outlives this task.
        let on_end = Box::new(move || {
            let (open, connection) = held;
            if connection.has_stalled() {
                open.closing("write timeout");
            } else if connection.has_ended() {
                open.closing("ended");
            }
            drop(known);
        });
        let stream = ControlledStream::new(stream, connection, Some(on_end))
            .with_deadline(self.write_timeout, Some(socket_options::write_at_once));
        match &self.tls {
            None => self.requests(TokioIo::new(stream), peer, &open).await,
            Some(tls) => {
                let handshake = tls.accept(stream, deadline);
                match self.closing.run_until_cancelled(handshake).await {
                    Some(Ok(stream)) => self.requests(TokioIo::new(stream), peer, &open).await,
                    Some(Err(error)) => {
                        open.closing("tls");
                        tracing::debug!(target: "roomwire", %peer, error = %Printable(&error), "no TLS connection was established");
                    }
                    None => open.closing("ended"),
                }
            }
        }
    }

    /// The app's answer, unless the request's body did not come in time.
    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        if request.body().is_end_stream() {
            return self.app.clone().oneshot(request).await;
        }
        let (head, body) = request.into_parts();
        let (body, late) = timely::body_of_any_size(body, self.handshake_timeout);
        let response = self.app.clone().oneshot(Request::from_parts(head, body)).await;
        if late.is_so() {
            instruments::request_refused("body timeout");
            return Ok(answer::late());
        }
        response
    }

    async fn requests<I>(&self, io: I, peer: SocketAddr, open: &Open)
    where
        I: rt::Read + rt::Write + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(HasWriteDeadline);
            self.answer(request)
        });
        let http = self.http.serve_connection(io, service).with_upgrades();
        let mut http = std::pin::pin!(http);
        let served = tokio::select! {
            served = &mut http => served,
            () = self.closing.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
        if let Err(error) = served {
            open.closing(match () {
                () if error.is_timeout() => "head timeout",
                () if error.is_parse_too_large() => "head",
                () if error.is_parse() => "malformed",
                () => "broken",
            });
            tracing::debug!(target: "roomwire", %peer, error = %Printable(&error), "a connection was not served to its end");
        }
    }
}
