//! A node and its lives.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{NameError, NodeId};

/// One life of a node.
///
/// A node takes a new incarnation at every start and whenever its lease was lost. What an earlier one
/// wrote can so be told apart from what the node writes now, and a writer that was declared dead while
/// it was only paused is refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    node: NodeId,
    life: u64,
}

impl Incarnation {
    /// A new life of this node, different from all before.
    #[must_use]
    pub fn begin(node: NodeId) -> Self {
        Self { node, life: rand::random() }
    }

    /// The node that lives it.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }
}

impl NodeId {
    /// A name that no other node has, for a node that was given none.
    #[must_use]
    pub fn random() -> Self {
        Self::new(format!("node-{:016x}", rand::random::<u64>()))
            .unwrap_or_else(|_: NameError| unreachable!("21 plain characters are a valid name"))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.node, self.life)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
