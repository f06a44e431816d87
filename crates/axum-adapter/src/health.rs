//! Liveness and readiness over HTTP.

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use roomwire_service::WebSocketService;
use serde::Serialize;
use serde_json::json;

/// Routes for the health checks of a load balancer or an orchestrator. Merge them into the app's router, or into one of
/// their own that listens on another port.
///
/// * `GET /health/live` answers 200 as long as the process can answer, also while it drains and during an outage of
///   Redis: a restart would help neither.
/// * `GET /health/ready` answers 200 while the node should get new clients, otherwise 503: while it drains or shuts down,
///   and when the state or the other nodes have been out of reach for longer than `health.outageLimit`. The body is the
///   [`Readiness`](roomwire_service::Readiness) as JSON, with the reasons.
///
/// Both are cheap: they make no call. They contain no name of a client or a room and no address.
///
/// ```
/// # async fn app(service: roomwire_service::WebSocketService) {
/// use axum::Router;
/// use roomwire_axum_adapter::health_routes;
///
/// let app: Router = Router::new().merge(health_routes(service));
/// # }
/// ```
pub fn health_routes<S>(service: WebSocketService) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/health/live", get(async || answer(StatusCode::OK, &json!({ "live": true }))))
        .route("/health/ready", get(async move || ready(&service)))
}

fn ready(service: &WebSocketService) -> Response {
    let readiness = service.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, &readiness)
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, no_store, Json(body)).into_response()
}
