//! What is said about the nodes of a cluster.

use serde::{Deserialize, Serialize};

use crate::NodeId;

/// A node in a list, with what the store holds under its incarnations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSummary {
    /// The node's name.
    pub node: NodeId,
    /// How many clients are connected to it, in all namespaces.
    pub clients: u64,
    /// How many memberships these clients have in rooms, together.
    pub memberships: u64,
}
