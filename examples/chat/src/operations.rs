//! What operators and load balancers ask for, on a port of its own that is not for the public.

use std::{env, error::Error, net::SocketAddr};

use roomwire_axum_adapter::health_routes;
use roomwire_service::WebSocketService;
use tokio::net::TcpListener;

/// The variable with the port. Nothing is served unless it is set.
const PORT: &str = "ROOMWIRE_CHAT_OPERATIONS_PORT";

/// Serves the health checks on the configured `host`, until the process ends: also while the node drains.
pub(crate) async fn serve(service: &WebSocketService) -> Result<(), Box<dyn Error>> {
    let Ok(port) = env::var(PORT) else { return Ok(()) };
    let port = port.parse().map_err(|_| format!("{PORT} = {port:?}: expected a port, from 0 to 65535"))?;
    let address = SocketAddr::new(service.config().host, port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; choose another {PORT}"))?;
    println!("health: http://{}/health/ready", listener.local_addr()?);
    let app = health_routes(service.clone());
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(())
}
