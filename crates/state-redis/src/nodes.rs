//! The list of nodes.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use roomwire_core::{Incarnation, NodeId, NodeSummary, StateError};

use crate::{reply::corrupt, router::Repeat, script, state::Shared};

impl Shared {
    /// Each partition counts what it has of each life.
    pub(crate) async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError> {
        let question = [b"nodes".to_vec()];
        let mut nodes = BTreeMap::<NodeId, (u64, u64)>::new();
        let answers = try_join_all(self.router.keys.partitions().map(|partition| {
            let question = &question;
            async move { self.run(&script::READ, partition, question, Repeat::Always).await?.next() }
        }));
        let answers: Vec<Vec<(String, u64, u64)>> = answers.await?;
        for (life, clients, memberships) in answers.into_iter().flatten() {
            let life: Incarnation = life.parse().map_err(|_| corrupt("the name of a life", &life))?;
            let all = nodes.entry(life.node().clone()).or_default();
            *all = (all.0 + clients, all.1 + memberships);
        }
        let summary = |(node, (clients, memberships))| NodeSummary { node, clients, memberships };
        Ok(nodes.into_iter().map(summary).collect())
    }
}
