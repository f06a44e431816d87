//! The list of nodes.

use std::collections::BTreeMap;

use roomwire_core::{NodeId, NodeSummary};

use crate::state::State;

impl State {
    pub(crate) fn nodes(&self) -> Vec<NodeSummary> {
        let mut nodes = BTreeMap::<&NodeId, (u64, u64)>::new();
        for (incarnation, clients) in self.incarnations.present() {
            let (all, memberships) = nodes.entry(incarnation.node()).or_default();
            *all += clients.len() as u64;
            for client in clients {
                let entry = self.clients.get(&client.namespace, &client.client);
                *memberships += entry.map_or(0, |entry| entry.rooms.len() as u64);
            }
        }
        let summary =
            |(node, (clients, memberships)): (&NodeId, _)| NodeSummary { node: node.clone(), clients, memberships };
        nodes.into_iter().map(summary).collect()
    }
}
