//! Reading and disconnecting clients.

use axum::{Json, extract::State};
use http::StatusCode;
use roomwire_core::ClientId;

use crate::{
    api::Api,
    extract::{Id, Params},
    names::Name,
    page::{InNamespace, InPages, Listed},
    problem::Problem,
    records::Client,
};

/// Lists the clients of a namespace
///
/// The clients of the whole cluster, in pages. Clients of a lost node are listed until it is cleaned up.
#[utoipa::path(get, path = "/v1/clients", tag = "clients", operation_id = "listClients", params(InPages), responses((status = 200, description = "A page of clients.", body = Listed<Client>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(query): Params<InPages>,
) -> Result<Json<Listed<Client>>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    Ok(Json(Listed::of(service.clients(&query.page()?).await?)))
}

/// Reads one client
///
/// The client may be connected to any node.
#[utoipa::path(
    get, path = "/v1/clients/{client}", tag = "clients", operation_id = "readClient",
    params(("client" = Name, Path, description = "The client's id."), InNamespace),
    responses(
        (status = 200, description = "The client.", body = Client),
        (status = 404, description = "The client is not connected."),
    )
)]
pub(crate) async fn read(
    State(api): State<Api>,
    Id(client): Id<ClientId>,
    Params(query): Params<InNamespace>,
) -> Result<Json<Client>, Problem> {
    let service = api.in_namespace(query.namespace.as_deref())?;
    Ok(Json(service.client(client).await?.into()))
}

/// Disconnects a client
///
/// The client may be connected to any node. It does not reconnect by itself. The answer comes when the request was sent to
/// its node.
#[utoipa::path(
    delete, path = "/v1/clients/{client}", tag = "clients", operation_id = "disconnectClient",
    params(("client" = Name, Path, description = "The client's id."), InNamespace),
    responses(
        (status = 202, description = "The client is being disconnected."),
        (status = 404, description = "The client is not connected."),
    )
)]
pub(crate) async fn disconnect(
    State(api): State<Api>,
    Id(client): Id<ClientId>,
    Params(query): Params<InNamespace>,
) -> Result<StatusCode, Problem> {
    api.in_namespace(query.namespace.as_deref())?.disconnect_client(client).await?;
    Ok(StatusCode::ACCEPTED)
}
