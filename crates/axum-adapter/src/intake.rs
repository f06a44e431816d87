//! What sockets bring in, on its way to the service.

use std::{fmt, sync::Arc, time::Duration};

use http::header;
use roomwire_core::{AckId, ClientId, DisconnectReason, Error, ErrorCode, Printable};
use roomwire_service::{Backpressure, Dispatcher, Handshake, Incoming};
use socketioxide::{
    handler::{ConnectHandler, ConnectMiddleware, DisconnectHandler, MessageHandler, Value},
    socket::{DisconnectReason as SocketReason, Socket},
};

use crate::{
    attendance::{Attendance, Attending},
    connection::Connection,
    engine::Sockets,
    frame,
    guard::ClientAddress,
    namespace_sockets::NamespaceSockets,
    outbox::Way,
    socket::{ClientSocket, Line},
};

/// What socketioxide wants as a type parameter of handlers that are no functions.
pub(crate) struct Own;

/// Runs before a client is told that it is connected: everything is in place when its first event comes.
#[derive(Clone)]
pub(crate) struct Admission {
    dispatcher: Dispatcher,
    sockets: Arc<NamespaceSockets>,
}

impl Admission {
    pub(crate) fn new(dispatcher: Dispatcher, sockets: Arc<NamespaceSockets>) -> Self {
        Self { dispatcher, sockets }
    }

    async fn admit(&self, socket: Arc<Socket<Sockets>>, auth: Option<&Value>) -> Result<(), Error> {
        let id = ClientId::new(socket.id.as_str())?;
        let attendance = socket.req_parts().extensions.get::<Arc<Attendance>>().cloned().unwrap_or_default();
        attendance.may_connect()?;
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
        let line = Arc::new(Line::default());
        // A session may have gone over to a websocket before it connects to a namespace.
        let connection = socket.req_parts().extensions.get::<Arc<Connection>>().cloned();
        if let Some(connection) = connection.or_else(|| attendance.connection()) {
            line.attach(connection);
        }
        let backpressure: Arc<dyn Backpressure> = line.clone();
        let session = self.dispatcher.admit(self.sockets.name(), handshake, Some(backpressure)).await?;
        let way = Way::new(&socket, sender, line.clone());
        let client = Arc::new(ClientSocket::new(session, line, way, attendance.outbox().clone()));
        let (sockets, attended) = (self.sockets.clone(), Arc::downgrade(&attendance));
        attendance.outbox().end_with(move || {
            if let Some(attendance) = attended.upgrade() {
                attendance.break_off(|session| sockets.end_polling(session.as_str()));
            }
        });
        let attending = attendance.enter(client.session.client().id());
        let limits = &self.dispatcher.service().config().limits;
        let link = Link {
            client: client.clone(),
            sockets: self.sockets.clone(),
            largest: limits.payload,
            attendance,
            patience: limits.handshake_timeout,
        };
        self.sockets.add(client);
        socket.on_fallback(link.clone());
        socket.on_disconnect(link.clone());
        // Dropped with the socket: the client is cleaned up also when telling it that it is connected fails.
        socket.extensions.insert(Arc::new(Guard(link, attending)));
        Ok(())
    }
}

impl ConnectMiddleware<Sockets, Own> for Admission {
    async fn call<'a>(
        &'a self,
        socket: Arc<Socket<Sockets>>,
        auth: &'a Option<Value>,
    ) -> Result<(), Box<dyn fmt::Display + Send>> {
        self.admit(socket, auth.as_ref()).await.map_err(|error| {
            if error.code() == ErrorCode::Internal {
                tracing::error!(target: "roomwire", error = %Printable(format_args!("{error:?}")), "a client could not be admitted");
            }
            Box::new(format!("{}: {error}", error.code())) as Box<dyn fmt::Display + Send>
        })
    }
}

/// Runs after a client was told that it is connected.
#[derive(Clone)]
pub(crate) struct Opening(Arc<NamespaceSockets>);

impl Opening {
    pub(crate) fn new(sockets: Arc<NamespaceSockets>) -> Self {
        Self(sockets)
    }
}

impl ConnectHandler<Sockets, Own> for Opening {
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
pub(crate) struct Link {
    client: Arc<ClientSocket>,
    sockets: Arc<NamespaceSockets>,
    /// How many bytes an event may bring.
    largest: usize,
    attendance: Arc<Attendance>,
    /// How long its session may be in no namespace.
    patience: Duration,
}

impl Link {
    fn end(&self, reason: DisconnectReason) {
        self.client.cut_off();
        self.sockets.remove(&self.client);
        self.client.session.closed(reason);
    }
}

impl MessageHandler<Sockets, Own> for Link {
    fn call(&self, _: Arc<Socket<Sockets>>, value: Value, ack: Option<i64>) {
        let (ack, bytes) = (ack.map(AckId), frame::size(&value));
        match frame::read_event(value) {
            Ok((_, payload)) if payload.size() > self.largest => {
                self.client.session.refuse(ack, bytes, ErrorCode::PayloadTooLarge.into());
            }
            Ok((name, payload)) => self.client.session.receive(Incoming { name, payload, ack }),
            Err(error) => self.client.session.refuse(ack, bytes, error),
        }
    }
}

impl DisconnectHandler<Sockets, Own> for Link {
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
            self.attendance.watch(self.patience, move |session| sockets.end_polling(session.as_str()));
        }
        let outbox = self.attendance.outbox();
        // A ping that waits behind what the client does not take is not answered either.
        let is_slow = outbox.is_slow() || reason == SocketReason::HeartbeatTimeout && outbox.is_behind();
        if is_slow && !self.client.session.is_closed() {
            let client = self.client.session.client().id();
            tracing::info!(target: "roomwire", %client, "disconnected: takes nothing of what is sent to it");
        }
        self.end(match reason {
            _ if is_slow => DisconnectReason::SlowConsumer,
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

/// Ends the session when the socket is dropped without having been disconnected.
struct Guard(Link, #[expect(dead_code, reason = "dropped with the socket")] Attending);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.client.session.is_closed() {
            return;
        }
        // A socket may be dropped by whoever looks at it last, with any lock held.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let link = self.0.clone();
            runtime.spawn(async move { link.end(DisconnectReason::ConnectionLost) });
        }
    }
}
