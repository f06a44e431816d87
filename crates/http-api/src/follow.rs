//! Following a room, a user, a client or everything live, as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::StreamExt;
use http::StatusCode;
use roomwire_core::{ClientId, Error, ErrorCode, RoomId, UserId};
use roomwire_service::FollowTarget;
use tokio::time::sleep;

use crate::{
    api::Api,
    extract::{Id, Params},
    live_item::{Following, LiveItem},
    names::Name,
    problem::Problem,
};

/// How often a comment is sent, so that both sides notice a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follows a room
///
/// Messages to it from any node, and its joins, leaves and events of members on this node. One `data:` line of JSON for each
/// item, as in the schema `LiveItem`. A slow reader misses the oldest items, and an item of the kind `missed` says how many;
/// it never slows the room.
#[utoipa::path(
    get, path = "/v1/rooms/{room}/follow", tag = "live", operation_id = "followRoom",
    params(("room" = Name, Path, description = "The room's id."), Following),
    responses((status = 200, description = "Items from now on.", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn room(
    State(api): State<Api>,
    Id(room): Id<RoomId>,
    Params(query): Params<Following>,
) -> Result<Response, Problem> {
    follow(&api, FollowTarget::Room(room), &query).await
}

/// Follows a user
///
/// Messages to it from any node, and all that its clients on this node do. Otherwise as for a room.
#[utoipa::path(
    get, path = "/v1/users/{user}/follow", tag = "live", operation_id = "followUser",
    params(("user" = Name, Path, description = "The user's id."), Following),
    responses((status = 200, description = "Items from now on.", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn user(
    State(api): State<Api>,
    Id(user): Id<UserId>,
    Params(query): Params<Following>,
) -> Result<Response, Problem> {
    follow(&api, FollowTarget::User(user), &query).await
}

/// Follows a client
///
/// All that a client of this node does and gets. Otherwise as for a room.
#[utoipa::path(
    get, path = "/v1/clients/{client}/follow", tag = "live", operation_id = "followClient",
    params(("client" = Name, Path, description = "The client's id."), Following),
    responses((status = 200, description = "Items from now on.", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn client(
    State(api): State<Api>,
    Id(client): Id<ClientId>,
    Params(query): Params<Following>,
) -> Result<Response, Problem> {
    follow(&api, FollowTarget::Client(client), &query).await
}

/// Follows everything in a namespace
///
/// All that this node receives and sends. Otherwise as for a room.
#[utoipa::path(
    get, path = "/v1/follow", tag = "live", operation_id = "followAll", params(Following),
    responses((status = 200, description = "Items from now on.", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn all(State(api): State<Api>, Params(query): Params<Following>) -> Result<Response, Problem> {
    follow(&api, FollowTarget::All, &query).await
}

async fn follow(api: &Api, target: FollowTarget, query: &Following) -> Result<Response, Problem> {
    if query.seconds.is_some_and(|seconds| !(0.001..=86_400.0).contains(&seconds)) {
        return Err(Error::invalid_field("seconds", "expected a number from 0.001 to 86400").into());
    }
    let time = query.seconds.map(Duration::from_secs_f64);
    let follower = api.in_namespace(query.namespace.as_deref())?.follow(target).await.map_err(|error| {
        let is_full = error.code() == ErrorCode::LimitExceeded;
        let problem = Problem::from(error);
        if is_full { problem.with_status(StatusCode::SERVICE_UNAVAILABLE) } else { problem }
    })?;
    let with_payloads = query.payloads.unwrap_or_default();
    let end = async move {
        match time {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let items = follower.map(move |item| Ok::<_, Infallible>(event(&LiveItem::of(item, with_payloads))));
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(items.take_until(Box::pin(end))).keep_alive(heartbeat).into_response())
}

/// One line. Line breaks of a payload are white space between its tokens: those in texts are escaped.
fn event(item: &LiveItem) -> Event {
    let json = serde_json::to_string(item).unwrap_or_default();
    Event::default().data(json.replace(['\n', '\r'], " "))
}
