//! What the test asks the server, past all limits.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Json, Router, http::StatusCode, routing::post};
use metrics_exporter_prometheus::PrometheusHandle;
use roomwire_hostile::Counts;
use roomwire_service::{Error, PageRequest, RoomId, UserId, WebSocketService};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Notes that some thread panicked.
pub(crate) fn count_panic() {
    PANICS.fetch_add(1, Ordering::Relaxed);
}

type Answer<T> = Result<Json<T>, (StatusCode, Json<Error>)>;

pub(crate) fn router(service: WebSocketService, metrics: PrometheusHandle) -> Router {
    let [counting, rooms, sending, revoking] = std::array::from_fn(|_| service.clone());
    Router::new()
        .route(
            "/counts",
            post(async move || {
                Json(Counts { clients: counting.local_client_count(), panics: PANICS.load(Ordering::Relaxed) })
            }),
        )
        .route("/metrics", post(async move || Json(metrics.render())))
        .route("/rooms", post(async move || answer(all_rooms(&rooms).await)))
        .route("/broadcast", post(async move |Json(what)| answer(broadcast(&sending, what).await)))
        .route("/revoke", post(async move |Json(user): Json<UserId>| answer(revoking.revoke_user(&user).await)))
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

/// Sends so many messages of so many bytes to a room, two in five milliseconds; how many bytes that was.
async fn broadcast(
    service: &WebSocketService,
    (room, event, messages, bytes): (RoomId, String, usize, usize),
) -> Result<usize, Error> {
    let data = "x".repeat(bytes);
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    for message in 0..messages {
        if message % 2 == 0 {
            pace.tick().await;
        }
        service.broadcast_to_room(&room, &event, &data).await?;
    }
    Ok(messages * bytes)
}

/// The ids of a room's first members.
async fn members(service: &WebSocketService, room: RoomId) -> Result<Vec<String>, Error> {
    let page = service.members(&room, &PageRequest::first(PageRequest::MAX_LIMIT)).await?;
    Ok(page.items.into_iter().map(|member| member.client.to_string()).collect())
}
