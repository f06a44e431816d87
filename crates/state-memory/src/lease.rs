//! The leases of incarnations, and the clients that each incarnation registered.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::Bound,
    time::Duration,
};

use roomwire_core::{ClientKey, Incarnation, LeaseStatus, StateError, Timestamp};

/// All incarnations that ever began here. Ended ones remain, with some hundred bytes each: a fenced incarnation must
/// never begin again.
#[derive(Debug, Default)]
pub(crate) struct Incarnations(BTreeMap<Incarnation, Leased>);

#[derive(Debug)]
struct Leased {
    /// When the lease expires. `None` if it ended or the incarnation was fenced.
    until: Option<Timestamp>,
    /// The clients that are registered under it, and that a cleanup must remove.
    clients: BTreeSet<ClientKey>,
}

impl Leased {
    /// Whether a node must clean up after it.
    fn is_lost(&self, now: Timestamp) -> bool {
        match self.until {
            Some(until) => until <= now,
            None => !self.clients.is_empty(),
        }
    }
}

impl Incarnations {
    pub(crate) fn begin(
        &mut self,
        incarnation: &Incarnation,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StateError> {
        let until = now.plus(lasts);
        match self.0.entry(incarnation.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Leased { until: Some(until), clients: BTreeSet::new() });
            }
            Entry::Occupied(known) => *known.into_mut().until.as_mut().ok_or(StateError::Fenced)? = until,
        }
        Ok(())
    }

    pub(crate) fn renew(
        &mut self,
        incarnation: &Incarnation,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<LeaseStatus, StateError> {
        let until = self.0.get_mut(incarnation).and_then(|lease| lease.until.as_mut()).ok_or(StateError::Fenced)?;
        *until = now.plus(lasts);
        let lost = self.0.iter().filter(|(other, lease)| *other != incarnation && lease.is_lost(now));
        // Process memory is never restored with older data.
        Ok(LeaseStatus { expired: lost.map(|(other, _)| other.clone()).collect(), behind: false })
    }

    pub(crate) fn end(&mut self, incarnation: &Incarnation) {
        if let Some(lease) = self.0.get_mut(incarnation) {
            lease.until = None;
        }
    }

    /// Rejects a writer without a lease. An expired lease is lease until a node reaps it.
    pub(crate) fn check(&self, incarnation: &Incarnation) -> Result<(), StateError> {
        match self.0.get(incarnation) {
            Some(Leased { until: Some(_), .. }) => Ok(()),
            _ => Err(StateError::Fenced),
        }
    }

    /// Ends an incarnation with an expired lease; returns false if it is alive or unknown.
    pub(crate) fn fence(&mut self, incarnation: &Incarnation, now: Timestamp) -> bool {
        match self.0.get_mut(incarnation) {
            Some(lease) if lease.until.is_none_or(|until| until <= now) => {
                lease.until = None;
                true
            }
            _ => false,
        }
    }

    /// All incarnations that hold a lease or have entries left, with their clients.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&Incarnation, &BTreeSet<ClientKey>)> {
        let present = self.0.iter().filter(|(_, lease)| lease.until.is_some() || !lease.clients.is_empty());
        present.map(|(incarnation, lease)| (incarnation, &lease.clients))
    }

    /// Records that an incarnation registered a client.
    pub(crate) fn own(&mut self, incarnation: &Incarnation, client: &ClientKey) {
        if let Some(lease) = self.0.get_mut(incarnation) {
            lease.clients.insert(client.clone());
        }
    }

    /// Records that a client no longer belongs to an incarnation.
    pub(crate) fn disown(&mut self, incarnation: &Incarnation, client: &ClientKey) {
        if let Some(lease) = self.0.get_mut(incarnation) {
            lease.clients.remove(client);
        }
    }

    /// The clients that an incarnation registered, in order, after this one.
    pub(crate) fn clients_after(
        &self,
        incarnation: &Incarnation,
        last: Option<&ClientKey>,
    ) -> impl Iterator<Item = &ClientKey> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.get(incarnation).into_iter().flat_map(move |lease| lease.clients.range((from, Bound::Unbounded)))
    }

    /// One of the clients that an incarnation registered. `None` if nothing is left of it.
    pub(crate) fn any_client(&self, incarnation: &Incarnation) -> Option<ClientKey> {
        self.0.get(incarnation)?.clients.first().cloned()
    }
}
