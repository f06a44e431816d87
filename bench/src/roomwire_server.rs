//! Roomwire with its state in memory, or in Redis.

use std::net::SocketAddr;

use axum::Router;
use clap::ValueEnum;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_axum_adapter::Server;
use roomwire_core::config::{Algorithm, Limits, LogLevel, Logger};
use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use roomwire_state_redis::{RedisConfig, RedisState};

use crate::{cli::ServeArgs, server::Say};

/// How much one client may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bounds {
    /// As much as by default
    Default,
    /// As often as it likes
    WithoutRates,
    /// As much as any key allows
    Unlimited,
}

impl Bounds {
    /// As what `--limits` takes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::WithoutRates => "without-rates",
            Self::Unlimited => "unlimited",
        }
    }

    fn of(self) -> Limits {
        match self {
            Self::Default => Limits::default(),
            Self::WithoutRates => Limits::default().without_rates(),
            Self::Unlimited => Limits::unlimited(),
        }
    }
}

/// Begins to serve; returns where.
pub(crate) async fn start(args: &ServeArgs) -> anyhow::Result<SocketAddr> {
    let ServeArgs { address, redis, secret, limits, .. } = args;
    let mut config = WebSocketConfig {
        host: address.ip(),
        port: address.port(),
        // The plain library has no such bounds.
        max_connections: 1_000_000,
        limits: limits.of(),
        // Nor does it log that it listens.
        logger: Logger { level: LogLevel::Warn, ..Logger::default() },
        ..WebSocketConfig::default()
    };
    // All its clients come from one address.
    config.limits.connections_per_address = Some(1_000_000);
    config.limits.reconnects_per_second = 100_000;
    config.limits.reconnect_burst = 100_000;
    if let Some(secret) = secret {
        config.auth.algorithms = vec![Algorithm::Hs256];
        config.auth.secret = Some(secret.as_str().into());
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

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn say(service: WebSocketService, Data(Say { room, message }): Data<Say>) -> Result<(), Error> {
    service.broadcast_to_room(&room, "said", &message).await
}
