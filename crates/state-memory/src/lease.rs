//! The leases of lives, and which clients each life registered.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::Bound,
    time::Duration,
};

use roomwire_core::{ClientKey, Incarnation, LeaseStatus, StateError, Timestamp};

/// All lives that ever began here. Those that are over stay, as some hundred bytes each: a life that was
/// fenced must never begin again.
#[derive(Debug, Default)]
pub(crate) struct Lives(BTreeMap<Incarnation, Life>);

#[derive(Debug)]
struct Life {
    /// Until when the lease lasts; none when it ended or the life was fenced.
    until: Option<Timestamp>,
    /// What is left of it, or will be to clean up.
    clients: BTreeSet<ClientKey>,
}

impl Life {
    /// Whether somebody should clean up after it.
    fn is_lost(&self, now: Timestamp) -> bool {
        match self.until {
            Some(until) => until <= now,
            None => !self.clients.is_empty(),
        }
    }
}

impl Lives {
    pub(crate) fn begin(&mut self, life: &Incarnation, now: Timestamp, lasts: Duration) -> Result<(), StateError> {
        let until = now.plus(lasts);
        match self.0.entry(life.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Life { until: Some(until), clients: BTreeSet::new() });
            }
            Entry::Occupied(known) => *known.into_mut().until.as_mut().ok_or(StateError::Fenced)? = until,
        }
        Ok(())
    }

    pub(crate) fn renew(
        &mut self,
        life: &Incarnation,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<LeaseStatus, StateError> {
        let until = self.0.get_mut(life).and_then(|held| held.until.as_mut()).ok_or(StateError::Fenced)?;
        *until = now.plus(lasts);
        let lost = self.0.iter().filter(|(other, held)| *other != life && held.is_lost(now));
        // Memory never comes back with older data.
        Ok(LeaseStatus { expired: lost.map(|(other, _)| other.clone()).collect(), behind: false })
    }

    pub(crate) fn end(&mut self, life: &Incarnation) {
        if let Some(held) = self.0.get_mut(life) {
            held.until = None;
        }
    }

    /// Refuses a writer that holds no lease. One that ran out is held until somebody reaps it.
    pub(crate) fn check(&self, life: &Incarnation) -> Result<(), StateError> {
        match self.0.get(life) {
            Some(Life { until: Some(_), .. }) => Ok(()),
            _ => Err(StateError::Fenced),
        }
    }

    /// Ends a life whose lease ran out; false when it is alive or unknown.
    pub(crate) fn fence(&mut self, life: &Incarnation, now: Timestamp) -> bool {
        match self.0.get_mut(life) {
            Some(held) if held.until.is_none_or(|until| until <= now) => {
                held.until = None;
                true
            }
            _ => false,
        }
    }

    /// All lives that hold a lease, or of which something is left, with their clients.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&Incarnation, &BTreeSet<ClientKey>)> {
        let present = self.0.iter().filter(|(_, held)| held.until.is_some() || !held.clients.is_empty());
        present.map(|(life, held)| (life, &held.clients))
    }

    /// Notes that a life registered a client.
    pub(crate) fn own(&mut self, life: &Incarnation, client: &ClientKey) {
        if let Some(held) = self.0.get_mut(life) {
            held.clients.insert(client.clone());
        }
    }

    /// Notes that a client is not a life's any more.
    pub(crate) fn disown(&mut self, life: &Incarnation, client: &ClientKey) {
        if let Some(held) = self.0.get_mut(life) {
            held.clients.remove(client);
        }
    }

    /// The clients that a life registered, in their order, from after this one on.
    pub(crate) fn clients_after(
        &self,
        life: &Incarnation,
        last: Option<&ClientKey>,
    ) -> impl Iterator<Item = &ClientKey> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.get(life).into_iter().flat_map(move |held| held.clients.range((from, Bound::Unbounded)))
    }

    /// One of the clients that a life registered, none when nothing is left of it.
    pub(crate) fn any_client(&self, life: &Incarnation) -> Option<ClientKey> {
        self.0.get(life)?.clients.first().cloned()
    }
}
