//! The clients of a user.

use axum::{Json, extract::State};
use http::StatusCode;
use roomwire_core::UserId;

use crate::{
    api::Api,
    extract::{Id, Params},
    names::Name,
    page::{InNamespace, InPages, Listed},
    problem::Problem,
    records::Client,
};

/// Lists the clients of a user
///
/// Those in this namespace, on all nodes, in pages. A user that is not known has none.
#[utoipa::path(
    get, path = "/v1/users/{user}/clients", tag = "users", operation_id = "listClientsOfUser",
    params(("user" = Name, Path, description = "The user's id."), InPages),
    responses((status = 200, description = "A page of clients.", body = Listed<Client>))
)]
pub(crate) async fn clients(
    State(api): State<Api>,
    Id(user): Id<UserId>,
    Params(query): Params<InPages>,
) -> Result<Json<Listed<Client>>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    Ok(Json(Listed::of(service.user_sessions(&user, &query.page()?).await?)))
}

/// Disconnects all clients of a user
///
/// Those in this namespace, on all nodes. They do not reconnect by themselves. The answer comes when the request was sent to
/// all nodes. A user without clients is no error.
#[utoipa::path(
    delete, path = "/v1/users/{user}/clients", tag = "users", operation_id = "disconnectUser",
    params(("user" = Name, Path, description = "The user's id."), InNamespace),
    responses((status = 202, description = "The clients are being disconnected."))
)]
pub(crate) async fn disconnect(
    State(api): State<Api>,
    Id(user): Id<UserId>,
    Params(query): Params<InNamespace>,
) -> Result<StatusCode, Problem> {
    api.in_namespace(query.namespace.as_deref())?.disconnect_user(&user).await?;
    Ok(StatusCode::ACCEPTED)
}
