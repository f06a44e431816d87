//! socketioxide, set up as the configuration says.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use roomwire_core::{
    WebSocketConfig,
    config::{Limits, Transport},
};
use roomwire_service::Dispatcher;
use socketioxide::{
    ParserConfig, SocketIo, TransportType, adapter::Emitter, handler::ConnectHandler, service::SocketIoService,
};
use socketioxide_core::{
    Str,
    adapter::{BroadcastOptions, CoreAdapter, CoreLocalAdapter, DefinedAdapter, SocketEmitter},
    packet::Packet,
};

use crate::{
    handler::{Admission, OnConnect},
    namespace_sockets::NamespaceSockets,
    outbox,
};

/// The Socket.IO protocol for requests to the service's path.
pub(crate) type Engine = SocketIoService<NotFound, Sockets>;

/// The io handle that belongs to an [`Engine`].
pub(crate) type Io = SocketIo<Sockets>;

/// What answers requests that are not for Socket.IO: never asked, because the layer sorts them out before.
pub(crate) type NotFound = engine_inner::NotFound;

mod engine_inner {
    //! The service inside the engine.

    use std::{
        convert::Infallible,
        future::{Ready, ready},
        task::{Context, Poll},
    };

    use axum::body::Body;
    use http::{Request, Response, StatusCode};
    use tower::Service;

    /// Answers 404.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct NotFound;

    impl Service<Request<Body>> for NotFound {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            ready(Ok(response))
        }
    }
}

/// socketioxide's adapter of one namespace, reduced to what it does best: sending packets to the sockets of
/// this process. Rooms are the service's affair.
pub(crate) struct Sockets(Arc<CoreLocalAdapter<Emitter>>);

/// Where adapters are put when socketioxide makes them, by namespace.
pub(crate) type Adapters = parking_lot::Mutex<std::collections::HashMap<Str, Arc<CoreLocalAdapter<Emitter>>>>;

impl CoreAdapter<Emitter> for Sockets {
    type Error = std::convert::Infallible;
    type State = Arc<Adapters>;
    type AckStream = <Emitter as SocketEmitter>::AckStream;
    type InitRes = ();

    fn new(made: &Arc<Adapters>, local: CoreLocalAdapter<Emitter>) -> Self {
        let local = Arc::new(local);
        made.lock().insert(local.path().clone(), local.clone());
        Self(local)
    }

    fn init(self: Arc<Self>, on_success: impl FnOnce() + Send + 'static) {
        on_success();
    }

    async fn broadcast_with_ack(
        &self,
        packet: Packet,
        opts: BroadcastOptions,
        timeout: Option<std::time::Duration>,
    ) -> Result<Self::AckStream, Self::Error> {
        Ok(self.0.broadcast_with_ack(packet, opts, timeout).0)
    }

    fn get_local(&self) -> &CoreLocalAdapter<Emitter> {
        &self.0
    }
}

impl DefinedAdapter for Sockets {}

/// Builds the engine with a namespace for each gateway.
pub(crate) fn build(config: &WebSocketConfig, dispatcher: &Dispatcher) -> (Engine, Io, Vec<Arc<NamespaceSockets>>) {
    let adapters = Arc::new(Adapters::default());
    // One setting bounds what a client may send, however it is sent: an event's arguments with their attachments,
    // checked when they are all there. What a transport takes before is bounded by what such an event may be as a
    // frame, with the packet's head, or as an HTTP body, with attachments in base64.
    let payload = config.limits.payload;
    let frame = max_message(&config.limits);
    let attachments = config.limits.attachments + TOLD_ATTACHMENTS;
    let body = payload.div_ceil(3) * 4 + attachments * ATTACHMENT_HEAD + PACKET_HEAD;
    let parser = ParserConfig::common().max_incoming_binaries(attachments).max_incoming_binary_buf_size(payload);
    let builder = SocketIo::builder()
        .req_path(config.path.clone())
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .max_payload(body as u64)
        .ws_max_message_size(frame)
        .ws_max_frame_size(frame)
        .max_buffer_size(outbox::engine_buffer(&config.limits))
        .connect_timeout(config.limits.handshake_timeout)
        .upgrade_timeout(config.limits.handshake_timeout)
        .with_parser(parser);
    let websocket = config.transports.contains(&Transport::Websocket);
    let polling = config.transports.contains(&Transport::Polling);
    let builder = match (websocket, polling) {
        (true, false) => builder.transports([TransportType::Websocket]),
        (false, true) => builder.transports([TransportType::Polling]),
        _ => builder.transports([TransportType::Websocket, TransportType::Polling]),
    };
    let (engine, io) = builder.with_adapter::<Sockets>(adapters.clone()).build_with_inner_svc(NotFound {});
    let mut namespaces = Vec::new();
    for namespace in dispatcher.namespaces() {
        let sockets = Arc::new(NamespaceSockets::new(namespace.clone(), engine.clone(), config.path.clone()));
        let admission = Admission::new(dispatcher.clone(), sockets.clone());
        io.ns(namespace.as_str().to_owned(), OnConnect::new(sockets.clone()).with(admission));
        if let Some(local) = adapters.lock().remove(namespace.as_str()) {
            sockets.connect(local);
        }
        namespaces.push(sockets);
    }
    (engine, io, namespaces)
}

/// The largest websocket message that an event within `limits.payload` can be.
pub(crate) fn max_message(limits: &Limits) -> usize {
    limits.payload + PACKET_HEAD
}

/// The longest head of a packet: type, number of attachments, namespace, acknowledgement id.
const PACKET_HEAD: usize = 256;

/// What an attachment takes in a body besides its base64: a separator, its mark, and padding.
const ATTACHMENT_HEAD: usize = 6;

/// How many attachments above `limits.attachments` are read, so that the sender is told; more end its connection.
const TOLD_ATTACHMENTS: usize = 64;

/// A request with the Engine.IO packet that ends a session.
pub(crate) fn goodbye(path: &str, session: &str) -> Result<Request<Body>, http::Error> {
    Request::post(format!("{path}/?EIO=4&transport=polling&sid={session}"))
        .header(http::header::CONTENT_TYPE, "text/plain;charset=UTF-8")
        .body(Body::from("1"))
}
