//! An axum app with a server, routes and state of its own, and the gateway mounted as a layer.
//!
//! `POST /announce` speaks to everyone in the lobby; `GET /rooms` lists the rooms. Clients join with the event `join`.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use roomwire_axum_adapter::{mount, stop_requested};
use roomwire_service::{
    Client, Data, Error, Gateway, PageRequest, RoomId, RoomSummary, WebSocketConfig, WebSocketService,
};
use roomwire_state_memory::MemoryState;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = WebSocketConfig::load()?;
    let address = (config.host, config.port);
    roomwire_axum_adapter::init_logging(&config);
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await?;
    let roomwire = mount(service.clone(), Gateway::new().on("join", join))?;
    let app = Router::new()
        .route("/announce", post(announce))
        .route("/rooms", get(rooms))
        .with_state(service)
        .layer(roomwire.clone());

    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("app: http://{}", listener.local_addr()?);
    // Without it, small messages wait for up to 40 ms.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let stop = async move {
        stop_requested().await;
        roomwire.drain().await;
    };
    // With the addresses of clients, for limits by address and for pages of dev servers.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn announce(State(service): State<WebSocketService>, Json(text): Json<Value>) -> Result<StatusCode, Failure> {
    service.broadcast_to_room("lobby", "announcement", &text).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rooms(State(service): State<WebSocketService>) -> Result<Json<Vec<RoomSummary>>, Failure> {
    Ok(Json(service.rooms(&PageRequest::first(100)).await?.items))
}

/// The service's errors as HTTP answers.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = if self.0.is_retryable() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
        (status, Json(self.0)).into_response()
    }
}
