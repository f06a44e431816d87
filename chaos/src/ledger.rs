//! Every event that any node reported.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::control::Happening;

/// What one node reported.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The node's name.
    pub node: String,
    /// What happened.
    pub what: Happening,
    /// When this process read of it.
    pub at: Instant,
}

/// The events of all nodes, in the order in which this process read them: that of one node, and about that of all.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: Mutex<Vec<Entry>>,
    more: Notify,
}

/// A membership: room and client.
pub(crate) type Membership = (String, String);

impl Ledger {
    pub(crate) fn add(&self, node: &str, what: Happening) {
        self.0.entries.lock().push(Entry { node: node.to_owned(), what, at: Instant::now() });
        self.0.more.notify_waiters();
    }

    /// How many entries there are: where those begin that come from now on.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.lock().len()
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries from a number on.
    #[must_use]
    pub fn since(&self, from: usize) -> Vec<Entry> {
        self.0.entries.lock().get(from..).map(<[Entry]>::to_vec).unwrap_or_default()
    }

    /// What is wrong with the events from a number on, if memberships were `before` then and are `now` in the end.
    ///
    /// Every `Joined` has one `Left` unless it still holds, no `Left` comes without a `Joined`, nothing twice, and no
    /// node missed an event.
    #[must_use]
    pub fn faults(&self, from: usize, before: &BTreeSet<Membership>, now: &BTreeSet<Membership>) -> Vec<String> {
        let mut balance: BTreeMap<Membership, i64> = BTreeMap::new();
        let mut faults = Vec::new();
        for Entry { node, what, .. } in self.since(from) {
            match what {
                Happening::Joined { room, client } => *balance.entry((room, client)).or_default() += 1,
                Happening::Left { room, client, .. } => *balance.entry((room, client)).or_default() -= 1,
                Happening::Missed { events } => faults.push(format!("{events} events of {node} were not seen")),
                _ => {}
            }
        }
        let all: BTreeSet<&Membership> = before.union(now).chain(balance.keys()).collect();
        for membership in all {
            let due = i64::from(now.contains(membership)) - i64::from(before.contains(membership));
            let is = balance.get(membership).copied().unwrap_or_default();
            if is != due {
                let (room, client) = membership;
                faults.push(format!(
                    "{client} in {room}: joins less leaves are {is} instead of {due}: {}",
                    self.story(from, room, client)
                ));
            }
        }
        faults
    }

    /// What did not begin as often as it ended, from a number on: `Joined` and `Left` of each membership, `Connected`
    /// and `Disconnected` of each client.
    #[must_use]
    pub fn unpaired(&self, from: usize) -> Vec<String> {
        let mut balance: BTreeMap<(Option<String>, String), i64> = BTreeMap::new();
        for Entry { what, .. } in self.since(from) {
            let (room, client, change) = match what {
                Happening::Joined { room, client } => (Some(room), client, 1),
                Happening::Left { room, client, .. } => (Some(room), client, -1),
                Happening::Connected { client } => (None, client, 1),
                Happening::Disconnected { client, .. } => (None, client, -1),
                _ => continue,
            };
            *balance.entry((room, client)).or_default() += change;
        }
        let uneven = balance.into_iter().filter(|(_, balance)| *balance != 0);
        uneven.map(|((_, client), _)| client).map(|client| self.story_of(from, &client)).collect()
    }

    fn story_of(&self, from: usize, client: &str) -> String {
        let about = |entry: &Entry| match &entry.what {
            Happening::Joined { client: of, .. }
            | Happening::Left { client: of, .. }
            | Happening::Connected { client: of }
            | Happening::Disconnected { client: of, .. } => of == client,
            _ => false,
        };
        let entries = self.since(from).into_iter().filter(about);
        entries.map(|Entry { node, what, .. }| format!("{node}: {what:?}")).collect::<Vec<_>>().join("; ")
    }

    /// The `Left` events from a number on, by membership, with their reasons.
    #[must_use]
    pub fn left_since(&self, from: usize) -> BTreeMap<Membership, Vec<String>> {
        let mut left: BTreeMap<Membership, Vec<String>> = BTreeMap::new();
        for entry in self.since(from) {
            if let Happening::Left { room, client, reason } = entry.what {
                left.entry((room, client)).or_default().push(reason);
            }
        }
        left
    }

    /// The `Joined` events from a number on, and how often each came.
    #[must_use]
    pub fn joined_since(&self, from: usize) -> BTreeMap<Membership, usize> {
        let mut joined: BTreeMap<Membership, usize> = BTreeMap::new();
        for entry in self.since(from) {
            if let Happening::Joined { room, client } = entry.what {
                *joined.entry((room, client)).or_default() += 1;
            }
        }
        joined
    }

    /// How many gaps nodes reported from a number on, by node.
    #[must_use]
    pub fn gaps_since(&self, from: usize) -> BTreeMap<String, usize> {
        let mut gaps: BTreeMap<String, usize> = BTreeMap::new();
        for entry in self.since(from) {
            if entry.what == Happening::Gap {
                *gaps.entry(entry.node).or_default() += 1;
            }
        }
        gaps
    }

    /// Waits until the entries from a number on are as they should be. `are` runs under the lock of the ledger, so it
    /// judges by what it is given.
    ///
    /// # Panics
    /// When that does not come within this time.
    pub async fn until(&self, what: &str, from: usize, within: Duration, are: impl Fn(&[Entry]) -> bool) -> Instant {
        let deadline = Instant::now() + within;
        loop {
            let more = self.0.more.notified();
            if are(self.0.entries.lock().get(from..).unwrap_or_default()) {
                return Instant::now();
            }
            let waited = tokio::time::timeout_at(deadline, more).await;
            assert!(waited.is_ok() || are(&self.since(from)), "{what}: not within {within:?}");
        }
    }

    fn story(&self, from: usize, of_room: &str, of_client: &str) -> String {
        let mut story = Vec::new();
        for Entry { node, what, .. } in self.since(from) {
            match what {
                Happening::Joined { room, client } if room == of_room && client == of_client => {
                    story.push(format!("joined ({node})"));
                }
                Happening::Left { room, client, reason } if room == of_room && client == of_client => {
                    story.push(format!("left, {reason} ({node})"));
                }
                _ => {}
            }
        }
        if story.is_empty() { "nothing was reported".to_owned() } else { story.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(client: &str) -> Happening {
        Happening::Joined { room: "r".to_owned(), client: client.to_owned() }
    }

    fn left(client: &str) -> Happening {
        Happening::Left { room: "r".to_owned(), client: client.to_owned(), reason: "left".to_owned() }
    }

    fn members(clients: &[&str]) -> BTreeSet<Membership> {
        clients.iter().map(|client| ("r".to_owned(), (*client).to_owned())).collect()
    }

    #[test]
    fn what_began_and_ended_equally_often_is_paired() {
        let ledger = Ledger::default();
        let connected = |client: &str| Happening::Connected { client: client.to_owned() };
        for what in [connected("a"), joined("a"), left("a"), joined("a"), left("a"), joined("b"), left("c")] {
            ledger.add("n", what);
        }
        let unpaired = ledger.unpaired(0);
        assert_eq!(unpaired.len(), 3, "a did not disconnect, b did not leave, c did not join: {unpaired:?}");
        assert!(ledger.unpaired(1)[0].starts_with("n: Joined"), "b");
    }

    #[test]
    fn what_was_reported_twice_or_not_at_all_is_found() {
        let ledger = Ledger::default();
        for what in [joined("a"), joined("b"), left("b"), joined("c"), left("c"), left("c"), left("x")] {
            ledger.add("n", what);
        }
        let faults = ledger.faults(0, &members(&["x", "y"]), &members(&["a", "z"]));
        let about: Vec<&str> = faults.iter().map(|fault| &fault[..1]).collect();
        assert_eq!(about, ["c", "y", "z"], "{faults:?}");
    }
}
