//! The nodes of a cluster.

use serde::{Deserialize, Serialize};

use crate::NodeId;

/// A node in a list, with the size of its entries in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSummary {
    /// The node's name.
    pub node: NodeId,
    /// The number of its clients, in all namespaces.
    pub clients: u64,
    /// The number of memberships of these clients.
    pub memberships: u64,
}
