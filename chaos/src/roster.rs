//! The lists of an application that follows the events.

use std::collections::BTreeSet;

use crate::{Entry, control::Happening, ledger::Membership};

/// A list of members and one of clients, kept as docs/outage.md advises: an end of what is not listed is ignored.
#[derive(Debug, Default)]
pub struct Roster {
    /// The memberships.
    pub members: BTreeSet<Membership>,
    /// The connected clients.
    pub clients: BTreeSet<String>,
    /// The events that ended nothing that was listed.
    pub ignored: Vec<Entry>,
    /// The events that began what was listed already.
    pub repeated: Vec<Entry>,
}

impl Roster {
    /// Follows these events from the first on.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut roster = Self::default();
        for entry in entries {
            let is_listed = match &entry.what {
                Happening::Joined { room, client } => !roster.members.insert((room.clone(), client.clone())),
                Happening::Connected { client } => !roster.clients.insert(client.clone()),
                Happening::Left { room, client, .. } => roster.members.remove(&(room.clone(), client.clone())),
                Happening::Disconnected { client, .. } => roster.clients.remove(client),
                _ => continue,
            };
            let is_end = matches!(entry.what, Happening::Left { .. } | Happening::Disconnected { .. });
            match (is_end, is_listed) {
                (true, false) => roster.ignored.push(entry.clone()),
                (false, true) => roster.repeated.push(entry.clone()),
                _ => {}
            }
        }
        roster
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;

    #[test]
    fn a_second_end_is_ignored_and_changes_no_list() {
        let (client, room) = ("a".to_owned(), "r".to_owned());
        let connected = Happening::Connected { client: client.clone() };
        let joined = Happening::Joined { room: room.clone(), client: client.clone() };
        let left = Happening::Left { room, client: client.clone(), reason: "left".to_owned() };
        let gone = Happening::Disconnected { client, reason: "node lost".to_owned() };
        let ledger = Ledger::default();
        for what in [connected, joined.clone(), left.clone(), left.clone(), gone.clone(), gone.clone(), joined.clone()]
        {
            ledger.add("n", what);
        }
        let roster = Roster::of(&ledger.since(0));
        let ignored: Vec<_> = roster.ignored.into_iter().map(|entry| entry.what).collect();
        assert_eq!(ignored, [left, gone]);
        assert_eq!((roster.members.len(), roster.clients.len(), roster.repeated.len()), (1, 0, 0));

        ledger.add("n", joined.clone());
        let repeated: Vec<_> = Roster::of(&ledger.since(0)).repeated.into_iter().map(|entry| entry.what).collect();
        assert_eq!(repeated, [joined]);
    }
}
