//! Deletions of rooms by this node, until it has reported the end of all memberships.
//!
//! The end of a membership is reported before the client's next `Joined` in a room of the same name. If a client joins
//! again before the deletion has reported its end, the join reports it.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use roomwire_core::{ClientId, RoomId, RoomUid};
use tokio::sync::Notify;

/// The deletions of a namespace.
#[derive(Debug, Default)]
pub(crate) struct OwnDeletions {
    state: Mutex<State>,
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The number of deletions of each room with a pending store call.
    waiting: HashMap<RoomId, usize>,
    /// The deleted rooms, until the end of each membership is reported.
    unreported: HashMap<RoomUid, Unreported>,
}

#[derive(Debug)]
struct Unreported {
    room: RoomId,
    members: HashSet<ClientId>,
}

/// A deletion with a pending store call. Dropping it ends the wait.
#[derive(Debug)]
pub(crate) struct WaitingDeletion {
    room: RoomId,
    deletions: Arc<OwnDeletions>,
    is_over: AtomicBool,
}

impl OwnDeletions {
    /// Call it before the store call.
    pub(crate) fn begin(self: &Arc<Self>, room: &RoomId) -> WaitingDeletion {
        *self.state.lock().waiting.entry(room.clone()).or_default() += 1;
        WaitingDeletion { room: room.clone(), deletions: self.clone(), is_over: AtomicBool::new(false) }
    }

    /// Waits until no deletion of this room has a pending store call.
    pub(super) async fn none_waits(&self, room: &RoomId) {
        loop {
            let answered = self.answered.notified();
            if !self.state.lock().waiting.contains_key(room) {
                return;
            }
            answered.await;
        }
    }

    /// Reports that a client left a deleted room, unless that was reported before, or another node deleted the room.
    /// When this returns, the report exists, whichever caller made it.
    pub(crate) fn report_once(&self, uid: RoomUid, client: &ClientId, report: impl FnOnce()) {
        let mut state = self.state.lock();
        let Some(deleted) = state.unreported.get_mut(&uid) else { return };
        if deleted.members.remove(client) {
            report();
        }
        if deleted.members.is_empty() {
            state.unreported.remove(&uid);
        }
    }

    /// Like [`Self::report_once`], for all deleted incarnations of a room except this one.
    pub(super) fn report_all_once(&self, room: &RoomId, but: RoomUid, client: &ClientId, report: impl Fn()) {
        self.state.lock().unreported.retain(|uid, deleted| {
            if *uid != but && deleted.room == *room && deleted.members.remove(client) {
                report();
            }
            !deleted.members.is_empty()
        });
    }
}

impl WaitingDeletion {
    /// Records that the store has deleted this incarnation of the room, with these members, and ends the wait.
    /// Idempotent.
    pub(crate) fn answered(&self, uid: RoomUid, members: impl IntoIterator<Item = ClientId>) {
        let members = HashSet::from_iter(members);
        if !members.is_empty() && !self.is_over.load(Ordering::Acquire) {
            let room = self.room.clone();
            self.deletions.state.lock().unreported.insert(uid, Unreported { room, members });
        }
        self.end();
    }

    fn end(&self) {
        if self.is_over.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.deletions.state.lock();
        if let Some(count) = state.waiting.get_mut(&self.room) {
            *count -= 1;
            if *count == 0 {
                state.waiting.remove(&self.room);
            }
        }
        drop(state);
        self.deletions.answered.notify_waiters();
    }
}

impl Drop for WaitingDeletion {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc};

    use futures_util::poll;
    use roomwire_core::{ClientId, RoomId, RoomUid};

    use super::OwnDeletions;

    #[tokio::test]
    async fn a_caller_waits_for_the_answers_of_a_room_and_one_caller_reports_each_end() {
        let deletions = Arc::new(OwnDeletions::default());
        let [hall, other] = ["hall", "other"].map(|name| RoomId::new(name).expect("valid"));
        let ada = ClientId::new("ada").expect("valid");
        let (first, second) = (deletions.begin(&hall), deletions.begin(&hall));
        deletions.none_waits(&other).await;
        let waiting = deletions.none_waits(&hall);
        tokio::pin!(waiting);
        assert!(poll!(&mut waiting).is_pending());
        let uid = RoomUid::random();
        first.answered(uid, [ada.clone()]);
        assert!(poll!(&mut waiting).is_pending(), "the second may be the one that deleted the room");
        drop(second);
        waiting.await;
        let reports = Cell::new(0);
        let report = |uid| {
            deletions.report_once(uid, &ada, || reports.set(reports.get() + 1));
            reports.get()
        };
        assert_eq!((report(RoomUid::random()), report(uid), report(uid)), (0, 1, 1));
        let state = deletions.state.lock();
        assert!(state.waiting.is_empty() && state.unreported.is_empty(), "{state:?}");
    }
}
