//! Sending messages.

use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use roomwire_core::{ClientId, Error, Payload, RoomId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    api::Api,
    body::{JsonBody, present},
    extract::{Id, Params},
    idempotency::IdempotencyKey,
    names::{EventText, Name},
    page::InNamespace,
    problem::Problem,
};

/// An event for one client or one user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    /// The name of the event.
    #[schema(value_type = EventText)]
    event: String,
    /// The argument of the event, any JSON. It reaches clients exactly as it is written here: with the same order of keys
    /// and the same digits of numbers. An event without `data` and `arguments` has no argument.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// Further arguments of the event, after `data`.
    #[serde(default)]
    #[schema(value_type = Vec<serde_json::Value>, required = false)]
    arguments: Vec<Box<RawValue>>,
}

/// An event for many clients.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Broadcast {
    /// The name of the event.
    #[schema(value_type = EventText)]
    event: String,
    /// The argument of the event, any JSON. It reaches clients exactly as it is written here: with the same order of keys
    /// and the same digits of numbers. An event without `data` and `arguments` has no argument.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// Further arguments of the event, after `data`.
    #[serde(default)]
    #[schema(value_type = Vec<serde_json::Value>, required = false)]
    arguments: Vec<Box<RawValue>>,
    /// The id of a client that does not get it.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    except: Option<String>,
}

/// Sends an event to all clients of a namespace
///
/// On all nodes. The event is queued for the clients of this node, and sent to the other nodes, when the answer comes.
#[utoipa::path(
    post, path = "/v1/broadcast", tag = "messages", operation_id = "broadcast", request_body = Broadcast, params(InNamespace, IdempotencyKey),
    responses((status = 202, description = "The event is sent.", headers(("Idempotency-Replayed" = String, description = "`true` if a request with the same key was answered before."))))
)]
pub(crate) async fn broadcast(
    State(api): State<Api>,
    Params(query): Params<InNamespace>,
    JsonBody(sent): JsonBody<Broadcast>,
) -> Result<StatusCode, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    let payload = payload(&api, sent.data.as_deref(), &sent.arguments)?;
    match sent.except {
        None => service.broadcast(&sent.event, payload).await?,
        Some(client) => service.broadcast_except(client.as_str(), &sent.event, payload).await?,
    }
    Ok(StatusCode::ACCEPTED)
}

/// Sends an event to all members of a room
///
/// On all nodes. A room without members is no error.
#[utoipa::path(
    post, path = "/v1/rooms/{room}/messages", tag = "messages", operation_id = "sendToRoom", request_body = Broadcast,
    params(("room" = Name, Path, description = "The room's id."), InNamespace, IdempotencyKey),
    responses((status = 202, description = "The event is sent.", headers(("Idempotency-Replayed" = String, description = "`true` if a request with the same key was answered before."))))
)]
pub(crate) async fn to_room(
    State(api): State<Api>,
    Id(room): Id<RoomId>,
    Params(query): Params<InNamespace>,
    JsonBody(sent): JsonBody<Broadcast>,
) -> Result<StatusCode, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    let payload = payload(&api, sent.data.as_deref(), &sent.arguments)?;
    match sent.except {
        None => service.broadcast_to_room(room, &sent.event, payload).await?,
        Some(client) => service.broadcast_to_room_except(client.as_str(), room, &sent.event, payload).await?,
    }
    Ok(StatusCode::ACCEPTED)
}

/// Sends an event to one client
///
/// The client may be connected to any node.
#[utoipa::path(
    post, path = "/v1/clients/{client}/messages", tag = "messages", operation_id = "sendToClient", request_body = Message,
    params(("client" = Name, Path, description = "The client's id."), InNamespace, IdempotencyKey),
    responses(
        (status = 202, description = "The event is sent.", headers(("Idempotency-Replayed" = String, description = "`true` if a request with the same key was answered before."))),
        (status = 404, description = "The client is not connected."),
    )
)]
pub(crate) async fn to_client(
    State(api): State<Api>,
    Id(client): Id<ClientId>,
    Params(query): Params<InNamespace>,
    JsonBody(sent): JsonBody<Message>,
) -> Result<StatusCode, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    let payload = payload(&api, sent.data.as_deref(), &sent.arguments)?;
    service.send_to_client(client, &sent.event, payload).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sends an event to all clients of a user
///
/// On all nodes. A user without clients is no error.
#[utoipa::path(
    post, path = "/v1/users/{user}/messages", tag = "messages", operation_id = "sendToUser", request_body = Message,
    params(("user" = Name, Path, description = "The user's id."), InNamespace, IdempotencyKey),
    responses((status = 202, description = "The event is sent.", headers(("Idempotency-Replayed" = String, description = "`true` if a request with the same key was answered before."))))
)]
pub(crate) async fn to_user(
    State(api): State<Api>,
    Id(user): Id<UserId>,
    Params(query): Params<InNamespace>,
    JsonBody(sent): JsonBody<Message>,
) -> Result<StatusCode, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    let payload = payload(&api, sent.data.as_deref(), &sent.arguments)?;
    service.send_to_user(&user, &sent.event, payload).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The arguments as they are written in the request.
///
/// # Errors
/// `INVALID_PAYLOAD` if they are nested deeper than `limits.depth`: clients may be unable to read them.
fn payload(api: &Api, data: Option<&RawValue>, further: &[Box<RawValue>]) -> Result<Payload, Error> {
    let arguments: Vec<_> =
        data.into_iter().chain(further.iter().map(|argument| &**argument)).map(RawValue::get).collect();
    let payload = Payload::from_encoded(arguments.join(",").into(), Vec::<Bytes>::new());
    payload.check_depth(api.service().config().limits.depth)?;
    Ok(payload)
}
