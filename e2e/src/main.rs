//! A gateway that shows every part of the protocol to the end-to-end tests.

mod certificate;
mod count;
mod errors;
mod events;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use roomwire_axum_adapter::{Server, stop_requested};
use roomwire_service::{Error, Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{count::Counts, errors::ErrorLines};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let errors = ErrorLines::default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry()
        .with(errors.clone())
        .with(lines.with_filter(EnvFilter::new("warn,roomwire=info")))
        .init();
    let mut config = WebSocketConfig::load()?;
    // The tests send and join faster than people do.
    config.limits = config.limits.without_rates();
    certificate::write(&config).map_err(|error| error.to_string())?;
    let renewing = config.clone();
    let scheme = if config.ssl { "https" } else { "http" };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await?;
    let app = Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/logs/errors", get(move || async move { Json(json!({ "errors": errors.count() })) }))
        .route("/state", get(state))
        .route(
            "/certificate",
            post(move || async move { certificate::write(&renewing).map_err(|error| error.to_string()) }),
        )
        .with_state(service.clone());
    let server = Server::bind(app, service, [root(), admin()]).await?;
    println!("e2e: {scheme}://{}", server.local_addr()?);
    Ok(server.run_until(stop_requested()).await?)
}

fn root() -> Gateway {
    Gateway::new()
        .with_state(Counts::default())
        .on("echo", events::echo)
        .on("join", events::join)
        .on("binary-to-room", events::binary_to_room)
        .on("ask-me", events::ask_me)
        .on("ask-room", events::ask_room)
        .on("count", count::count)
        .on("count-report", count::report)
        .on("panic", events::panic_at_once)
        .on("panic-async", events::panic_later)
        .on("slow", events::slow)
        .on("whoami", events::whoami)
        .on("kick-me", events::kick_me)
        .on("crowd", events::crowd)
        .on_disconnect(count::forget)
}

fn admin() -> Gateway {
    Gateway::of("/admin")
        .on("echo", events::echo)
        .on("join", events::join)
        .on("shout", events::shout)
        .on("whoami", events::whoami)
}

/// How many clients and rooms there are, in all namespaces.
async fn state(State(service): State<WebSocketService>) -> Result<Json<Value>, String> {
    let read = async {
        let admin = service.namespace("/admin")?;
        let clients = service.client_count().await? + admin.client_count().await?;
        let rooms = service.room_count().await? + admin.room_count().await?;
        Ok::<_, Error>(json!({ "clients": clients, "rooms": rooms }))
    };
    read.await.map(Json).map_err(|error| error.to_string())
}
