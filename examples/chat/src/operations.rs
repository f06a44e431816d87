//! What operators, load balancers and Prometheus ask for, on a port of its own that is not for the public.

use std::{env, error::Error, net::SocketAddr};

use axum::Router;
use roomwire_axum_adapter::{
    health_routes,
    prometheus::{self, PrometheusMetrics},
};
use roomwire_service::WebSocketService;
use tokio::net::TcpListener;

/// The variable with the port. Nothing is measured or served unless it is set.
const PORT: &str = "ROOMWIRE_CHAT_OPERATIONS_PORT";

/// The port and what is served there, if the port is set.
pub(crate) struct Operations(Option<(u16, PrometheusMetrics)>);

impl Operations {
    /// Begins to measure.
    pub(crate) fn begin() -> Result<Self, Box<dyn Error>> {
        let Ok(port) = env::var(PORT) else { return Ok(Self(None)) };
        let port = port.parse().map_err(|_| format!("{PORT} = {port:?}: expected a port, from 0 to 65535"))?;
        Ok(Self(Some((port, prometheus::install()?))))
    }

    /// Serves health checks and metrics on the configured `host`, until the process ends: also while the node drains.
    pub(crate) async fn serve(self, service: &WebSocketService) -> Result<(), Box<dyn Error>> {
        let Self(Some((port, metrics))) = self else { return Ok(()) };
        let address = SocketAddr::new(service.config().host, port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}; choose another {PORT}"))?;
        let address = listener.local_addr()?;
        println!("health: http://{address}/health/ready");
        println!("metrics: http://{address}/metrics");
        let app = Router::new().route("/metrics", metrics.endpoint()).merge(health_routes(service.clone()));
        tokio::spawn(async { axum::serve(listener, app).await });
        Ok(())
    }
}
