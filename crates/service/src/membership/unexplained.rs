//! Memberships that the store did not hold any more when they were to end there.
//!
//! Either their room was deleted: then whoever deleted it reports that the client left, and this node hears of it. Or the
//! store has lost them: then nobody else knows that the client was ever there.

use std::sync::Arc;

use roomwire_core::{ClientId, LeaveReason, RoomKey};
use tokio::sync::oneshot;

use super::{LocalRoom, NamespaceState};
use crate::{ServiceEvent, client::Membership, node::Node};

/// A membership whose end is reported here unless news of a deletion come.
#[derive(Debug)]
pub(super) struct Unexplained {
    pub(super) room: RoomKey,
    pub(super) client: ClientId,
    pub(super) membership: Membership,
    pub(super) reason: LeaveReason,
    /// To be exited then: until then this node must hear the room.
    pub(super) local: Option<Arc<LocalRoom>>,
}

impl Node {
    /// Waits for the news that tell why these memberships ended, in a task of its own, and reports what nobody else
    /// does; then this event. Nobody may wait who holds a client's membership.
    pub(super) async fn explain(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceState>,
        ended: Vec<Unexplained>,
        then: Option<ServiceEvent>,
    ) {
        // Those that this node deletes itself are reported by then.
        namespace.deletions_reported().await;
        let mut in_doubt = Vec::new();
        for end in ended {
            match namespace.news_of_deletion(end.membership.uid) {
                Some(news) => in_doubt.push((end, news)),
                None => self.exit(namespace, &end).await,
            }
        }
        if in_doubt.is_empty() {
            then.into_iter().for_each(|event| self.events.send(|| event));
            return;
        }
        let (node, namespace) = (Arc::downgrade(self), namespace.clone());
        let over = tokio::time::Instant::now() + self.look_again_after();
        let stop = self.stop.clone();
        tokio::spawn(async move {
            for (end, news) in in_doubt {
                let is_deleted = tokio::select! {
                    _ = news => true,
                    () = tokio::time::sleep_until(over) => false,
                    () = stop.cancelled() => false,
                };
                let Some(node) = node.upgrade() else { return };
                namespace.no_news_of_deletion(end.membership.uid);
                // After a gap the room may have been deleted without news.
                if !is_deleted && node.heard_all_since(end.membership.gaps) {
                    let (room, client, reason) = (end.room.clone(), end.client.clone(), end.reason);
                    node.events.send(|| ServiceEvent::Left { room, client, reason });
                }
                node.exit(&namespace, &end).await;
            }
            if let (Some(node), Some(event)) = (node.upgrade(), then) {
                node.events.send(|| event);
            }
        });
    }

    async fn exit(&self, namespace: &NamespaceState, end: &Unexplained) {
        if let Some(local) = &end.local {
            namespace.exit_room(self, local, self.deadline()).await;
        }
    }
}

/// Who waits to hear that a life of a room was deleted; dropped when it is heard.
pub(super) type Awaiting = oneshot::Sender<()>;
