//! The sockets of one namespace on this node.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use foldhash::fast::RandomState;
use parking_lot::RwLock;
use roomwire_core::{ClientId, DisconnectReason, Namespace};
use socketioxide::adapter::Emitter;
use socketioxide_core::{Str, adapter::CoreLocalAdapter};
use tower::ServiceExt;

use crate::{
    engine::{self, Engine},
    socket::ClientSocket,
};

/// All clients of a namespace that are connected to this process.
pub(crate) struct NamespaceSockets {
    name: Namespace,
    /// The name as packets carry it.
    wire_name: Str,
    path: String,
    engine: Engine,
    sender: OnceLock<Arc<CoreLocalAdapter<Emitter>>>,
    /// Asked for each receiver of each message, hence with a fast hash; it need not stand up to chosen keys, because
    /// the server chooses its clients' ids.
    clients: RwLock<HashMap<ClientId, Arc<ClientSocket>, RandomState>>,
}

impl NamespaceSockets {
    pub(crate) fn new(name: Namespace, engine: Engine, path: String) -> Self {
        // Copied for each receiver of each message; of static text nothing is counted.
        let wire_name = if &*name == "/" { Str::from("/") } else { Str::copy_from_slice(&name) };
        Self { name, wire_name, path, engine, sender: OnceLock::new(), clients: RwLock::default() }
    }

    /// Gives it the way to its sockets, once.
    pub(crate) fn connect(&self, sender: Arc<CoreLocalAdapter<Emitter>>) {
        self.sender.get_or_init(|| sender);
    }

    pub(crate) fn sender(&self) -> Option<Arc<CoreLocalAdapter<Emitter>>> {
        self.sender.get().cloned()
    }

    pub(crate) fn name(&self) -> &Namespace {
        &self.name
    }

    pub(crate) fn wire_name(&self) -> &Str {
        &self.wire_name
    }

    pub(crate) fn add(&self, socket: Arc<ClientSocket>) {
        self.clients.write().insert(socket.session.client().id().clone(), socket);
    }

    /// Takes a socket out, when it is still this one.
    pub(crate) fn remove(&self, socket: &Arc<ClientSocket>) {
        let mut clients = self.clients.write();
        let id = socket.session.client().id();
        if clients.get(id).is_some_and(|present| Arc::ptr_eq(present, socket)) {
            clients.remove(id);
        }
    }

    pub(crate) fn get(&self, client: &ClientId) -> Option<Arc<ClientSocket>> {
        self.clients.read().get(client).cloned()
    }

    /// Looks clients up under one lock.
    pub(crate) fn for_each<'a>(
        &self,
        clients: &mut dyn Iterator<Item = &'a ClientId>,
        mut visit: impl FnMut(&'a ClientId, Option<&ClientSocket>),
    ) {
        let known = self.clients.read();
        for client in clients {
            visit(client, known.get(client).map(AsRef::as_ref));
        }
    }

    /// Ends a client's stay for this reason.
    pub(crate) fn disconnect(&self, client: &ClientId, reason: DisconnectReason) {
        let Some(socket) = self.get(client) else { return };
        match reason {
            // Its events are still answered, and then its transport is closed with all others, so that the
            // client comes back by itself, to another node.
            DisconnectReason::ServerShutdown => {}
            // It is told, with what was sent to it before, and does not come back by itself with what it showed.
            DisconnectReason::DisconnectedByServer
            | DisconnectReason::TokenExpired
            | DisconnectReason::AccessRevoked
                if socket.leave_namespace() => {}
            _ => self.break_off(&socket),
        }
        socket.session.closed(reason);
    }

    /// Ends the connection itself, though its buffers may be full and its peer may not answer.
    fn break_off(&self, socket: &Arc<ClientSocket>) {
        socket.cut_off();
        socket.read_gate.end();
        if socket.is_polling() {
            self.end_polling(socket.session_id().as_str());
        }
    }

    /// Ends a session that lives on HTTP requests, as if its client had said goodbye.
    pub(crate) fn end_polling(&self, session: &str) {
        end_polling(&self.engine, &self.path, session);
    }
}

/// Ends a session that lives on HTTP requests, as if its client had said goodbye; one that uses a
/// websocket is left alone.
pub(crate) fn end_polling(engine: &Engine, path: &str, session: &str) {
    let Ok(goodbye) = engine::goodbye(path, session) else { return };
    let engine = engine.clone();
    tokio::spawn(async move {
        // The response is not needed, and a session that is gone already is no error.
        let _ = engine.oneshot(goodbye).await;
    });
}

impl fmt::Debug for NamespaceSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceSockets")
            .field("name", &self.name)
            .field("clients", &self.clients.read().len())
            .finish_non_exhaustive()
    }
}
