//! Upgrades an HTTP request to a websocket that this crate can end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use roomwire_core::{ClientId, Escaped};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::ServiceExt;

use crate::{
    connection::Connection,
    engine,
    engine_session::EngineSession,
    handshake::ClientAddress,
    layer::{Mounted, Running},
    namespace_sockets::{NamespaceSockets, end_polling},
    probe::{Probed, probe},
    session_limit::SessionPermit,
    stream::ControlledStream,
    write_deadline::HasWriteDeadline,
};

/// Where a websocket's session comes from.
pub(crate) enum Origin<'a> {
    /// Nowhere: it begins with the websocket, and its place is free again when the websocket ends. socketioxide
    /// remembers a session that never connected to a namespace for a while after its end.
    New(Arc<SessionPermit>),
    /// It moves from HTTP requests to the websocket, once the websocket has shown that it carries frames both ways. A
    /// websocket that does not leaves the session as it was.
    Polling(&'a str),
}

/// Accepts a websocket and hands it to the engine, under the control of a [`Connection`].
///
/// The engine's own upgrade uses a stream that cannot be ended, paused or observed from outside.
pub(crate) fn accept(
    running: &Running,
    mounted: &Mounted,
    mut request: Request<Body>,
    origin: Origin<'_>,
) -> Response<Body> {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        return answer(StatusCode::BAD_REQUEST);
    };
    let config = mounted.service.config();
    let accept = derive_accept_key(key.as_bytes());
    let engine = running.engine.clone();
    let connection = Arc::new(Connection::default());
    let known = running.connections.add(&connection);
    request.extensions_mut().insert(connection.clone());
    let engine_session: Option<Arc<EngineSession>> = match &origin {
        Origin::New(_) => request.extensions().get().cloned(),
        Origin::Polling(session) => running.engine_sessions.get(session),
    };
    let mut moves = None;
    let on_end: Box<dyn FnOnce() + Send> = match origin {
        Origin::New(permit) => Box::new(move || drop((known, permit))),
        Origin::Polling(session) => {
            let has_moved = Arc::new(AtomicBool::new(false));
            let namespaces = running.namespaces.clone();
            moves = Some(Move { session: session.to_owned(), namespaces, has_moved: has_moved.clone() });
            // The engine would wait for ever for a websocket that ends between its probe and its first message.
            let (engine, path, session) = (engine.clone(), config.path.clone(), session.to_owned());
            Box::new(move || {
                drop(known);
                if has_moved.load(Ordering::Acquire) {
                    end_polling(&engine, &path, &session);
                }
            })
        }
    };
    // The listener's own connections have a deadline already, and one that sees more.
    let patience = request.extensions().get::<HasWriteDeadline>().is_none().then_some(config.limits.write_timeout);
    let (max_message, refusals) = (engine::max_message(&config.limits), mounted.refusals.clone());
    let address = request.extensions().get().map(|ClientAddress(address)| *address);
    let handshake = copy_of(&request);
    let probe_timeout = config.limits.handshake_timeout;
    tokio::spawn(async move {
        let upgraded = match hyper::upgrade::on(request).await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "a websocket was not established");
                on_end();
                return;
            }
        };
        let mut stream = ControlledStream::new(TokioIo::new(upgraded), connection.clone(), Some(on_end))
            .with_message_limit(max_message, move || refusals.message_too_large(address));
        if let Some(patience) = patience {
            stream = stream.with_deadline(patience, None);
        }
        if let Some(engine_session) = &engine_session {
            stream = stream.with_outbox(engine_session.outbox().clone());
        }
        let served = match moves {
            None => {
                if let Some(engine_session) = engine_session {
                    engine_session.attach(&connection);
                }
                engine.oneshot((stream, handshake)).await
            }
            Some(moves) => {
                // A session that is unknown, or has a websocket or probes one: this one is closed.
                let Some(engine_session) = engine_session else { return };
                let Some(permit) = engine_session.upgrade().begin_probe() else { return };
                if !matches!(timeout(probe_timeout, probe(&mut stream)).await, Ok(Ok(()))) {
                    return;
                }
                moves.to(&engine_session, &connection);
                permit.succeed();
                drop(engine_session);
                engine.oneshot((Probed::new(stream), handshake)).await
            }
        };
        // Refused only for a query that the engine does not understand: the stream is dropped then.
        if let Err(error) = served {
            tracing::debug!(target: "roomwire", error = %Escaped(&error), "a websocket was refused");
        }
    });
    let mut response = answer(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    match HeaderValue::try_from(accept) {
        Ok(accept) => headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept),
        Err(_) => return answer(StatusCode::BAD_REQUEST),
    };
    response
}

/// What changes when a session moves from HTTP requests to a websocket.
struct Move {
    session: String,
    namespaces: Vec<Arc<NamespaceSockets>>,
    has_moved: Arc<AtomicBool>,
}

impl Move {
    fn to(self, engine_session: &EngineSession, connection: &Arc<Connection>) {
        self.has_moved.store(true, Ordering::Release);
        engine_session.attach(connection);
        let Ok(id) = ClientId::new(&*self.session) else { return };
        for socket in self.namespaces.iter().filter_map(|sockets| sockets.get(&id)) {
            socket.read_gate.attach(connection.clone());
        }
    }
}

fn answer(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The request without its body and without what upgrades its connection.
fn copy_of(request: &Request<Body>) -> Request<()> {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
    copy
}
