//! Revocations, as long as they are in force.

use std::collections::BTreeMap;

use roomwire_core::{Page, PageRequest, Revocation, Revoked, Timestamp};

use crate::table;

/// The revocations in force, by a name of their subject.
#[derive(Debug, Default)]
pub(crate) struct Revocations(BTreeMap<String, Revocation>);

impl Revocations {
    pub(crate) fn add(&mut self, new: &Revocation, now: Timestamp) {
        self.drop_expired(now);
        if !new.is_in_force(now) {
            return;
        }
        let name = match &new.subject {
            Revoked::User(user) => format!("u{user}"),
            Revoked::Token(token) => format!("t{token}"),
        };
        let known = self.0.entry(name).or_insert_with(|| new.clone());
        *known = new.clone().and(known);
    }

    pub(crate) fn page(&mut self, wanted: &PageRequest, now: Timestamp) -> Page<Revocation> {
        self.drop_expired(now);
        table::page(Some(&self.0), wanted, |_, revocation| revocation.clone())
    }

    fn drop_expired(&mut self, now: Timestamp) {
        self.0.retain(|_, known| known.is_in_force(now));
    }
}
