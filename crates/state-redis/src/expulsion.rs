//! Ends memberships, and completes what an earlier call could not end.

use std::sync::{Arc, atomic::Ordering};

use futures_util::future::join_all;
use roomwire_core::{ClientId, ClientKey, Incarnation, RoomKey, StateError};

use crate::{members::Expulsion, pending_cleanup::Leftover, refusal::is_about_a_foreign_key, state::Shared};

impl Shared {
    /// Ends memberships of an incarnation in the partitions of their rooms, concurrently; returns those that existed.
    pub(crate) async fn expel(
        &self,
        by: Option<&Incarnation>,
        owner: &Incarnation,
        memberships: Vec<(ClientId, RoomKey)>,
    ) -> Result<Vec<(ClientId, RoomKey)>, StateError> {
        let groups = self.by_partition(memberships, |(_, room)| self.router.keys.of_room(room));
        let noted = self.note_leftovers(
            groups.into_iter().map(|(partition, group)| Leftover::new(partition, owner.clone(), "expel", group)),
        );
        let mut ended = Vec::new();
        let tried = join_all(noted.iter().map(|noted| self.clear(by, noted))).await;
        for (tried, (_, leftover)) in tried.into_iter().zip(&noted) {
            match tried {
                Some(Ok(were)) => {
                    let entries = leftover.memberships.iter().zip(were);
                    ended.extend(entries.filter(|(_, was)| *was).map(|(entry, _)| entry.clone()));
                }
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        Ok(ended)
    }

    /// Ends the memberships of a client that an earlier call could not end; returns those that it ended.
    pub(crate) async fn expel_rest(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
    ) -> Result<Vec<(ClientId, RoomKey)>, StateError> {
        let is_meant = |leftover: &Leftover| {
            let mut memberships = leftover.memberships.iter();
            leftover.part == "expel"
                && leftover.owner == *incarnation
                && memberships.any(|(id, room)| *id == client.client && room.namespace == client.namespace)
        };
        let rest: Vec<_> = {
            let noted = self.pending_cleanup.noted.lock();
            noted.iter().filter(|(_, noted)| is_meant(noted)).map(|(id, noted)| (*id, noted.clone())).collect()
        };
        let mut ended = Vec::new();
        for (tried, (_, leftover)) in
            join_all(rest.iter().map(|noted| self.clear(Some(incarnation), noted))).await.into_iter().zip(&rest)
        {
            let Some(tried) = tried else {
                return Err(StateError::unavailable("a membership of this client is being ended already"));
            };
            let entries = leftover.memberships.iter().zip(tried?);
            ended.extend(entries.filter(|(_, was)| *was).map(|(entry, _)| entry.clone()));
        }
        Ok(ended)
    }

    /// Records the work.
    pub(crate) fn note_leftovers(&self, new: impl Iterator<Item = Leftover>) -> Vec<(u64, Arc<Leftover>)> {
        let mut all = self.pending_cleanup.noted.lock();
        let mut noted = Vec::new();
        for leftover in new {
            let id = all.last_key_value().map_or(0, |(last, _)| last + 1);
            let leftover = Arc::new(leftover);
            all.insert(id, leftover.clone());
            noted.push((id, leftover));
        }
        noted
    }

    /// Tries one. Does nothing while another task tries it.
    pub(crate) async fn clear(
        &self,
        by: Option<&Incarnation>,
        (id, leftover): &(u64, Arc<Leftover>),
    ) -> Option<Result<Vec<bool>, StateError>> {
        let mut is_done = leftover.is_done.try_lock().ok().filter(|is_done| !**is_done)?;
        Some(self.try_to_clear(by, *id, leftover, &mut is_done).await)
    }

    async fn try_to_clear(
        &self,
        by: Option<&Incarnation>,
        id: u64,
        leftover: &Leftover,
        is_done: &mut bool,
    ) -> Result<Vec<bool>, StateError> {
        let expulsion = Expulsion { by, owner: &leftover.owner, part: leftover.part };
        let ended = self.end_memberships(expulsion, leftover.partition, &leftover.memberships).await;
        // A missing permission may be granted later, so it is retried. An invalid key stays invalid.
        let is_over = match &ended {
            Ok(_) => true,
            Err(StateError::Refused(refusal)) => is_about_a_foreign_key(refusal),
            Err(_) => false,
        };
        if is_over {
            *is_done = true;
            self.pending_cleanup.noted.lock().remove(&id);
        }
        ended
    }

    /// Completes the end of a membership that is about to begin again under the same incarnation: a later cleanup would
    /// end the new one.
    pub(crate) async fn clear_before_join(
        &self,
        incarnation: &Incarnation,
        client: &ClientId,
        room: &RoomKey,
    ) -> Result<(), StateError> {
        let noted: Vec<_> = {
            let all = self.pending_cleanup.noted.lock();
            let same = all.iter().filter(|(_, noted)| noted.owner == *incarnation && noted.names(client, room));
            same.map(|(id, noted)| (*id, noted.clone())).collect()
        };
        for (id, leftover) in noted {
            let mut is_done = leftover.is_done.lock().await;
            if !*is_done {
                self.try_to_clear(None, id, &leftover, &mut is_done).await?;
            }
        }
        Ok(())
    }

    /// Retries all of them, in the background.
    pub(crate) fn clear_leftovers(self: &Arc<Self>) {
        let noted: Vec<_> = self.pending_cleanup.noted.lock().iter().map(|(id, noted)| (*id, noted.clone())).collect();
        if noted.is_empty() || self.pending_cleanup.is_clearing.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = self.clone();
        tokio::spawn(async move {
            join_all(noted.iter().map(|noted| shared.clear(None, noted))).await;
            shared.pending_cleanup.is_clearing.store(false, Ordering::Release);
        });
    }
}
