//! Revoked access, as far as this node knows: checked for every client without a call of the store.
//!
//! A node that revokes writes to the store first and publishes to the other nodes second. A node that starts subscribes
//! first and reads the store second. So every node learns of every revocation.

use std::collections::BTreeMap;

use parking_lot::{Mutex, RwLock};
use roomwire_core::{
    Channel, DisconnectReason, Error, Escaped, Identity, NodeMessage, PageRequest, Revocation, Revoked, StateError,
    Timestamp, TokenId, UserId,
};

use super::Node;
use crate::{Client, backend::Deadline};

/// What this node knows of revocations.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    known: RwLock<Known>,
    /// Revocations that are stored and may be unknown to other nodes.
    untold: Mutex<Vec<Revocation>>,
}

#[derive(Debug, Default)]
struct Known {
    users: BTreeMap<UserId, Revocation>,
    tokens: BTreeMap<TokenId, Revocation>,
    /// When the first of them expires, if there is any.
    first_end: Option<Timestamp>,
}

impl Known {
    /// Adds a revocation. Returns false if it changes nothing.
    fn note(&mut self, new: &Revocation, now: Timestamp) -> bool {
        self.drop_expired(now);
        if !new.is_in_force(now) {
            return false;
        }
        self.first_end = Some(self.first_end.map_or(new.until, |first| first.min(new.until)));
        match &new.subject {
            Revoked::User(user) => merge(&mut self.users, user.clone(), new),
            Revoked::Token(token) => merge(&mut self.tokens, token.clone(), new),
        }
    }

    fn drop_expired(&mut self, now: Timestamp) {
        if self.first_end.is_none_or(|first| now < first) {
            return;
        }
        self.users.retain(|_, known| known.is_in_force(now));
        self.tokens.retain(|_, known| known.is_in_force(now));
        self.first_end = self.all().map(|known| known.until).min();
    }

    fn all(&self) -> impl Iterator<Item = &Revocation> {
        self.users.values().chain(self.tokens.values())
    }

    fn of(&self, subject: &Revoked) -> Option<&Revocation> {
        match subject {
            Revoked::User(user) => self.users.get(user),
            Revoked::Token(token) => self.tokens.get(token),
        }
    }
}

fn merge<S: Ord>(known: &mut BTreeMap<S, Revocation>, subject: S, new: &Revocation) -> bool {
    let before = known.get(&subject);
    let both = before.map_or_else(|| new.clone(), |before| new.clone().and(before));
    let changes = before != Some(&both);
    if changes {
        known.insert(subject, both);
    }
    changes
}

impl Node {
    /// The revocation that covers this identity now, if there is one.
    pub(crate) fn is_revoked(&self, identity: &Identity) -> Option<Revocation> {
        let Identity { user, token, issued_at, .. } = identity;
        let known = self.revocations.known.read();
        let of_token = token.as_ref().and_then(|token| known.tokens.get(token));
        let of_user = user.as_ref().and_then(|user| known.users.get(user));
        let now = self.clock.now();
        let mut covering = of_token.into_iter().chain(of_user);
        covering.find(|it| it.is_in_force(now) && it.covers(user.as_ref(), token.as_ref(), *issued_at)).cloned()
    }

    /// Applies a revocation of this or another node: clients that it covers are refused from now on, and connected ones
    /// are disconnected.
    pub(crate) fn revoked(&self, revocation: &Revocation) {
        if !self.revocations.known.write().note(revocation, self.clock.now()) {
            return;
        }
        for namespace in self.namespaces() {
            let candidates = match &revocation.subject {
                Revoked::User(user) => namespace.clients_of(user),
                // Rare enough to check all clients.
                Revoked::Token(_) => namespace.clients(),
            };
            self.disconnect_revoked(&candidates);
        }
    }

    /// Disconnects the revoked ones of these clients. Call it for every client after it was activated: its access may
    /// been revoked after it was admitted.
    pub(crate) fn disconnect_revoked(&self, clients: &[Client]) {
        for client in clients {
            if self.is_revoked(&client.identity()).is_some() {
                self.metrics.access_revoked.increment(1);
                tracing::info!(target: "roomwire", client = %Escaped(client.id()), "disconnected: its access was revoked");
                self.disconnect_here(client, DisconnectReason::AccessRevoked);
            }
        }
    }

    /// Revokes access in the whole cluster. It takes effect on this node at once, whatever else fails; the heartbeats
    /// send it to the store if that fails now.
    pub(crate) async fn revoke(&self, revocation: Revocation) -> Result<(), Error> {
        self.revoked(&revocation);
        let stored = self.backend.retrying(self.backend.deadline(), || self.backend.store.revoke(&revocation)).await;
        if stored.is_err() {
            self.backend.compare_revocations_soon();
        }
        let told = self.tell_or_remember(revocation, self.backend.deadline()).await;
        stored?;
        told
    }

    /// The next comparison publishes it if this fails.
    async fn tell_or_remember(&self, revocation: Revocation, until: Deadline) -> Result<(), Error> {
        let told = self.tell_of(revocation.clone(), until).await;
        if told.is_err() {
            self.revocations.untold.lock().push(revocation);
            self.backend.compare_revocations_soon();
        }
        told
    }

    async fn tell_of(&self, revocation: Revocation, until: Deadline) -> Result<(), Error> {
        let message = self.envelope(NodeMessage::Revoked(revocation))?;
        Ok(self.backend.call(until, self.backend.backplane.publish(&Channel::Cluster, message)).await?)
    }

    /// Reads the revocations from the store.
    pub(super) async fn load_revocations(&self) -> Result<(), StateError> {
        self.read_revocations().await.map(drop)
    }

    async fn read_revocations(&self) -> Result<Vec<Revocation>, StateError> {
        let mut stored = Vec::new();
        let mut wanted = PageRequest::first(PageRequest::MAX_LIMIT);
        loop {
            let page = self.backend.call(self.backend.patience(), self.backend.store.revocations(&wanted)).await?;
            stored.extend(page.items);
            match page.next {
                Some(cursor) => wanted = PageRequest::after(cursor, PageRequest::MAX_LIMIT),
                None => break,
            }
        }
        let changed = {
            let (mut known, now) = (self.revocations.known.write(), self.clock.now());
            // Applies all of them: `any` would stop at the first change.
            stored.iter().filter(|revocation| known.note(revocation, now)).count() > 0
        };
        if changed {
            for namespace in self.namespaces() {
                self.disconnect_revoked(&namespace.clients());
            }
        }
        Ok(stored)
    }

    /// Removes expired revocations. After every event that may have separated this node from the store or the others,
    /// reads theirs and sends them those that they lack.
    pub(super) async fn keep_revocations(&self) {
        self.revocations.known.write().drop_expired(self.clock.now());
        if !self.backend.take_revocations_due() {
            return;
        }
        if let Err(error) = self.compare_revocations().await {
            tracing::debug!(target: "roomwire", error = %Escaped(error), "revocations could not be compared, trying again");
            self.backend.compare_revocations_soon();
        }
    }

    async fn compare_revocations(&self) -> Result<(), Error> {
        let mut stored = Known::default();
        let now = self.clock.now();
        for revocation in self.read_revocations().await? {
            stored.note(&revocation, now);
        }
        let missing: Vec<_> = {
            let known = self.revocations.known.read();
            known.all().filter(|known| stored.of(&known.subject) != Some(known)).cloned().collect()
        };
        for revocation in missing {
            self.backend.call(self.backend.patience(), self.backend.store.revoke(&revocation)).await?;
            self.tell_or_remember(revocation, self.backend.patience()).await?;
        }
        let untold = std::mem::take(&mut *self.revocations.untold.lock());
        for revocation in untold {
            if revocation.is_in_force(now) {
                // What fails is queued again, with everything after it.
                let _ = self.tell_or_remember(revocation, self.backend.patience()).await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use roomwire_core::{Revocation, Revoked, Timestamp, UserId};

    use super::Known;

    fn of(user: &str, revoked_at: u64, until: u64) -> Revocation {
        let [revoked_at, until] = [revoked_at, until].map(Timestamp::from_millis);
        Revocation { subject: Revoked::User(UserId::new(user).expect("valid")), revoked_at, until }
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_changes_nothing_is_said_to() {
        let (mut known, at) = (Known::default(), Timestamp::from_millis);
        assert!(known.note(&of("ada", 10, 100), at(10)));
        assert!(!known.note(&of("ada", 10, 100), at(10)) && !known.note(&of("ada", 5, 50), at(10)));
        assert!(known.note(&of("ada", 20, 50), at(20)));
        assert_eq!(known.of(&of("ada", 0, 0).subject), Some(&of("ada", 20, 100)));
        assert!(known.note(&of("bob", 20, 200), at(20)) && !known.note(&of("eve", 20, 90), at(90)));
        known.drop_expired(at(100));
        assert_eq!(known.all().cloned().collect::<Vec<_>>(), [of("bob", 20, 200)]);
        known.drop_expired(at(200));
        assert_eq!((known.all().count(), known.first_end), (0, None));
    }
}
