//! A server for apps that have none.

use std::{fmt, io, net::SocketAddr};

use axum::Router;
use roomwire_service::{IntoGateways, WebSocketService};
use tokio::time::{Instant, timeout_at};

use crate::{
    MountError, RoomwireLayer, TlsError,
    listener::{self, Listener},
    logging, mount,
    refusals::Refusals,
    signal,
};

/// Why a server did not start, or ended.
///
/// `Debug` writes the same as `Display`, because a `main` that returns this error prints it by `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The service cannot be mounted.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}; choose another `host` or `port`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// `ssl` is true, and the certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("the server ended: {0}")]
    Io(#[from] io::Error),
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A server that listens, but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    app: Router,
    layer: RoomwireLayer,
}

impl Server {
    /// Mounts the gateways around the app and listens on `host` and `port` of the service's configuration, with TLS
    /// when `ssl` is true. Sets up logging ([`init_logging`](crate::init_logging)) unless the app has installed a
    /// subscriber.
    ///
    /// # Errors
    /// When the service cannot be mounted, the certificate cannot be used, or the address cannot be listened on.
    pub async fn bind(app: Router, service: WebSocketService, gateways: impl IntoGateways) -> Result<Self, ServeError> {
        let config = service.config();
        logging::init(&config);
        let tls = listener::certificates(&config).await?;
        let refusals = Refusals::new(service.refusal_log().clone());
        let layer = mount::around_own_server(service.clone(), gateways)?;
        let address = SocketAddr::new(config.host, config.port);
        let listener =
            Listener::bind(address, service, tls, refusals).map_err(|source| ServeError::Listen { address, source })?;
        Ok(Self { listener, app, layer })
    }

    /// The bound address; with `port: 0` it has the port that the system chose.
    ///
    /// # Errors
    /// If the system does not report it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The layer around the app, for example to [drain](RoomwireLayer::drain) the node before it is told to stop.
    #[must_use]
    pub fn layer(&self) -> &RoomwireLayer {
        &self.layer
    }

    /// Serves until `stop` is ready, then drains and shuts down gracefully, as [`RoomwireLayer::drain`] says: clients are
    /// asked to go at a pace and reconnect to other nodes, while the listener accepts requests. At the end no connection
    /// is accepted, and the requests in flight complete.
    ///
    /// This takes at most `drain.timeout`, and up to three times `state.timeout` longer if the store does not answer; then
    /// the remaining connections are dropped.
    ///
    /// Reloads the configuration at SIGHUP, as [`reload_on_hangup`](crate::reload_on_hangup) says.
    ///
    /// A request's extensions contain [`axum::extract::ConnectInfo`] of the peer's [`SocketAddr`].
    ///
    /// # Errors
    /// None at present: failures of single connections and transient failures are logged and handled.
    ///
    /// # Cancellation
    /// Dropping the future stops listening; requests complete, and open websockets end with the runtime.
    pub async fn run_until<F>(self, stop: F) -> Result<(), ServeError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, app, layer } = self;
        let config = layer.service().config();
        // Before the line that says that it listens: a supervisor may send a signal at once.
        let reloading = signal::reload_on_hangup(layer.service().clone());
        if let Ok(address) = listener.local_addr() {
            let scheme = if config.ssl { "https" } else { "http" };
            layer.log_start("listening on", format_args!("{scheme}://{address}{}", config.path));
        }
        let drained = layer.clone();
        let stopped = async move {
            stop.await;
            tracing::info!(target: "roomwire", "stopping");
            // Accepting goes on: clients over HTTP long-polling, health checks and the app's routes need it.
            drained.ask_clients_to_go().await;
        };
        let accepting = listener.accept_until(stopped, app.layer(layer.clone()));
        let accepted = tokio::select! {
            accepted = accepting => accepted,
            never = reloading => match never {},
        };
        // A node that was drained before the stop has requests of the app's own still.
        let deadline = layer.ask_clients_to_go().await.max(Instant::now() + layer.service().config().drain.timeout / 8);
        let ((), finished) = tokio::join!(layer.finish(deadline), timeout_at(deadline, accepted.finish()));
        if finished.is_err() {
            tracing::warn!(target: "roomwire", "some requests were not finished in time");
        }
        accepted.end();
        Ok(())
    }
}

/// Serves an app and its gateways until Ctrl-C or SIGTERM, on `host` and `port` of the service's configuration. Reloads the
/// configuration at SIGHUP, as [`reload_on_hangup`](crate::reload_on_hangup) says.
///
/// Sends small messages at once (`TCP_NODELAY`); `keepAlive` detects dead peers. For an app with its own server there
/// is [`mount`]; to control the shutdown, or to learn the port, [`Server`].
///
/// # Errors
/// If the service cannot be mounted, the address cannot be bound, or the listener fails.
pub async fn serve(app: Router, service: WebSocketService, gateways: impl IntoGateways) -> Result<(), ServeError> {
    Server::bind(app, service, gateways).await?.run_until(signal::stop_requested()).await
}
