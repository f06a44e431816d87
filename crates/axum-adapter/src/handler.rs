//! The handlers of sockets: connect, events, disconnect.

use std::{fmt, sync::Arc, time::Duration};

use http::{header, request::Parts};
use roomwire_core::{AckId, ClientId, DisconnectReason, Error, ErrorCode, Escaped};
use roomwire_service::{Backpressure, Dispatcher, Handshake, Incoming};
use socketioxide::{
    handler::{ConnectHandler, ConnectMiddleware, DisconnectHandler, MessageHandler, Value},
    socket::{DisconnectReason as SocketReason, Socket},
};

use crate::{
    connection::Connection,
    engine::Sockets,
    engine_session::{EngineSession, NamespaceEntry},
    frame,
    handshake::ClientAddress,
    namespace_sockets::NamespaceSockets,
    outbox::SocketSender,
    refusals::Refusals,
    socket::{ClientSocket, ReadGate},
};

/// A marker type for socketioxide's handler traits, which need one for handlers that are no functions.
pub(crate) struct Marker;

/// Admits a client before its CONNECT packet is answered, so that everything is in place for its first event.
#[derive(Clone)]
pub(crate) struct Admission {
    dispatcher: Dispatcher,
    sockets: Arc<NamespaceSockets>,
    refusals: Refusals,
}

impl Admission {
    pub(crate) fn new(dispatcher: Dispatcher, sockets: Arc<NamespaceSockets>) -> Self {
        let refusals = Refusals::new(dispatcher.service().refusal_log().clone());
        Self { dispatcher, sockets, refusals }
    }

    async fn admit(&self, socket: Arc<Socket<Sockets>>, auth: Option<&Value>) -> Result<(), Error> {
        let id = ClientId::new(socket.id.as_str())?;
        let engine_session = socket.req_parts().extensions.get::<Arc<EngineSession>>().cloned().unwrap_or_default();
        engine_session.may_connect()?;
        let request = socket.req_parts();
        let handshake = Handshake {
            auth: frame::read_handshake(auth)?,
            headers: request.headers.clone(),
            query: request.uri.query().unwrap_or_default().to_owned(),
            address: request.extensions.get().map(|ClientAddress(address)| *address),
            origin: request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).map(ToOwned::to_owned),
            ..Handshake::new(id)
        };
        let sender = self.sockets.sender().ok_or_else(|| Error::new(ErrorCode::ShuttingDown))?;
        let read_gate = Arc::new(ReadGate::default());
        // A session may have gone over to a websocket before it connects to a namespace.
        let connection = socket.req_parts().extensions.get::<Arc<Connection>>().cloned();
        if let Some(connection) = connection.or_else(|| engine_session.connection()) {
            read_gate.attach(connection);
        }
        let backpressure: Arc<dyn Backpressure> = read_gate.clone();
        let session = self.dispatcher.admit(self.sockets.name(), handshake, Some(backpressure)).await?;
        let sender = SocketSender::new(&socket, sender, read_gate.clone());
        let client = Arc::new(ClientSocket::new(session, read_gate, sender, engine_session.outbox().clone()));
        let (sockets, attended) = (self.sockets.clone(), Arc::downgrade(&engine_session));
        engine_session.outbox().end_with(move || {
            if let Some(engine_session) = attended.upgrade() {
                engine_session.break_off(|session| sockets.end_polling(session.as_str()));
            }
        });
        let attending = engine_session.enter(client.session.client().id());
        let limits = &self.dispatcher.service().config().limits;
        let link = SocketHandler {
            client: client.clone(),
            sockets: self.sockets.clone(),
            largest: limits.payload,
            engine_session,
            patience: limits.handshake_timeout,
            refusals: self.refusals.clone(),
        };
        self.sockets.add(client);
        socket.on_fallback(link.clone());
        socket.on_disconnect(link.clone());
        // Dropped with the socket: the client is cleaned up also when telling it that it is connected fails.
        socket.extensions.insert(Arc::new(CloseOnDrop(link, attending)));
        Ok(())
    }
}

impl ConnectMiddleware<Sockets, Marker> for Admission {
    async fn call<'a>(
        &'a self,
        socket: Arc<Socket<Sockets>>,
        auth: &'a Option<Value>,
    ) -> Result<(), Box<dyn fmt::Display + Send>> {
        self.admit(socket.clone(), auth.as_ref()).await.map_err(|error| {
            self.refusals.connect(&error, &Remote(socket.req_parts()));
            if error.code() == ErrorCode::Internal {
                tracing::error!(target: "roomwire", error = %Escaped(format_args!("{error:?}")), "a client could not be admitted");
            }
            Box::new(format!("{}: {error}", error.code())) as Box<dyn fmt::Display + Send>
        })
    }
}

/// Runs after the CONNECT packet was answered.
#[derive(Clone)]
pub(crate) struct OnConnect(Arc<NamespaceSockets>);

impl OnConnect {
    pub(crate) fn new(sockets: Arc<NamespaceSockets>) -> Self {
        Self(sockets)
    }
}

impl ConnectHandler<Sockets, Marker> for OnConnect {
    fn call(&self, socket: Arc<Socket<Sockets>>, _: Option<Value>) {
        let client = ClientId::new(socket.id.as_str()).ok().and_then(|id| self.0.get(&id));
        if let Some(client) = client {
            client.open();
            client.session.opened();
        }
    }
}

/// Connects a socket's events and its end with the client's session.
///
/// socketioxide calls both in the order in which things arrive; its own handlers would start a task for each.
#[derive(Clone)]
pub(crate) struct SocketHandler {
    client: Arc<ClientSocket>,
    sockets: Arc<NamespaceSockets>,
    /// How many bytes an event may bring.
    largest: usize,
    engine_session: Arc<EngineSession>,
    /// How long its session may be in no namespace.
    patience: Duration,
    refusals: Refusals,
}

impl SocketHandler {
    fn end(&self, reason: DisconnectReason) {
        self.client.cut_off();
        self.sockets.remove(&self.client);
        self.client.session.closed(reason);
    }
}

impl MessageHandler<Sockets, Marker> for SocketHandler {
    fn call(&self, _: Arc<Socket<Sockets>>, value: Value, ack: Option<i64>) {
        let (ack, bytes) = (ack.map(AckId), frame::size(&value));
        match frame::read_event(value) {
            Ok((name, payload)) if payload.size() > self.largest => {
                self.client.session.refuse(Some(&name), ack, bytes, ErrorCode::PayloadTooLarge.into());
            }
            Ok((name, payload)) => self.client.session.receive(Incoming { name, payload, ack }),
            Err(error) => self.client.session.refuse(None, ack, bytes, error),
        }
    }
}

impl DisconnectHandler<Sockets, Marker> for SocketHandler {
    fn call_with_defer(
        &self,
        socket: Arc<Socket<Sockets>>,
        reason: SocketReason,
        forget_socket: fn(Arc<Socket<Sockets>>),
    ) {
        // Before the library forgets it: what is sent to a socket that it does not know is lost without a word.
        self.client.cut_off();
        forget_socket(socket);
        if matches!(reason, SocketReason::ClientNSDisconnect | SocketReason::ServerNSDisconnect) {
            let sockets = self.sockets.clone();
            self.engine_session.watch(self.patience, move |session| sockets.end_polling(session.as_str()));
        }
        let outbox = self.engine_session.outbox();
        // A ping that waits behind what the client does not take is not answered either.
        let is_slow = outbox.is_slow() || reason == SocketReason::HeartbeatTimeout && outbox.is_behind();
        if !self.client.session.is_closed() {
            let client = self.client.session.client().id();
            match reason {
                _ if is_slow => self.refusals.slow_consumer(client),
                SocketReason::PacketParsingError => {
                    self.refusals.protocol_error("it sent a packet that is no Socket.IO, or is too large", client);
                }
                SocketReason::MultipleHttpPollingError => {
                    self.refusals.protocol_error("it asked for its packets in two requests at one time", client);
                }
                _ => {}
            }
        }
        self.end(match reason {
            _ if is_slow => DisconnectReason::SlowConsumer,
            SocketReason::TransportClose if self.client.read_gate.is_oversized() => DisconnectReason::ProtocolError,
            SocketReason::TransportClose | SocketReason::ClientNSDisconnect => DisconnectReason::ClientDisconnected,
            SocketReason::TransportError => DisconnectReason::ConnectionLost,
            SocketReason::HeartbeatTimeout => DisconnectReason::PingTimeout,
            SocketReason::MultipleHttpPollingError | SocketReason::PacketParsingError => {
                DisconnectReason::ProtocolError
            }
            SocketReason::ServerNSDisconnect => DisconnectReason::DisconnectedByServer,
            SocketReason::ClosingServer => DisconnectReason::ServerShutdown,
        });
    }
}

/// Where a client comes from: its address and its page, as far as they are known.
struct Remote<'a>(&'a Parts);

impl fmt::Display for Remote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.extensions.get() {
            Some(ClientAddress(address)) => address.fmt(f)?,
            None => f.write_str("unknown")?,
        }
        match self.0.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) {
            Some(origin) => write!(f, " {origin}"),
            None => Ok(()),
        }
    }
}

/// Ends the session when the socket is dropped without having been disconnected.
struct CloseOnDrop(SocketHandler, #[expect(dead_code, reason = "dropped with the socket")] NamespaceEntry);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if self.0.client.session.is_closed() {
            return;
        }
        // The last owner of a socket may drop it with any lock held, so a task ends the session.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let link = self.0.clone();
            runtime.spawn(async move { link.end(DisconnectReason::ConnectionLost) });
        }
    }
}
