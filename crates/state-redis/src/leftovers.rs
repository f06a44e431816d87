//! Memberships that are over, but could not be taken out of the partition of their room yet.

use parking_lot::Mutex;
use roomwire_core::{ClientId, Incarnation, RoomKey, StateError};

use crate::{keys::Partition, members::Expulsion, state::Shared};

/// What the next heartbeats try again.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<Vec<Leftover>>);

#[derive(Debug)]
struct Leftover {
    partition: Partition,
    whose: Incarnation,
    memberships: Vec<(ClientId, RoomKey)>,
}

impl Shared {
    /// Ends memberships of a life in the partitions of their rooms; returns those that there were. What fails is
    /// tried again by the next heartbeat.
    pub(crate) async fn expel(
        &self,
        by: Option<&Incarnation>,
        whose: &Incarnation,
        memberships: Vec<(ClientId, RoomKey)>,
    ) -> Result<Vec<(ClientId, RoomKey)>, StateError> {
        let mut ended = Vec::new();
        let mut problem = None;
        for (partition, memberships) in self.by_partition(memberships, |(_, room)| self.router.keys.of_room(room)) {
            let expulsion = Expulsion { by, whose, part: "expel" };
            match self.end_memberships(expulsion, partition, &memberships).await {
                Ok(were) => {
                    ended.extend(memberships.into_iter().zip(were).filter(|(_, was)| *was).map(|(entry, _)| entry));
                }
                Err(error) => {
                    self.leftovers.0.lock().push(Leftover { partition, whose: whose.clone(), memberships });
                    problem = Some(error);
                }
            }
        }
        problem.map_or(Ok(ended), Err)
    }

    /// Tries again what failed before.
    pub(crate) async fn clear_leftovers(&self) {
        let leftovers = std::mem::take(&mut *self.leftovers.0.lock());
        for leftover in leftovers {
            let expulsion = Expulsion { by: None, whose: &leftover.whose, part: "expel" };
            let outcome = self.end_memberships(expulsion, leftover.partition, &leftover.memberships).await;
            if let Err(error) = outcome {
                tracing::debug!(target: "roomwire", %error, "memberships that are over are still in Redis");
                self.leftovers.0.lock().push(leftover);
            }
        }
    }
}
