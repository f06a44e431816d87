//! Mounts a service and its gateways as a layer.

use std::fmt;

use arc_swap::ArcSwap;
use roomwire_core::Error;
use roomwire_service::{Dispatcher, GatewayError, IntoGateways, WebSocketService};
use roomwire_socketio::Sessions;

use crate::{
    drain_state::DrainState,
    handshake::HandshakeCheck,
    layer::{Mounted, RoomwireLayer, Running},
    metrics,
    open_files::OpenFiles,
    refusals::Refusals,
    session_limit::SessionLimiter,
};

/// Why a service cannot be mounted.
///
/// `Debug` writes the same as `Display`, because a `main` that returns this error prints it by `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// The gateways have mistakes; all of them are listed.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The service is mounted already.
    #[error("the service cannot be mounted: {}", std::error::Error::source(source).map(ToString::to_string).unwrap_or_default())]
    Service {
        /// Why.
        source: Error,
    },
    /// A configuration key requires something that a layer cannot do.
    #[error("{key} = {value} cannot be honoured by a layer in a server of the app's own: {instead}")]
    NotTheLayers {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        instead: &'static str,
    },
}

impl fmt::Debug for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Creates the layer that serves these gateways, for an app with its own server.
///
/// Wrap the whole app with it by [`axum::Router::layer`]. Layers that are added after it see Socket.IO requests too.
/// Cross-origin requests need no CORS layer: `allowedOrigins` is enough. For a graceful shutdown, call
/// [`RoomwireLayer::drain`]. The app's server replaces the keys `host`, `port`, `keepAlive` and `logger`, and is
/// responsible for TLS: `ssl = true` is refused, because the layer does not encrypt.
///
/// Serve the app with [`axum::Router::into_make_service_with_connect_info`], so that the layer knows the addresses of
/// clients: without them, limits by address do not apply, and pages of dev servers on this machine are refused.
///
/// Logs one line at info when it is mounted: path, transports, namespaces, state backend, and limits that are off.
///
/// With `enabled: false` the layer answers 503 on the service's path, and nothing else runs.
///
/// # Errors
/// Mistakes in the gateways, a service that is mounted already, and `ssl = true`.
///
/// # Example
/// ```
/// # async fn app(service: roomwire_service::WebSocketService) -> Result<axum::Router, roomwire_axum_adapter::MountError> {
/// use axum::{Router, routing::get};
/// use roomwire_service::Gateway;
///
/// let roomwire = roomwire_axum_adapter::mount(service, Gateway::new())?;
/// let app = Router::new().route("/", get(|| async { "my own app" })).layer(roomwire);
/// // axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).await?;
/// # Ok(app)
/// # }
/// ```
pub fn mount(service: WebSocketService, gateways: impl IntoGateways) -> Result<RoomwireLayer, MountError> {
    if service.config().ssl {
        return Err(MountError::NotTheLayers {
            key: "ssl",
            value: "true".to_owned(),
            instead: "set ssl = false and end TLS in that server or in a proxy in front of it, or use `serve`",
        });
    }
    let layer = around_own_server(service, gateways)?;
    layer.log_start("mounted at", &layer.service().config().path);
    Ok(layer)
}

/// Like [`mount`], for a server that supports every key.
pub(crate) fn around_own_server(
    service: WebSocketService,
    gateways: impl IntoGateways,
) -> Result<RoomwireLayer, MountError> {
    let config = service.config();
    let dispatcher = Dispatcher::new(service.clone(), gateways)?;
    let refusals = Refusals::new(service.refusal_log().clone());
    let handshake = ArcSwap::from_pointee(HandshakeCheck::new(&config, refusals.clone()));
    if !config.enabled {
        tracing::info!(target: "roomwire", path = config.path, "switched off: answering 503");
        return Ok(RoomwireLayer::new(Mounted {
            service,
            started: config,
            handshake,
            refusals,
            drain: DrainState::default(),
            running: None,
        }));
    }
    metrics::describe();
    service.attach_server().map_err(|source| MountError::Service { source })?;
    let files = OpenFiles::of_this_process(&config);
    files.warn_if_too_few(&config);
    let session_limiter = SessionLimiter::new(&files.fitting(&config), refusals.clone());
    let running = Running { sessions: Sessions::new(dispatcher), session_limiter };
    let drain = DrainState::default();
    let mounted = Mounted { service, started: config, handshake, refusals, drain, running: Some(running) };
    let layer = RoomwireLayer::new(mounted);
    layer.drain_on_request();
    Ok(layer)
}
