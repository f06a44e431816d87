//! The nodes of the cluster.

use axum::{Json, extract::State};
use http::StatusCode;
use roomwire_core::NodeId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{api::Api, extract::Id, names::Name, problem::Problem, records::Node, status};

/// All nodes of the cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Nodes {
    items: Vec<Node>,
}

/// Lists the nodes of the cluster
///
/// The nodes as the shared state knows them. A lost node is listed until it is cleaned up.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", operation_id = "listNodes", responses((status = 200, description = "The nodes, by their ids.", body = Nodes)))]
pub(crate) async fn list(State(api): State<Api>) -> Result<Json<Nodes>, Problem> {
    let mut items: Vec<_> = api.service().nodes().await?.into_iter().map(Node::from).collect();
    items.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(Json(Nodes { items }))
}

/// Drains a node
///
/// Its clients move to other nodes at the pace of `drain.spread`, and it leaves the cluster. Its process stays until it is
/// stopped. The answer comes when the request was sent; the node is no longer listed when it has drained. The last node of
/// the cluster is not drained: its clients would find no other.
#[utoipa::path(
    post, path = "/v1/nodes/{node}/drain", tag = "nodes", operation_id = "drainNode",
    params(("node" = Name, Path, description = "The node's id.")),
    responses(
        (status = 202, description = "The node is asked to drain."),
        (status = 404, description = "The node is not in the cluster."),
        (status = 409, description = "No other node is in the cluster: nothing could take its clients."),
    )
)]
pub(crate) async fn drain(State(api): State<Api>, Id(node): Id<NodeId>) -> Result<StatusCode, Problem> {
    // The listener closes and the process stays: without another node, every client would be refused until an operator acts.
    if api.service().nodes().await?.iter().all(|listed| listed.node == node) {
        let problem = "no other node could take its clients; stop the process (SIGTERM) instead";
        return Err(Problem::own(status::LAST_NODE, problem));
    }
    api.service().drain_node(&node).await?;
    Ok(StatusCode::ACCEPTED)
}
