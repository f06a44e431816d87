//! What the test asks the server, past all limits.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Json, Router, http::StatusCode, routing::post};
use metrics_exporter_prometheus::PrometheusHandle;
use roomwire_hostile::Counts;
use roomwire_service::{Error, PageRequest, RoomId, WebSocketService};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Notes that some thread panicked.
pub(crate) fn count_panic() {
    PANICS.fetch_add(1, Ordering::Relaxed);
}

type Answer<T> = Result<Json<T>, (StatusCode, Json<Error>)>;

pub(crate) fn router(service: WebSocketService, metrics: PrometheusHandle) -> Router {
    let (counting, rooms) = (service.clone(), service.clone());
    Router::new()
        .route(
            "/counts",
            post(async move || {
                Json(Counts { clients: counting.local_client_count(), panics: PANICS.load(Ordering::Relaxed) })
            }),
        )
        .route("/metrics", post(async move || Json(metrics.render())))
        .route("/rooms", post(async move || answer(all_rooms(&rooms).await)))
        .route("/members", post(async move |Json(room): Json<RoomId>| answer(members(&service, room).await)))
}

fn answer<T>(answer: Result<T, Error>) -> Answer<T> {
    answer.map(Json).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, Json(error)))
}

/// The names of all rooms.
async fn all_rooms(service: &WebSocketService) -> Result<Vec<RoomId>, Error> {
    let mut rooms = Vec::new();
    let mut request = PageRequest::first(PageRequest::MAX_LIMIT);
    loop {
        let page = service.rooms(&request).await?;
        rooms.extend(page.items.into_iter().map(|room| room.id));
        let Some(next) = page.next else { return Ok(rooms) };
        request = PageRequest::after(next, PageRequest::MAX_LIMIT);
    }
}

/// The ids of a room's first members.
async fn members(service: &WebSocketService, room: RoomId) -> Result<Vec<String>, Error> {
    let page = service.members(&room, &PageRequest::first(PageRequest::MAX_LIMIT)).await?;
    Ok(page.items.into_iter().map(|member| member.client.to_string()).collect())
}
