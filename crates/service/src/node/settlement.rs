//! What the store still has to be told: leaves and disconnects that happened while it was away.

use std::collections::VecDeque;

use parking_lot::Mutex;
use roomwire_core::{ClientKey, RoomKey, StateError};

use super::Node;

/// An end of a membership, or of a client, that the store does not know yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// The client left the room.
    Leave(ClientKey, RoomKey),
    /// The client is gone.
    Disconnect(ClientKey),
}

/// The debts of this node, oldest first.
#[derive(Debug, Default)]
pub(super) struct Settlement(Mutex<VecDeque<Debt>>);

impl Node {
    /// Notes what could not be written; the lease's heartbeat tries again until it is.
    pub(crate) fn owe(&self, debt: Debt) {
        self.settlement.0.lock().push_back(debt);
    }

    /// Pays what is owed, in order, until the store refuses to answer.
    pub(super) async fn settle(&self) {
        loop {
            let Some(debt) = self.settlement.0.lock().front().cloned() else { return };
            let life = self.life.hold().await;
            let paid = match &debt {
                Debt::Leave(client, room) => self.store.leave(&life, client, room).await.map(drop),
                Debt::Disconnect(client) => self.store.disconnect(&life, client).await.map(drop),
            };
            drop(life);
            match paid {
                // Under a new life the store never knew of the membership: nothing is owed any more.
                Ok(()) | Err(StateError::Fenced) => {
                    self.settlement.0.lock().pop_front();
                }
                Err(error) => {
                    tracing::debug!(target: "roomwire", %error, "state is still behind");
                    return;
                }
            }
        }
    }
}
