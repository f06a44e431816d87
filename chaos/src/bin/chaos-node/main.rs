//! One node of a cluster under test: configured by `ROOMWIRE_*` variables, steered over standard input, and gone with
//! it.

mod channel;
mod gateway;
mod orders;
mod report;

use std::{error::Error, sync::Arc, time::Duration};

use axum::Router;
use roomwire_axum_adapter::Server;
use roomwire_chaos::control::Line;
use roomwire_core::{Clock, SystemClock, Timestamp};
use roomwire_service::{WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use roomwire_state_redis::{RedisConfig, RedisState};

use tokio_util::sync::CancellationToken;

use crate::channel::Output;

/// Longer than the shortest time between two heartbeats.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// A clock that goes wrong by an hour, when the variable says so.
#[derive(Debug)]
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = WebSocketConfig::load()?;
    // Its clients send and join as fast as they can, all of them from one address.
    config.limits = config.limits.without_rates();
    roomwire_axum_adapter::init_logging(&config);
    let ahead = std::env::var("CHAOS_CLOCK_AHEAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    let builder = WebSocketService::builder(config.clone()).clock(Arc::new(Ahead(Duration::from_secs(ahead))));
    let service = if config.state.urls.is_empty() {
        builder.state(MemoryState::new()).build().await?
    } else {
        builder.state(RedisState::connect(&RedisConfig::from_service(&config)).await?).build().await?
    };
    let output = Output::default();
    report::spawn(service.clone(), output.clone());
    let here = gateway::Here::default();
    let server = Server::bind(Router::new(), service.clone(), gateway::gateway(here.clone())).await?;
    output.write(&Line::Listening { port: server.local_addr()?.port() });
    let stop = CancellationToken::new();
    tokio::select! {
        served = server.run_until(stop.clone().cancelled_owned()) => served?,
        // The test is gone.
        () = orders::carry_out(service, here, stop, output) => {}
    }
    // So that the test hears of what goes on after the end, such as a heartbeat.
    tokio::time::sleep(AFTERWARDS).await;
    Ok(())
}
