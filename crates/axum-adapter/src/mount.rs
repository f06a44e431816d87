//! Putting a service and its gateways behind a layer.

use std::sync::Arc;

use roomwire_core::Error;
use roomwire_service::{Dispatcher, GatewayError, IntoGateways, WebSocketService};

use tokio_util::sync::CancellationToken;

use crate::{
    attendance::Attendances,
    connection::Connections,
    delivery::SocketDelivery,
    engine,
    guard::Guard,
    layer::{Mounted, RoomwireLayer, Running},
    seat::Seats,
};

/// Why a service cannot be mounted.
#[derive(Debug, thiserror::Error)]
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
    /// A key of the configuration asks for something that a layer cannot do, and that would be missed.
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

/// Makes the layer that serves these gateways, for an app that has a server of its own.
///
/// Put it around the whole app with [`axum::Router::layer`]. Layers that are added after it see Socket.IO
/// requests too; for cross-origin requests none is needed, `allowedOrigins` is enough. To stop in good order, call [`RoomwireLayer::shutdown`]. Of the configuration, `host`,
/// `port`, `keepAlive` and `logger` are the server's own affair then, and so is TLS: `ssl = true` is refused, because
/// nobody should believe in an encryption that is not there.
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
    around_own_server(service, gateways)
}

/// As [`mount`], for a server that honours every key.
pub(crate) fn around_own_server(
    service: WebSocketService,
    gateways: impl IntoGateways,
) -> Result<RoomwireLayer, MountError> {
    let config = service.config().clone();
    let dispatcher = Dispatcher::new(service.clone(), gateways)?;
    if !config.enabled {
        tracing::info!(target: "roomwire", path = config.path, "switched off: answering 503");
        return Ok(RoomwireLayer::new(Mounted { service, running: None }));
    }
    let (engine, io, namespaces) = engine::build(&config, &dispatcher);
    let delivery = SocketDelivery::new(namespaces.iter().cloned());
    service.attach_delivery(Arc::new(delivery)).map_err(|source| MountError::Service { source })?;
    let (guard, seats) = (Guard::new(&config), Seats::new(&config));
    let connections = Connections::default();
    let (attendances, closed) = (Attendances::new(&config.limits, namespaces.len()), CancellationToken::new());
    let running = Running { engine, io, namespaces, guard, seats, connections, attendances, closed };
    Ok(RoomwireLayer::new(Mounted { service, running: Some(running) }))
}
