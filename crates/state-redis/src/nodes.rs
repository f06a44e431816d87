//! The list of nodes.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use roomwire_core::{Incarnation, NodeId, NodeSummary, StateError};

use crate::{router::Repeat, script, state::Shared};

impl Shared {
    /// Each partition counts its entries of each incarnation.
    pub(crate) async fn nodes(&self) -> Result<Vec<NodeSummary>, StateError> {
        let question = [b"nodes".to_vec()];
        let mut nodes = BTreeMap::<NodeId, (u64, u64)>::new();
        let answers = try_join_all(self.router.keys.partitions().map(|partition| {
            let question = &question;
            async move { self.run(&script::READ, partition, question, Repeat::Always).await?.next() }
        }));
        let answers: Vec<Vec<(Vec<u8>, u64, u64)>> = answers.await?;
        for (incarnation, clients, memberships) in answers.into_iter().flatten() {
            // The next repair removes entries that are no incarnation.
            let incarnation =
                String::from_utf8(incarnation).ok().and_then(|incarnation| incarnation.parse::<Incarnation>().ok());
            let Some(incarnation) = incarnation else { continue };
            let all = nodes.entry(incarnation.node().clone()).or_default();
            *all = (all.0 + clients, all.1 + memberships);
        }
        let summary = |(node, (clients, memberships))| NodeSummary { node, clients, memberships };
        Ok(nodes.into_iter().map(summary).collect())
    }
}
