//! Reading, creating, changing and deleting rooms.

use axum::{
    Json,
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roomwire_core::{Error, ErrorCode, Metadata, NewRoom, Payload, RoomId, WebSocketRoom};
use roomwire_service::WebSocketService;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Number, value::RawValue};
use utoipa::ToSchema;

use crate::{
    api::Api,
    body::{JsonBody, present},
    extract::{Id, Params},
    names::Name,
    page::{InNamespace, InPages, Listed},
    problem::Problem,
    records::{ListedRoom, Room, RoomMember},
};

/// A room to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoomToCreate {
    /// The room's id, by which it is joined.
    #[schema(value_type = Name)]
    id: String,
    /// The name shown to people; the id unless it is set.
    #[serde(default)]
    name: Option<String>,
    /// The largest number of members; unlimited unless it is set.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_u64)]
    capacity: Option<u32>,
    /// The application's metadata.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    metadata: Sent<Metadata>,
    /// Whether it stays without members until it is deleted. If not, it goes with its last member.
    #[serde(default = "yes")]
    #[schema(default = true, required = false)]
    keep_when_empty: bool,
}

/// What to change of a room. What is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomChanges {
    /// The largest number of members; `null` for no limit. Members beyond it stay.
    #[serde(default, deserialize_with = "present_whole")]
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_u64)]
    capacity: Option<Option<u32>>,
    /// The new metadata, in place of all of the old one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Object, required = false)]
    metadata: Option<Sent<Metadata>>,
    /// Whether joining is refused. Members stay.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    closed: Option<bool>,
}

/// Lists the rooms of a namespace
///
/// The rooms of the whole cluster, in pages.
#[utoipa::path(get, path = "/v1/rooms", tag = "rooms", operation_id = "listRooms", params(InPages), responses((status = 200, description = "A page of rooms.", body = Listed<ListedRoom>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(query): Params<InPages>,
) -> Result<Json<Listed<ListedRoom>>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    Ok(Json(Listed::of(service.rooms(&query.page()?).await?)))
}

/// Creates a room
///
/// It exists until it is deleted, also without members, unless `keepWhenEmpty` is false.
#[utoipa::path(
    post, path = "/v1/rooms", tag = "rooms", operation_id = "createRoom", request_body = RoomToCreate, params(InNamespace),
    responses(
        (status = 201, description = "The room.", body = Room, headers(("location" = String, description = "The path of the room."))),
        (status = 409, description = "The room exists already."),
    )
)]
pub(crate) async fn create(
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Params(query): Params<InNamespace>,
    JsonBody(new): JsonBody<RoomToCreate>,
) -> Result<Response, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    let id = RoomId::new(new.id)?;
    let settings = NewRoom {
        name: new.name,
        capacity: new.capacity,
        metadata: new.metadata.0,
        keep_when_empty: new.keep_when_empty,
    };
    let room = service.create_room(&id, settings).await.map_err(|error| {
        let exists = error.code() == ErrorCode::Forbidden;
        let problem = Problem::from(error);
        if exists { problem.with_status(StatusCode::CONFLICT) } else { problem }
    })?;
    let mut location = format!("{}/{}", uri.path(), utf8_percent_encode(&id, NON_ALPHANUMERIC));
    if let Some(query) = uri.query() {
        location = format!("{location}?{query}");
    }
    let mut response = (StatusCode::CREATED, Json(Room::from(room))).into_response();
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Reads one room
///
/// Its settings, its metadata and the number of its members. The members themselves are a list of their own.
#[utoipa::path(
    get, path = "/v1/rooms/{room}", tag = "rooms", operation_id = "readRoom",
    params(("room" = Name, Path, description = "The room's id."), InNamespace),
    responses(
        (status = 200, description = "The room.", body = Room),
        (status = 404, description = "The room does not exist."),
    )
)]
pub(crate) async fn read(
    State(api): State<Api>,
    Id(room): Id<RoomId>,
    Params(query): Params<InNamespace>,
) -> Result<Json<Room>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    Ok(Json(service.room(room).await?.into()))
}

/// Changes the settings of a room
///
/// Capacity, metadata, and whether the room is closed are changed one after the other. If one fails, those before it, in
/// this order, are changed.
#[utoipa::path(
    patch, path = "/v1/rooms/{room}", tag = "rooms", operation_id = "changeRoom", request_body = RoomChanges,
    params(("room" = Name, Path, description = "The room's id."), InNamespace),
    responses(
        (status = 200, description = "The room.", body = Room),
        (status = 404, description = "The room does not exist."),
    )
)]
pub(crate) async fn change(
    State(api): State<Api>,
    Id(room): Id<RoomId>,
    Params(query): Params<InNamespace>,
    JsonBody(changes): JsonBody<RoomChanges>,
) -> Result<Json<Room>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    // To close a room that does not exist would create it.
    let mut changed = service.room(&room).await?;
    if let Some(capacity) = changes.capacity {
        changed = service.set_room_capacity(&room, capacity).await?;
    }
    if let Some(Sent(metadata)) = changes.metadata {
        changed = service.set_room_metadata(&room, metadata).await?;
    }
    if let Some(closed) = changes.closed {
        changed = close_or_open(&service, &room, closed).await?;
    }
    Ok(Json(changed.into()))
}

async fn close_or_open(service: &WebSocketService, room: &RoomId, closed: bool) -> Result<WebSocketRoom, Error> {
    if closed { service.close_room(room).await } else { service.open_room(room).await }
}

/// Deletes a room
///
/// All memberships end, on every node.
#[utoipa::path(
    delete, path = "/v1/rooms/{room}", tag = "rooms", operation_id = "deleteRoom",
    params(("room" = Name, Path, description = "The room's id."), InNamespace),
    responses(
        (status = 204, description = "The room is deleted."),
        (status = 404, description = "The room does not exist."),
    )
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Id(room): Id<RoomId>,
    Params(query): Params<InNamespace>,
) -> Result<StatusCode, Problem> {
    api.in_namespace(query.namespace.as_deref())?.delete_room(room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the members of a room
///
/// The members on all nodes, in pages.
#[utoipa::path(
    get, path = "/v1/rooms/{room}/members", tag = "rooms", operation_id = "listMembers",
    params(("room" = Name, Path, description = "The room's id."), InPages),
    responses(
        (status = 200, description = "A page of members.", body = Listed<RoomMember>),
        (status = 404, description = "The room does not exist."),
    )
)]
pub(crate) async fn members(
    State(api): State<Api>,
    Id(room): Id<RoomId>,
    Params(query): Params<InPages>,
) -> Result<Json<Listed<RoomMember>>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    let page = query.page()?;
    let members = service.members(&room, &page).await?;
    if members.items.is_empty() && page.cursor().is_none() {
        service.room(&room).await?; // for a room that does not exist, an error
    }
    Ok(Json(Listed::of(members)))
}

/// A value of a request that is parsed as the payload of a client would be: keys that `serde_json` reserves for its own
/// types are refused, instead of being parsed as further JSON without a limit of nesting.
#[derive(Debug, Default)]
struct Sent<T>(T);

impl<'de, T: de::DeserializeOwned> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let payload = Payload::from_encoded(text.get().to_owned().into(), Vec::new());
        payload.decode().map(Self).map_err(|error| de::Error::custom(error.message()))
    }
}

fn yes() -> bool {
    true
}

/// A capacity. `50.0` is the same number as `50` in JSON, and some programs write it so.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(None) };
    let whole = number.as_u64().or_else(|| {
        let number =
            number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number));
        number.map(|number| number as u64)
    });
    let capacity = whole.and_then(|whole| u32::try_from(whole).ok());
    capacity.map(Some).ok_or_else(|| de::Error::custom(format_args!("expected a whole number from 0 to {}", u32::MAX)))
}

/// As [`whole`], with `null` told apart from an absent value.
fn present_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    whole(deserializer).map(Some)
}
