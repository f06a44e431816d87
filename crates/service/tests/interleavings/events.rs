//! The service events of all nodes: begins and ends are paired, and in order on each node.

use std::collections::{BTreeMap, BTreeSet};

use roomwire_core::{ClientId, DisconnectReason, LeaveReason, RoomId};
use roomwire_service::ServiceEvent;

use crate::profile::Profile;

/// A client, or its membership in a room.
pub(crate) type Subject = (ClientId, Option<RoomId>);

/// The state of clients and memberships according to the events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The number of begins minus the number of ends, over all nodes.
    open: BTreeMap<Subject, i64>,
    /// The number of ends that a clean-up or a deletion reported in this round.
    removed: BTreeMap<Subject, i64>,
    /// The latest event of each subject on each node: true for a begin.
    last: BTreeMap<(u64, Subject), bool>,
    /// The latest events of each client, for failure reports.
    history: BTreeMap<Subject, Vec<String>>,
}

impl Events {
    /// Processes events of a node.
    pub(crate) fn take(
        &mut self,
        node: u64,
        place: usize,
        events: Vec<ServiceEvent>,
        profile: &Profile,
    ) -> Result<(), String> {
        for event in events {
            self.take_one(node, place, event, profile)?;
        }
        Ok(())
    }

    fn take_one(&mut self, node: u64, place: usize, event: ServiceEvent, profile: &Profile) -> Result<(), String> {
        let text = format!("node {place} ({node}): {event:?}");
        let (subject, begins, elsewhere) = match event {
            ServiceEvent::ClientConnected { client } => ((client.client, None), true, false),
            ServiceEvent::ClientDisconnected { client, reason } => {
                ((client.client, None), false, reason == DisconnectReason::NodeLost)
            }
            ServiceEvent::Joined { room, client } => ((client, Some(room.room)), true, false),
            ServiceEvent::Left { room, client, reason } => {
                let lost = LeaveReason::Disconnected(DisconnectReason::NodeLost);
                ((client, Some(room.room)), false, [LeaveReason::RoomDeleted, lost].contains(&reason))
            }
            ServiceEvent::Missed { events } => return Err(format!("{events} events were missed")),
            ServiceEvent::StateUnavailable | ServiceEvent::StateRecovered if !profile.loses_calls() => {
                return Err(text);
            }
            ServiceEvent::BackplaneInterrupted if !profile.gaps => return Err(text),
            _ => return Ok(()),
        };
        self.note(&subject, text);
        *self.open.entry(subject.clone()).or_default() += if begins { 1 } else { -1 };
        *self.removed.entry(subject.clone()).or_default() += i64::from(elsewhere);
        if !begins && subject.1.is_none() {
            // Ends that this node has not reported by now are another node's to report.
            let of_client = self.last.iter_mut().filter(|((by, (client, _)), _)| *by == node && *client == subject.0);
            of_client.filter(|((_, (_, room)), _)| room.is_some()).for_each(|(_, last)| *last = false);
        }
        let last = self.last.entry((node, subject.clone())).or_default();
        let before = *last;
        // What another call ended may have been a membership on another node.
        *last = begins || *last && elsewhere && subject.1.is_some();
        let is_in_order = match (begins, &subject.1) {
            (true, Some(_)) => self.last.get(&(node, (subject.0.clone(), None))) == Some(&true),
            // Another node reports the end when this node has lost its lease.
            (true, None) => !before || profile.loses_leases(),
            (false, _) => before || elsewhere,
        };
        if is_in_order { Ok(()) } else { Err(format!("out of order:\n  {}", self.about(&subject.0))) }
    }

    fn note(&mut self, subject: &Subject, text: String) {
        let history = self.history.entry((subject.0.clone(), None)).or_default();
        if history.len() > 60 {
            history.drain(..30);
        }
        history.push(text);
    }

    /// The latest events of a client.
    pub(crate) fn about(&self, client: &ClientId) -> String {
        self.history.get(&(client.clone(), None)).map(|history| history.join("\n  ")).unwrap_or_default()
    }

    /// Compares the events with the clients and memberships that are present. `lost` allows so many ends without a
    /// begin, of those that a clean-up or a deletion reported. Subjects in `unknown` are not checked.
    pub(crate) fn check(
        &self,
        present: &BTreeSet<Subject>,
        lost: &BTreeMap<Subject, i64>,
        unknown: &BTreeSet<Subject>,
    ) -> Result<(), String> {
        for (subject, open) in self.open.iter().filter(|(subject, _)| !unknown.contains(subject)) {
            let expected = i64::from(present.contains(subject));
            let [lost, removed] = [lost, &self.removed].map(|counts| counts.get(subject).copied().unwrap_or_default());
            let lost = lost.min(removed);
            if !(expected - lost..=expected).contains(open) {
                let about = self.about(&subject.0);
                return Err(format!("{subject:?}: {open} begins without an end, expected {expected}\n  {about}"));
            }
        }
        let mut known = present.iter().filter(|subject| !unknown.contains(subject));
        known
            .find(|subject| !self.open.contains_key(subject))
            .map_or(Ok(()), |subject| Err(format!("nothing was reported of {subject:?}")))
    }

    /// Begins the next round with exactly these clients and memberships.
    pub(crate) fn begin_round(&mut self, present: BTreeSet<Subject>) {
        self.removed.clear();
        self.open = present.into_iter().map(|subject| (subject, 1)).collect();
    }
}
