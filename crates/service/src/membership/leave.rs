//! Ends the membership of a client.

use std::sync::Arc;

use roomwire_core::{Error, ErrorCode, Escaped, LeaveReason, RoomId};
use tokio::sync::oneshot;

use crate::{
    local::{Client, NamespaceState, take_out},
    metrics::Timer,
    node::Node,
};

impl Node {
    /// Stops the delivery first, then updates the store. Succeeds also while the store is unavailable: then the store
    /// is updated, and the end is reported, when it is back. Sends to `left` as soon as the outcome is certain.
    pub(crate) async fn leave(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        room: RoomId,
        left: oneshot::Sender<Result<(), Error>>,
    ) -> Result<(), Error> {
        let _timer = Timer::start(&self.metrics.leaves);
        let turn = client.change_membership().await;
        let (membership, incarnation) = {
            let mut known = client.known();
            let Some(membership) = known.leave(&room) else { return Err(ErrorCode::NotInRoom.into()) };
            // Under the lock: a membership is marked before its incarnation is replaced.
            (membership, self.incarnation.current())
        };
        let local = take_out(&namespace, &client, &room);
        // A caller that has stopped waiting has left too.
        let _ = left.send(Ok(()));
        self.end_membership(client.key(), &membership, &incarnation, LeaveReason::Left);
        if let Err(error) = self.confirm_ends(client.key(), self.backend.deadline()).await {
            tracing::debug!(target: "roomwire", ?room, error = %Escaped(&error), "the store is told later of a leave");
        }
        drop(turn);
        if let Some(local) = local {
            namespace.exit_room(&self.backend, &local, self.backend.deadline()).await;
        }
        Ok(())
    }
}
