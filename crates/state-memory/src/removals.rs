//! Memberships and clients that a cleanup or a deletion removed, for the nodes that have not noticed yet.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    time::Duration,
};

use roomwire_core::{
    ClientId, ClientKey, DeletedRoom, DeletionId, Incarnation, RemovedByOthers, RoomId, RoomKey, RoomUid, Timestamp,
};

const AFTER_A_CLEAN_UP: Duration = Duration::from_secs(24 * 3600);
const AFTER_A_DELETION: Duration = Duration::from_secs(600);

/// All of them.
#[derive(Debug)]
pub(crate) struct Removals {
    /// Incarnation, client and room; no room for the client itself.
    reaped: Remembered<(Incarnation, ClientKey, Option<RoomId>)>,
    /// Incarnation, client and deleted room.
    deleted: Remembered<(Incarnation, ClientId, RoomUid)>,
    /// Also those without members.
    deleted_rooms: Remembered<RoomUid>,
    /// The answers to deletions, also of those that were cancelled.
    answers: HashMap<DeletionId, Option<DeletedRoom>>,
    answered: Remembered<DeletionId>,
}

impl Default for Removals {
    fn default() -> Self {
        Self {
            reaped: Remembered::lasting(AFTER_A_CLEAN_UP),
            deleted: Remembered::lasting(AFTER_A_DELETION),
            deleted_rooms: Remembered::lasting(AFTER_A_DELETION),
            answers: HashMap::new(),
            answered: Remembered::lasting(AFTER_A_DELETION),
        }
    }
}

impl Removals {
    pub(crate) fn note_reaped(
        &mut self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: Option<&RoomId>,
        now: Timestamp,
    ) {
        self.reaped.add((incarnation.clone(), client.clone(), room.cloned()), now);
    }

    pub(crate) fn note_deleted(&mut self, incarnation: &Incarnation, client: &ClientId, uid: RoomUid, now: Timestamp) {
        self.deleted.add((incarnation.clone(), client.clone(), uid), now);
    }

    pub(crate) fn note_deleted_room(&mut self, uid: RoomUid, now: Timestamp) {
        self.deleted_rooms.add(uid, now);
    }

    /// The recorded answer of a deletion.
    pub(crate) fn answer(&self, deletion: DeletionId) -> Option<Option<DeletedRoom>> {
        self.answers.get(&deletion).cloned()
    }

    pub(crate) fn note_answer(&mut self, deletion: DeletionId, answer: Option<DeletedRoom>, now: Timestamp) {
        self.answered.add(deletion, now);
        self.answers.insert(deletion, answer);
        let known = &self.answered.known;
        self.answers.retain(|deletion, _| known.contains(deletion));
    }

    /// The recorded answer of a deletion. Records `None` if there is none.
    pub(crate) fn resolve(&mut self, deletion: DeletionId, now: Timestamp) -> Option<DeletedRoom> {
        self.answer(deletion).unwrap_or_else(|| {
            self.note_answer(deletion, None, now);
            None
        })
    }

    /// Whether this incarnation of a room was deleted.
    pub(crate) fn is_deleted(&self, uid: RoomUid) -> bool {
        self.deleted_rooms.known.contains(&uid)
    }

    pub(crate) fn of(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> RemovedByOthers {
        let is_removed = |(room, uid): &&(RoomKey, RoomUid)| {
            self.reaped.known.contains(&(incarnation.clone(), client.clone(), Some(room.room.clone())))
                || self.deleted.known.contains(&(incarnation.clone(), client.client.clone(), *uid))
        };
        RemovedByOthers {
            client: self.reaped.known.contains(&(incarnation.clone(), client.clone(), None)),
            rooms: rooms.iter().filter(is_removed).map(|(room, _)| room.clone()).collect(),
        }
    }
}

/// Items with an expiry, oldest first.
#[derive(Debug)]
struct Remembered<T> {
    lasts: Duration,
    order: VecDeque<(Timestamp, T)>,
    known: HashSet<T>,
}

impl<T: Clone + Eq + Hash> Remembered<T> {
    fn lasting(lasts: Duration) -> Self {
        Self { lasts, order: VecDeque::new(), known: HashSet::new() }
    }

    fn add(&mut self, item: T, now: Timestamp) {
        while self.order.front().is_some_and(|(since, _)| since.plus(self.lasts) <= now) {
            if let Some((_, oldest)) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        if self.known.insert(item.clone()) {
            self.order.push_back((now, item));
        }
    }
}

#[cfg(test)]
mod tests {
    use roomwire_core::Timestamp;

    use super::{Duration, Remembered};

    #[test]
    fn an_item_is_forgotten_when_its_time_is_over_and_not_before() {
        let mut remembered = Remembered::lasting(Duration::from_secs(10));
        let start = Timestamp::from_millis(1000);
        remembered.add("a", start);
        remembered.add("b", start.plus(Duration::from_secs(9)));
        assert!(remembered.known.contains("a"));
        remembered.add("c", start.plus(Duration::from_secs(10)));
        assert!(!remembered.known.contains("a") && remembered.known.contains("b"));
        assert_eq!(remembered.order.len(), 2);
    }
}
