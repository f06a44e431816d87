//! A gateway that shows every part of the protocol to the end-to-end tests.

mod certificate;
mod count;
mod errors;
mod events;
mod honest;
mod stays;
mod suite;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use roomwire_axum_adapter::{Server, prometheus, stop_requested};
use roomwire_service::{Client, Data, Error, Gateway, State as Given, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use roomwire_state_redis::{RedisConfig, RedisState};
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{count::Counts, errors::ErrorLines, stays::Stays};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let errors = ErrorLines::default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry()
        .with(errors.clone())
        .with(lines.with_filter(EnvFilter::new("warn,roomwire=info")))
        .init();
    let mut config = WebSocketConfig::load()?;
    if std::env::var_os("E2E_DEFAULT_LIMITS").is_none() {
        // Most tests send and join faster than people do.
        config.limits = config.limits.without_rates();
    }
    certificate::write(&config).map_err(|error| error.to_string())?;
    let renewing = config.clone();
    let scheme = if config.ssl { "https" } else { "http" };
    let metrics = prometheus::install()?;
    let builder = WebSocketService::builder(config.clone());
    let service = if config.state.urls.is_empty() {
        builder.state(MemoryState::new()).build().await?
    } else {
        builder.state(RedisState::connect(&RedisConfig::from_service(&config)).await?).build().await?
    };
    let stays = Stays::default();
    stays.read(&service);
    let told = stays.clone();
    let app = Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/logs/errors", get(move || async move { Json(json!({ "errors": errors.count() })) }))
        .route("/state", get(state))
        .route("/state/fifty-rooms", get(state_of_fifty_rooms))
        .route("/metrics", metrics.endpoint())
        .route(
            "/stays",
            get(move |State(service): State<WebSocketService>| async move {
                told.report(&service).await.map(Json).map_err(|error| error.to_string())
            }),
        )
        .route(
            "/certificate",
            post(move || async move { certificate::write(&renewing).map_err(|error| error.to_string()) }),
        )
        .with_state(service.clone());
    let server = Server::bind(app, service, [root(stays), admin(), suite::custom(), honest::fifty_rooms()]).await?;
    println!("e2e: {scheme}://{}", server.local_addr()?);
    Ok(server.run_until(stop_requested()).await?)
}

fn root(stays: Stays) -> Gateway {
    Gateway::new()
        .with_state(Counts::default())
        .with_state(stays)
        .on_connect(arrive)
        .on("echo", events::echo)
        .on("message", suite::send_back)
        .on("burst", suite::burst)
        .on("room/join", events::echo)
        .on("größe", events::echo)
        .on("a&b", events::echo)
        .on("join", events::join)
        .on("binary-to-room", events::binary_to_room)
        .on("relay", events::relay)
        .on("relay-decoded", events::relay_decoded)
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
        .on_disconnect(depart)
}

async fn arrive(
    service: WebSocketService,
    client: Client,
    auth: Data<Value>,
    Given(stays): Given<Stays>,
) -> Result<(), Error> {
    stays::begin(&client, &stays);
    suite::tell_auth(service, client, auth).await
}

async fn depart(client: Client, Given(counts): Given<Counts>, Given(stays): Given<Stays>) -> Result<(), Error> {
    count::forget(&client, &counts);
    stays::end(&client, &stays);
    Ok(())
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

/// The number of rooms of the namespace in which clients join fifty.
async fn state_of_fifty_rooms(State(service): State<WebSocketService>) -> Result<Json<Value>, String> {
    let rooms = async { service.namespace("/fifty-rooms")?.room_count().await }.await;
    rooms.map(|rooms| Json(json!({ "rooms": rooms }))).map_err(|error| error.to_string())
}
