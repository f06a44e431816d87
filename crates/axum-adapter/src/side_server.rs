//! A second server of a node, for an app that clients do not reach.

use std::{io, net::SocketAddr};

use axum::Router;
use roomwire_service::WebSocketService;
use tokio::time::timeout;

use crate::{RoomwireLayer, listener::Listener, refusals::Refusals};

/// A server next to that of a node's clients, on an address of its own, for authors of APIs for operators.
///
/// The limits of connections and heads, and the timeouts of heads and of writing, are those of the node's own listener.
/// The app limits the time of bodies. The server does not encrypt. Its connections count in the same metrics.
#[derive(Debug)]
pub struct SideServer {
    listener: Listener,
    service: WebSocketService,
}

impl SideServer {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn bind(address: SocketAddr, layer: &RoomwireLayer) -> io::Result<Self> {
        let service = layer.service().clone();
        let refusals = Refusals::new(service.refusal_log().clone());
        let listener = Listener::bind(address, service.clone(), None, refusals)?.without_body_timeout();
        Ok(Self { listener, service })
    }

    /// The bound address; with port 0 it has the port that the system chose.
    ///
    /// # Errors
    /// If the system does not report it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready. Then no connection is accepted, and the requests in flight complete, for at most
    /// `limits.handshakeTimeout`.
    ///
    /// A request's extensions contain [`axum::extract::ConnectInfo`] of the peer's [`SocketAddr`].
    ///
    /// # Cancellation
    /// Dropping the future stops listening; requests complete.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send, app: Router) {
        let accepted = self.listener.accept_until(stop, app).await;
        // Late requests are dropped.
        let _late = timeout(self.service.config().limits.handshake_timeout, accepted.finish()).await;
        accepted.end();
    }
}
