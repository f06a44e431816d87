//! Rooms that nobody of this node is in since a client went: they are heard a little longer, and then no more.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{Account, LocalRoom, NamespaceState};
use crate::node::Node;

/// How long they are heard: whoever comes back meanwhile, as after a reload of its page, finds them so.
const LINGER: Duration = Duration::from_secs(2);

/// The rooms that clients of one account left deserted, in the order in which they are exited.
#[derive(Debug, Default)]
pub(super) struct Exits(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    rooms: VecDeque<Exit>,
    /// Whether a task works it off.
    has_worker: bool,
}

#[derive(Debug)]
struct Exit {
    due: Instant,
    namespace: Arc<NamespaceState>,
    room: Arc<LocalRoom>,
}

impl Exits {
    /// Whether nothing is left to do.
    pub(super) fn are_done(&self) -> bool {
        !self.0.lock().has_worker
    }

    /// Adds rooms; true when a worker is to be started.
    fn add(&self, namespace: &Arc<NamespaceState>, rooms: impl Iterator<Item = Arc<LocalRoom>>) -> bool {
        let due = Instant::now() + LINGER;
        let mut queue = self.0.lock();
        queue.rooms.extend(rooms.map(|room| Exit { due, namespace: namespace.clone(), room }));
        !queue.rooms.is_empty() && !std::mem::replace(&mut queue.has_worker, true)
    }

    /// The next room; the worker ends when there is none.
    fn next(&self) -> Option<Exit> {
        let mut queue = self.0.lock();
        let next = queue.rooms.pop_front();
        if next.is_none() {
            *queue = Queue::default();
        }
        next
    }
}

impl Node {
    /// One user less of each of these rooms, whose client has gone. Those that other clients of this node are in cost
    /// nothing; the others linger, and are exited in turn with what the client changes when it comes back. A node that
    /// stops exits all at once.
    pub(super) async fn exit_rooms(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceState>,
        account: &Arc<Account>,
        rooms: Vec<Arc<LocalRoom>>,
    ) {
        let lingers = |room: &Arc<LocalRoom>| !self.is_shutting_down() && room.is_deserted();
        let (lingering, over): (Vec<_>, Vec<_>) = rooms.into_iter().partition(lingers);
        let until = self.deadline();
        for room in over {
            namespace.exit_room(self, &room, until).await;
        }
        if account.exits.add(namespace, lingering.into_iter()) {
            self.runtime.spawn(work_off(self.clone(), account.clone()));
        }
    }
}

async fn work_off(node: Arc<Node>, account: Arc<Account>) {
    while let Some(Exit { due, namespace, room }) = account.exits.next() {
        let its_time = async {
            sleep_until(due).await;
            if room.is_deserted() {
                node.pace.wait_for_turn(&account.allowance).await;
            }
        };
        let _stopped = node.stop.run_until_cancelled(its_time).await;
        namespace.exit_room(&node, &room, node.deadline()).await;
    }
}
