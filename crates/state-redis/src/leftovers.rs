//! Memberships that are over, and may not have been taken out of every partition yet.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use roomwire_core::{ClientId, Incarnation, RoomKey, StateError};

use crate::{keys::Partition, members::Expulsion, state::Shared};

/// What the heartbeats try again until it is done. It is noted before it is tried for the first time, so that nothing is
/// forgotten when whoever asked for it stops waiting.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    noted: Mutex<BTreeMap<u64, Arc<Leftover>>>,
    /// Set while they are tried again.
    is_clearing: AtomicBool,
}

/// Memberships of one life whose part lies in one partition.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) partition: Partition,
    pub(crate) whose: Incarnation,
    pub(crate) part: &'static str,
    pub(crate) memberships: Vec<(ClientId, RoomKey)>,
    /// Set while somebody tries: a second one would take the answer that the first one waits for.
    is_tried: AtomicBool,
}

impl Leftover {
    pub(crate) fn new(
        partition: Partition,
        whose: Incarnation,
        part: &'static str,
        memberships: Vec<(ClientId, RoomKey)>,
    ) -> Self {
        Self { partition, whose, part, memberships, is_tried: AtomicBool::new(false) }
    }
}

/// Gives a leftover free again, also when its future is dropped.
struct Trial<'a>(&'a Leftover);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.0.is_tried.store(false, Ordering::Release);
    }
}

impl Shared {
    /// Ends memberships of a life in the partitions of their rooms, in all at the same time; returns those that there
    /// were.
    pub(crate) async fn expel(
        &self,
        by: Option<&Incarnation>,
        whose: &Incarnation,
        memberships: Vec<(ClientId, RoomKey)>,
    ) -> Result<Vec<(ClientId, RoomKey)>, StateError> {
        let groups = self.by_partition(memberships, |(_, room)| self.router.keys.of_room(room));
        let noted = self.note_leftovers(
            groups.into_iter().map(|(partition, group)| Leftover::new(partition, whose.clone(), "expel", group)),
        );
        let mut ended = Vec::new();
        for (tried, (_, leftover)) in join_all(noted.iter().map(|noted| self.clear(by, noted))).await.iter().zip(&noted)
        {
            match tried {
                Some(Ok(were)) => {
                    let entries = leftover.memberships.iter().zip(were);
                    ended.extend(entries.filter(|(_, was)| **was).map(|(entry, _)| entry.clone()));
                }
                Some(Err(error)) => return Err(StateError::unavailable(error.to_string())),
                None => {}
            }
        }
        Ok(ended)
    }

    /// Notes what is to be done.
    pub(crate) fn note_leftovers(&self, new: impl Iterator<Item = Leftover>) -> Vec<(u64, Arc<Leftover>)> {
        let mut all = self.leftovers.noted.lock();
        let mut noted = Vec::new();
        for leftover in new {
            let id = all.last_key_value().map_or(0, |(last, _)| last + 1);
            let leftover = Arc::new(leftover);
            all.insert(id, leftover.clone());
            noted.push((id, leftover));
        }
        noted
    }

    /// Tries one; nothing when somebody else is at it.
    pub(crate) async fn clear(
        &self,
        by: Option<&Incarnation>,
        (id, leftover): &(u64, Arc<Leftover>),
    ) -> Option<Result<Vec<bool>, StateError>> {
        if leftover.is_tried.swap(true, Ordering::AcqRel) {
            return None;
        }
        let _trial = Trial(leftover);
        let expulsion = Expulsion { by, whose: &leftover.whose, part: leftover.part };
        let ended = self.end_memberships(expulsion, leftover.partition, &leftover.memberships).await;
        if ended.is_ok() {
            self.leftovers.noted.lock().remove(id);
        }
        Some(ended)
    }

    /// Tries all of them again, in the background.
    pub(crate) fn clear_leftovers(self: &Arc<Self>) {
        let noted: Vec<_> = self.leftovers.noted.lock().iter().map(|(id, noted)| (*id, noted.clone())).collect();
        if noted.is_empty() || self.leftovers.is_clearing.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = self.clone();
        tokio::spawn(async move {
            join_all(noted.iter().map(|noted| shared.clear(None, noted))).await;
            shared.leftovers.is_clearing.store(false, Ordering::Release);
        });
    }
}
