//! The settings of this node: its configuration, and the targets whose events are shown in the log.

use axum::{Json, extract::State};
use roomwire_core::{ClientId, RoomId, UserId, config::Reload};
use roomwire_service::FollowTarget;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{api::Api, body::JsonBody, names::Name, problem::Problem, status};

/// The keys that a reload changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reloaded {
    /// The changed keys that are in force now.
    applied: Vec<&'static str>,
    /// The changed keys that keep their old values until the process starts again.
    needs_restart: Vec<&'static str>,
}

/// Whose events are shown in the log, in all namespaces: at most 64 targets. None of them shows nothing.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shown {
    /// Everything that this node receives and sends.
    all: bool,
    /// Rooms, with the events of their members.
    #[schema(value_type = Vec<Name>, max_items = 64)]
    rooms: Vec<RoomId>,
    /// Users, with all their clients.
    #[schema(value_type = Vec<Name>, max_items = 64)]
    users: Vec<UserId>,
    /// Clients.
    #[schema(value_type = Vec<Name>, max_items = 64)]
    clients: Vec<ClientId>,
}

/// Reloads the configuration of this node
///
/// The file and the variables that it was read from at start are read again. It is in force as a whole or not at all.
#[utoipa::path(
    post, path = "/v1/config/reload", tag = "settings", operation_id = "reloadConfig",
    responses(
        (status = 200, description = "The changed keys.", body = Reloaded),
        (status = 409, description = "The configuration is not valid, and stays as it is."),
    )
)]
pub(crate) async fn reload(State(api): State<Api>) -> Result<Json<Reloaded>, Problem> {
    match api.service().reload_config().await {
        Ok(Reload { applied, needs_restart }) => Ok(Json(Reloaded { applied, needs_restart })),
        Err(error) => Err(Problem::own(status::CONFIG_REFUSED, error.to_string())),
    }
}

/// Reads whose events this node shows in the log
///
/// Each node has targets of its own.
#[utoipa::path(
    get, path = "/v1/debug", tag = "settings", operation_id = "readDebug",
    responses((status = 200, description = "The targets.", body = Shown))
)]
pub(crate) async fn debug(State(api): State<Api>) -> Json<Shown> {
    Json(shown(&api))
}

/// Shows the events of these targets in the log of this node
///
/// At once, in place of the targets from before, with names and outcomes and without payloads. Each node has targets of its
/// own; a restart forgets them.
#[utoipa::path(
    put, path = "/v1/debug", tag = "settings", operation_id = "setDebug", request_body = Shown,
    responses(
        (status = 200, description = "The targets.", body = Shown),
        (status = 422, description = "There are more than 64 targets, or one is not valid."),
    )
)]
pub(crate) async fn set_debug(State(api): State<Api>, JsonBody(new): JsonBody<Shown>) -> Result<Json<Shown>, Problem> {
    let Shown { all, rooms, users, clients } = new;
    let (rooms, users) = (rooms.into_iter().map(FollowTarget::Room), users.into_iter().map(FollowTarget::User));
    let clients = clients.into_iter().map(FollowTarget::Client);
    api.service().set_debug(all.then_some(FollowTarget::All).into_iter().chain(rooms).chain(users).chain(clients))?;
    Ok(Json(shown(&api)))
}

fn shown(api: &Api) -> Shown {
    let mut shown = Shown::default();
    for target in api.service().debug() {
        match target {
            FollowTarget::All => shown.all = true,
            FollowTarget::Room(room) => shown.rooms.push(room),
            FollowTarget::User(user) => shown.users.push(user),
            FollowTarget::Client(client) => shown.clients.push(client),
        }
    }
    shown
}
