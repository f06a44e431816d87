//! A server to be attacked: configured by `ROOMWIRE_*` variables, with all limits on, and gone with its standard input.

mod control;
mod gateway;
mod passes;

use std::{
    error::Error,
    io::{Read, stdin},
    panic,
};

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_axum_adapter::Server;
use roomwire_service::{WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use roomwire_state_redis::{RedisConfig, RedisState};
use tokio::{net::TcpListener, sync::oneshot};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = WebSocketConfig::load()?;
    roomwire_axum_adapter::init_logging(&config);
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        control::count_panic();
        tell(panic);
    }));
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let builder = WebSocketService::builder(config.clone());
    let builder = if config.auth.algorithms.is_empty() {
        builder.authenticator(passes::Passes)
    } else {
        builder.authenticator(JwtAuthenticator::from_config(&config.auth).await?)
    };
    let service = if config.state.urls.is_empty() {
        builder.state(MemoryState::new()).build().await?
    } else {
        builder.state(RedisState::connect(&RedisConfig::from_service(&config)).await?).build().await?
    };
    let server = Server::bind(Router::new(), service.clone(), gateway::gateway()).await?;
    let control = TcpListener::bind("127.0.0.1:0").await?;
    let (clients, asked) = (server.local_addr()?, control.local_addr()?);
    println!("{}", serde_json::json!({ "clients": clients, "control": asked }));
    let (gone, input) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever comes, the end of it counts.
        let _ = stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    tokio::select! {
        served = server.run_until(std::future::pending()) => Ok(served?),
        answered = axum::serve(control, control::router(service, metrics)) => Ok(answered?),
        // The test is gone.
        _ = input => Ok(()),
    }
}
