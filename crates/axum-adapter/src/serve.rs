//! A server of our own, for apps that have none.

use std::{future::IntoFuture, io, net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, serve::ListenerExt};
use roomwire_service::{IntoGateways, WebSocketService};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::{MountError, RoomwireLayer, logging, mount, signal};

/// Why a server did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The service cannot be mounted.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another `host` or `port`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The listener broke.
    #[error("the server ended: {0}")]
    Io(#[from] io::Error),
}

/// After how much silence a connection is checked, and how often.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));

/// A server that listens, but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: Router,
    layer: RoomwireLayer,
}

impl Server {
    /// Mounts the gateways around the app and listens on `host` and `port` of the service's configuration.
    /// Sets up logging unless the process has a logger.
    ///
    /// # Errors
    /// When the service cannot be mounted or the address cannot be listened on.
    pub async fn bind(app: Router, service: WebSocketService, gateways: impl IntoGateways) -> Result<Self, ServeError> {
        logging::init(service.config());
        let address = SocketAddr::new(service.config().host, service.config().port);
        let layer = mount(service, gateways)?;
        let listener = listen(address).map_err(|source| ServeError::Listen { address, source })?;
        Ok(Self { listener, app, layer })
    }

    /// The address it listens on; with `port: 0` the one the system chose.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready, then stops in good order: no new connections, the clients' handlers run,
    /// all connections are closed. Takes at most three times `drain.timeout` to do so.
    ///
    /// # Errors
    /// When the listener breaks.
    ///
    /// # Cancellation
    /// Dropping the future stops listening; open websockets end with the runtime.
    pub async fn run_until<F>(self, stop: F) -> Result<(), ServeError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, app, layer } = self;
        let config = layer.service().config().clone();
        if let Ok(address) = listener.local_addr() {
            tracing::info!(target: "roomwire", "listening on http://{address}{}", config.path);
        }
        let listener = listener.tap_io(move |stream| set_up(stream, config.keep_alive));
        let stopping = layer.clone();
        let told = CancellationToken::new();
        let tell = told.clone();
        let server = axum::serve(listener, app.layer(layer)).with_graceful_shutdown(async move {
            stop.await;
            tracing::info!(target: "roomwire", "stopping");
            tell.cancel();
        });
        let mut server = pin!(server.into_future());
        tokio::select! {
            // Before anybody asked: the listener broke.
            served = &mut server => {
                stopping.shutdown().await;
                return Ok(served?);
            }
            () = told.cancelled() => {}
        }
        let patience = config.drain.timeout.saturating_mul(3);
        let ((), served) = tokio::join!(stopping.shutdown(), tokio::time::timeout(patience, &mut server));
        match served {
            Ok(served) => served?,
            Err(_) => tracing::warn!(target: "roomwire", "some requests were not finished in time"),
        }
        Ok(())
    }
}

/// Serves an app and its gateways until Ctrl-C or SIGTERM, on `host` and `port` of the service's configuration.
///
/// Small messages go out at once (`TCP_NODELAY`), and `keepAlive` finds peers that vanished. For an app with a server of
/// its own there is [`mount`]; for a chosen moment to stop, or to learn the port, [`Server`].
///
/// # Errors
/// When the service cannot be mounted, the address cannot be listened on, or the listener breaks.
pub async fn serve(app: Router, service: WebSocketService, gateways: impl IntoGateways) -> Result<(), ServeError> {
    Server::bind(app, service, gateways).await?.run_until(signal::stop_requested()).await
}

/// How many connections may wait to be accepted. With the usual 128, many clients that come back at once are reset.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As tokio does by itself: elsewhere it would let two servers share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn set_up(stream: &mut TcpStream, keep_alive: bool) {
    // A connection that broke in this moment fails at its first read.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(target: "roomwire", %error, "TCP_NODELAY could not be set");
    }
    if keep_alive && let Err(error) = SockRef::from(&*stream).set_tcp_keepalive(&KEEPALIVE) {
        tracing::debug!(target: "roomwire", %error, "keepalive could not be set");
    }
}
