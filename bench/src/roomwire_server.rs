//! Roomwire with its state in memory, or in Redis.

use std::net::SocketAddr;

use axum::Router;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_axum_adapter::{Server, prometheus};
use roomwire_core::config::{Algorithm, Limits, LogLevel, Logger};
use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use roomwire_state_redis::{RedisConfig, RedisState};

use crate::{peer::Peer, serve::Say, token};

/// More than the clients of any workload, and no more than 20,000 open files allow.
const CONNECTIONS: u32 = 9_000;

/// Begins to serve; returns where.
pub(crate) async fn start(address: SocketAddr, peer: Peer, redis: Option<&str>) -> anyhow::Result<SocketAddr> {
    let mut config = WebSocketConfig {
        host: address.ip(),
        port: address.port(),
        // All clients of the largest workload.
        max_connections: CONNECTIONS,
        limits: limits(peer),
        // Nor do they log that they listen.
        logger: Logger { level: LogLevel::Warn, ..Logger::default() },
        ..WebSocketConfig::default()
    };
    // All clients come from one address.
    config.limits.connections_per_address = Some(CONNECTIONS);
    config.limits.reconnects_per_second = 100_000;
    config.limits.reconnect_burst = 100_000;
    if peer == Peer::RoomwireTokens {
        config.auth.algorithms = vec![Algorithm::Hs256];
        config.auth.secret = Some(token::SECRET.into());
    }
    if peer == Peer::RoomwireObserved {
        prometheus::install()?; // before handles are created
        config.logger.level = LogLevel::Info;
    }
    let auth = config.auth.clone();
    let mut builder = WebSocketService::builder(config);
    if auth.is_configured() {
        builder = builder.authenticator(JwtAuthenticator::from_config(&auth).await?);
    }
    let builder = match redis {
        Some(url) => builder.state(RedisState::connect(&RedisConfig::new(url)).await?),
        None => builder.state(MemoryState::new()),
    };
    let service = builder.build().await?;
    let gateway = Gateway::new().on("join", join).on("say", say);
    let server = Server::bind(Router::new(), service, gateway).await?;
    let address = server.local_addr()?;
    tokio::spawn(server.run_until(std::future::pending()));
    Ok(address)
}

fn limits(peer: Peer) -> Limits {
    match peer {
        Peer::RoomwireLimits => Limits::default(),
        Peer::RoomwireUnlimited => Limits::unlimited(),
        // A client sends as fast as the others receive, which no honest one does.
        _ => Limits::default().without_rates(),
    }
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn say(service: WebSocketService, Data(Say { room, message }): Data<Say>) -> Result<(), Error> {
    service.broadcast_to_room(&room, "said", &message).await
}
