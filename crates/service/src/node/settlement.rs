//! What the store and the other nodes still have to be told: what happened while they were away.

use std::collections::{HashSet, VecDeque};

use parking_lot::Mutex;
use roomwire_core::{ClientKey, Printable, RoomKey, RoomUid, StateError};

use super::Node;

/// After how many failures in a row the rest waits for the next heartbeat.
const GIVE_UP: usize = 3;

/// An end of a membership, of a client or of a room that is not known everywhere yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Debt {
    /// The client left the room.
    Leave(ClientKey, RoomKey),
    /// The client is gone.
    Disconnect(ClientKey),
    /// This life of the room was deleted, which the other nodes do not know.
    Deletion(RoomKey, RoomUid),
}

/// The debts of this node.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    debts: Mutex<Debts>,
    /// Held by who pays.
    paying: tokio::sync::Mutex<()>,
}

/// Oldest first, each once: a client that tries the same again and again during an outage owes no more for it.
#[derive(Debug, Default)]
struct Debts {
    order: VecDeque<Debt>,
    known: HashSet<Debt>,
}

impl Debts {
    fn add(&mut self, debt: Debt) {
        if self.known.insert(debt.clone()) {
            self.order.push_back(debt);
        }
    }

    fn take_first(&mut self) -> Option<Debt> {
        let debt = self.order.pop_front()?;
        self.known.remove(&debt);
        Some(debt)
    }
}

impl Node {
    /// Notes what could not be written; the lease's heartbeat tries again until it is.
    pub(crate) fn owe(&self, debt: Debt) {
        self.settlement.debts.lock().add(debt);
    }

    /// Pays what is owed by now, until the store refuses to answer.
    pub(crate) async fn settle(&self) {
        let _paying = self.settlement.paying.lock().await;
        let owed = self.settlement.debts.lock().order.len();
        let mut failures = 0;
        for _ in 0..owed {
            // It stays the first until it is paid, also when this future is dropped.
            let Some(debt) = self.settlement.debts.lock().order.front().cloned() else { return };
            match self.pay(&debt).await {
                Ok(paid) => {
                    failures = 0;
                    let mut debts = self.settlement.debts.lock();
                    if let Some(debt) = debts.take_first()
                        && !paid
                    {
                        debts.add(debt);
                    }
                }
                Err(error) => {
                    tracing::debug!(target: "roomwire", error = %Printable(&error), "state is still behind");
                    // Perhaps only a part of the store is away, which keeps the others from nothing.
                    let mut debts = self.settlement.debts.lock();
                    if let Some(debt) = debts.take_first() {
                        debts.add(debt);
                    }
                    failures += 1;
                    if failures == GIVE_UP {
                        return;
                    }
                }
            }
        }
    }

    /// Tells the store, unless the client has come back since; false when that cannot be said right now.
    async fn pay(&self, debt: &Debt) -> Result<bool, StateError> {
        let key = match debt {
            Debt::Leave(key, _) | Debt::Disconnect(key) => key,
            // The store may answer all the same: what it is owed does not wait for this.
            Debt::Deletion(room, uid) => return Ok(self.announce_deletion(room, *uid).await.is_ok()),
        };
        let namespace = self.namespace(&key.namespace);
        let client = namespace.client(&key.client);
        let told = match (debt, &client) {
            (Debt::Leave(key, room), Some(client)) => {
                // Without waiting: a join that waits for the store must not keep the heartbeat from its work.
                let Some(_membership) = client.try_change_membership() else { return Ok(false) };
                if client.is_in(&room.room) {
                    return Ok(true);
                }
                self.pay_leave(key, room).await
            }
            (Debt::Leave(key, room), None) => self.pay_leave(key, room).await,
            (Debt::Disconnect(_), Some(_)) | (Debt::Deletion(..), _) => Ok(()),
            (Debt::Disconnect(key), None) => {
                // Who comes with the same id just now is not meant.
                let Some(_claim) = namespace.presences.claim(&key.client) else { return Ok(false) };
                self.pay_disconnect(key).await
            }
        };
        match told {
            // Under a new life the store never knew of the membership: nothing is owed any more.
            Ok(()) | Err(StateError::Fenced) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn pay_leave(&self, key: &ClientKey, room: &RoomKey) -> Result<(), StateError> {
        let life = self.life.hold().await;
        self.bounded(self.store.leave(&life, key, room)).await.map(drop)
    }

    async fn pay_disconnect(&self, key: &ClientKey) -> Result<(), StateError> {
        let life = self.life.hold().await;
        self.bounded(self.store.disconnect(&life, key)).await.map(drop)
    }
}
