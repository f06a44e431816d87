//! The API on an address of its own.

use std::{fmt, io, net::SocketAddr};

use axum::Router;
use roomwire_axum_adapter::{RoomwireLayer, SideServer};

use crate::{api::Api, router};

/// Why the API was not started.
///
/// `Debug` writes the same as `Display`, because a `main` that returns this error prints it by `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be bound.
    #[error("the HTTP API cannot listen on {address}: {source}; choose another `api.host` or `api.port`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Serves the API in the background on `api.host` and `api.port`, until the node has shut down. Returns the bound address,
/// or `None` if no `api.token` is configured or `enabled` is false: then nothing is served, and one line at info says so.
///
/// The limits of its connections are those of the service's own listener. It does not encrypt: anyone on the network
/// between can read the token, so let it listen on a loopback address (the default), or put a proxy with TLS in front.
///
/// Must be called on a tokio runtime. When the node has shut down, requests in flight have `limits.handshakeTimeout` to
/// complete, unless the process exits before: an answer at the very end may be cut off, also that of a request that took
/// effect.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn start(layer: &RoomwireLayer) -> Result<Option<SocketAddr>, StartError> {
    let Some(api) = Api::new(layer) else { return Ok(None) };
    let config = layer.service().config();
    let address = SocketAddr::new(config.api.host, config.api.port);
    let listening = SideServer::bind(address, layer).and_then(|server| Ok((server.local_addr()?, server)));
    let (address, server) = listening.map_err(|source| StartError::Listen { address, source })?;
    tracing::info!(target: "roomwire", "the HTTP API listens on http://{address}/v1");
    let app: Router = router::of(api);
    tokio::spawn(server.run_until(layer.shut_down(), app));
    Ok(Some(address))
}
